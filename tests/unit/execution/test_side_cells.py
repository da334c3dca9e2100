"""Cells beside the foreground: none begins before it can be stopped, and before the end waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from namespace_kernel.base.cell import Outcome
from namespace_kernel.base.execution import Execution, complete
from namespace_kernel.execution.side_cells import WorkerLoopExecutor
from namespace_kernel.execution.stop.registry import SideCells
from tests.unit.fakes import execution_of, run_in_threads, user_loop_running


def test_an_awaiting_cell_is_known_before_its_code_begins() -> None:
    began: list[str] = []

    with user_loop_running() as home:

        class Slow(SideCells):
            def enter(self, execution: Execution, stop: Callable[[], object]) -> None:
                home.at_home(asyncio.sleep(0))  # what the loop was given before has run
                began.append("it is known")
                super().enter(execution, stop)

        async def body() -> Outcome:
            began.append("its code")
            return Outcome(42)

        executor = WorkerLoopExecutor(home.user_loop, home.context, Slow())
        outcomes: list[Outcome] = []
        run_in_threads(lambda: outcomes.append(complete(executor.run(execution_of(), body()))))
        assert outcomes[0].value == 42
    assert began == ["it is known", "its code"]
