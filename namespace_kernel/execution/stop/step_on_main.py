"""Stop while the main thread takes a step of a task that is not its cell's."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Protocol

from namespace_kernel.base.asyncio_tasks import coroutine_of, is_inside
from namespace_kernel.base.lines import Lines, Notices
from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.threads import Timers

#: After this many seconds the user is told that the cell cannot be stopped yet, and why.
PATIENCE = 1.0

#: A second Stop ends another cell's task if it comes so many seconds after the first: not one that is pressed
#: twice at once, and finds a task that was at work by chance.
APART = 0.3


class Controller(Protocol):
    """What is asked of `InterruptController`."""

    notices: Notices
    lines: Lines
    timers: Timers
    target: Any


class StepOnMain:
    """A step of a task that main takes while it waits, for a cell or for the loop.

    The first Stop is not for the task: it is kept for the plain cell that waits, if one does. A second one,
    a moment later, ends the step.
    """

    def __init__(
        self, controller: Controller, handler: Callable[..., None], task: asyncio.Task[object]
    ) -> None:
        self._controller = controller
        self._own_handler = handler
        self._task = task
        self._since = 0.0
        self._ended = False

    def __enter__(self) -> None:
        # A plain cell that waits has Python's own handler, which would raise anywhere.
        self._handler = signal.signal(signal.SIGINT, self._own_handler)
        self._before, self._controller.target = self._controller.target, self

    def __exit__(self, kind: type[BaseException] | None, error: object, tb: TracebackType | None) -> None:
        self._ended = True
        self._controller.target = self._before
        signal.signal(signal.SIGINT, self._handler)
        if self._since:
            signal.raise_signal(signal.SIGINT)

    def interrupt(self, frame: FrameType | None) -> None:
        """Keep it for the cell, or raise it in the step."""
        now = monotonic()
        if not self._since:
            self._since = now
            if frame is not None:
                self._explain_later(self._controller.lines.describe_frame(frame))
        elif now - self._since >= APART and is_inside(frame, coroutine_of(self._task)):
            raise KeyboardInterrupt

    def _explain_later(self, where: str) -> None:
        def explain() -> None:
            if not self._ended:
                self._controller.notices.notice(
                    f"a task of another cell holds up the cells, busy {where}; Stop again ends that task"
                )

        self._controller.timers.call_later(PATIENCE, explain)
