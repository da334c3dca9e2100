"""Executors of cells that run beside the foreground: on a worker thread, or on the user loop for it."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from contextvars import Context as ContextVars
from functools import partial

from namespace_kernel.base.cell import Outcome
from namespace_kernel.base.execution import Execution
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.execution.stop.thread_stop import Steps, ThreadStop
from namespace_kernel.execution.user_loop.user_loop import UserLoop

from .executor import Body
from .plain_cells import Stoppable, run_to_end


def _stoppable(side_cells: SideCells, execution: Execution, run: Callable[[], Outcome]) -> Outcome:
    """Return `run()`, in which Stop raises `KeyboardInterrupt` between two bytecodes."""
    interrupt = ThreadStop()
    try:
        side_cells.enter(execution, interrupt.stop)
        return run()
    finally:
        try:
            interrupt.close()
        except KeyboardInterrupt:  # it came before `close` could catch it
            interrupt.close()
        side_cells.leave(execution)


class WorkerExecutor:
    """Runs sync cells on the calling worker thread, in its lane's context variables.

    Guarantees: no loop runs in the thread; Stop reaches the cell between two bytecodes, and ends its tasks.

    Thread: a lane's worker.
    """

    def __init__(self, context: ContextVars, side_cells: SideCells) -> None:
        self._context = context
        self._side_cells = side_cells

    async def run(self, execution: Execution, body: Body) -> Outcome:
        """See `Executor.run`."""
        execution.begin(self._context)
        run = partial(self._context.run, run_to_end, execution, body)
        with Stoppable(execution, body) as ran:
            ran.outcome = _stoppable(self._side_cells, execution, run)
            return ran.outcome


class _Delivery:
    """Hands on what becomes of a cell's task. No function: `repr(task)` would name its file."""

    def __init__(self, outcome: concurrent.futures.Future[Outcome]) -> None:
        self._outcome = outcome

    def end(self, task: asyncio.Task[Outcome]) -> None:
        """Done callback."""
        if task.cancelled():
            self._outcome.set_exception(asyncio.CancelledError())
        elif (error := task.exception()) is not None:
            self._outcome.set_exception(error)
        else:
            self._outcome.set_result(task.result())


class WorkerLoopExecutor:
    """Runs async cells as a task on the user loop, wherever that is, and waits for it.

    Guarantees: Stop cancels the cell where it waits, and raises `KeyboardInterrupt` where it executes.

    Thread: a lane's worker.
    """

    def __init__(self, user_loop: UserLoop, context: ContextVars, side_cells: SideCells) -> None:
        self._user_loop = user_loop
        self._context = context
        self._side_cells = side_cells

    async def run(self, execution: Execution, body: Body) -> Outcome:
        """See `Executor.run`."""
        execution.begin(self._context)
        try:
            outcome = self._run_on_loop(execution, body)
            if outcome.ending is not None:
                return _stoppable(self._side_cells, execution, partial(self._context.run, outcome.ending))
            return outcome
        finally:
            execution.finished = True

    def _run_on_loop(self, execution: Execution, body: Body) -> Outcome:
        outcome: concurrent.futures.Future[Outcome] = concurrent.futures.Future()
        steps = Steps(body)
        # First: the end of the kernel waits for those that are there, and what its code begins it may finish.
        self._side_cells.enter(execution, lambda: self._stop(execution, steps))
        try:
            self._user_loop.loop.call_soon_threadsafe(self._start, execution, steps, outcome)
            return outcome.result()
        finally:
            self._side_cells.leave(execution)
            execution.own_task = None  # it keeps the outcome

    def _start(
        self,
        execution: Execution,
        steps: Steps,
        outcome: concurrent.futures.Future[Outcome],
    ) -> None:
        task = self._user_loop.start_cell(execution, steps, self._context)

        task.add_done_callback(_Delivery(outcome).end)

    def _stop(self, execution: Execution, steps: Steps) -> None:
        execution.interrupted = True
        it_waits = not steps.stop()
        self._user_loop.loop.call_soon_threadsafe(self._cancel, execution, steps, it_waits)

    def _cancel(self, execution: Execution, steps: Steps, it_waits: bool) -> None:
        own = execution.own_task if it_waits and steps.wanted else None
        for task in [own, *execution.tasks]:
            if task is not None:
                task.cancel()
