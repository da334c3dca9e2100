"""Executors of cells that run beside the foreground: on a worker thread, or on the user loop for it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Coroutine
from contextvars import Context as ContextVars
from functools import partial
from typing import Any

from ..cell import Outcome
from ..originals import monotonic
from .base import Execution
from .main_thread import run_to_end
from .steps import Steps, ThreadStop
from .user_loop import UserLoop


class SideCells:
    """The cells that run beside the foreground, and how to stop each.

    Thread: any. The lock is reentrant because a signal handler on the main thread stops cells.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._stops: dict[Execution, Callable[[], object]] = {}
        #: Lanes whose cell has not come yet, and whether it was stopped already.
        self._coming: dict[str, bool] = {}

    def expect(self, lane_id: str) -> None:
        """A cell of this lane will come; a Stop that is quicker is kept for it."""
        with self._lock:
            self._coming[lane_id] = False

    def forget(self, lane_id: str) -> None:
        """No cell of this lane will come any more."""
        with self._lock:
            self._coming.pop(lane_id, None)

    def enter(self, execution: Execution, stop: Callable[[], object]) -> None:
        """Register a running cell."""
        with self._lock:
            self._stops[execution] = stop
            if self._coming.pop(execution.cell.lane_id or "", False):
                stop()

    def leave(self, execution: Execution) -> None:
        """Forget a cell that is over."""
        with self._lock:
            self._stops.pop(execution, None)

    def stop(
        self,
        wanted: Callable[[Execution], bool] = lambda execution: True,
        coming: Callable[[str], bool] = lambda lane_id: False,
    ) -> list[Execution]:
        """Stop the wanted cells, and those to come of the lanes `coming`; return those that ran."""
        with self._lock:
            self._coming = {lane_id: stopped or coming(lane_id) for lane_id, stopped in self._coming.items()}
            chosen = [(execution, stop) for execution, stop in self._stops.items() if wanted(execution)]
            for _, stop in chosen:
                stop()
        return [execution for execution, _ in chosen]

    def wait(self, timeout: float) -> None:
        """Wait until none is registered, at most `timeout` seconds."""
        until = monotonic() + timeout
        while self._stops and monotonic() < until:
            time.sleep(0.01)

    def runs(self, execution: Execution) -> bool:
        """Whether `execution` is registered."""
        return execution in self._stops


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

    Guarantees: no loop runs in the thread; Stop reaches the cell between two bytecodes.

    Thread: a lane's worker.
    """

    def __init__(self, context: ContextVars, side_cells: SideCells) -> None:
        self._context = context
        self._side_cells = side_cells

    async def run(self, execution: Execution, body: Coroutine[Any, Any, Outcome]) -> Outcome:
        """See `Executor.run`."""
        execution.begin(self._context)
        try:
            return _stoppable(
                self._side_cells, execution, partial(self._context.run, run_to_end, execution, body)
            )
        finally:
            execution.finished = True
            body.close()


class WorkerLoopExecutor:
    """Runs async cells as a task on the user loop, wherever that is, and waits for it.

    Guarantees: Stop cancels the cell where it waits, and raises `KeyboardInterrupt` where it executes.

    Thread: a lane's worker.
    """

    def __init__(self, user_loop: UserLoop, context: ContextVars, side_cells: SideCells) -> None:
        self._user_loop = user_loop
        self._context = context
        self._side_cells = side_cells

    async def run(self, execution: Execution, body: Coroutine[Any, Any, Outcome]) -> Outcome:
        """See `Executor.run`."""
        execution.begin(self._context)
        try:
            outcome = self._run_on_loop(execution, body)
            if outcome.ending is not None:
                return _stoppable(self._side_cells, execution, partial(self._context.run, outcome.ending))
            return outcome
        finally:
            execution.finished = True

    def _run_on_loop(self, execution: Execution, body: Coroutine[Any, Any, Outcome]) -> Outcome:
        outcome: concurrent.futures.Future[Outcome] = concurrent.futures.Future()
        steps = Steps(body)
        self._user_loop.loop.call_soon_threadsafe(self._start, execution, steps, outcome)
        self._side_cells.enter(execution, lambda: self._stop(execution, steps))
        try:
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

        def deliver(task: asyncio.Task[Outcome]) -> None:
            if task.cancelled():
                outcome.set_exception(asyncio.CancelledError())
            elif (error := task.exception()) is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(task.result())

        task.add_done_callback(deliver)

    def _stop(self, execution: Execution, steps: Steps) -> None:
        execution.interrupted = True
        it_waits = not steps.stop()
        self._user_loop.loop.call_soon_threadsafe(self._cancel, execution, steps, it_waits)

    def _cancel(self, execution: Execution, steps: Steps, it_waits: bool) -> None:
        own = execution.own_task if it_waits and steps.wanted else None
        for task in [own, *execution.tasks]:
            if task is not None:
                task.cancel()
