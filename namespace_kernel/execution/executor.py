"""What an executor is, and what it needs of Stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from namespace_kernel.base.cell import Outcome
from namespace_kernel.base.execution import Execution, T

#: A cell's own code, to be driven to its end.
Body: TypeAlias = Coroutine[object, None, Outcome]


class Executor(Protocol):
    """Runs the code of one route."""

    async def run(self, execution: Execution, body: Body) -> Outcome:
        """Drive `body` to its end and return its outcome.

        Called by the bridge in stage 3. `body` reports user errors in its outcome; whatever it raises
        nevertheless (Stop arriving outside user code) is raised here. Only an executor for embedding
        may suspend.
        """


class Interrupts(Protocol):
    """Who decides what Stop does; see `namespace_kernel.execution.stop.interrupts`."""

    def run_sync(self, run: Callable[[], T]) -> T:
        """Return `run()`; while it runs, and only then, Stop raises `KeyboardInterrupt`."""

    def run_ending(self, run: Callable[[], T]) -> T:
        """As `run_sync`, for what follows an async cell's code; a Stop that came between the two is over."""

    def async_code(
        self, execution: Execution, task: asyncio.Task[object], loop: asyncio.AbstractEventLoop
    ) -> AbstractContextManager[None]:
        """While entered, Stop ends `task`: by `KeyboardInterrupt` if it executes, else by cancelling it."""

    def calling(self, stop: Callable[[], object]) -> AbstractContextManager[None]:
        """While entered, Stop calls `stop`, on the main thread in a signal handler, and does nothing else."""

    def waiting(self, execution: Execution) -> AbstractContextManager[None]:
        """While entered, Stop sets `execution.interrupted`: the cell waits for the user loop."""
