"""Executors for code that no event loop runs, and the embedder's own loop."""

from __future__ import annotations

from contextlib import suppress
from contextvars import Context
from functools import partial
from queue import Empty, SimpleQueue

from namespace_kernel.base.cell import Outcome
from namespace_kernel.base.errors import AwaitInThreadError
from namespace_kernel.base.execution import Execution

from .executor import Body, Interrupts

#: Turns of the loop in which a cancelled task ends: its future, its own step, whoever hears of its end.
_TURNS = 4
#: Seconds to wait for them.
_PATIENCE = 0.5


def run_to_end(execution: Execution, body: Body) -> Outcome:
    """Drive `body` with one send; if it awaits nevertheless, raise the reason inside it."""
    try:
        body.send(None)
        body.throw(AwaitInThreadError(execution.cell.execution_id))
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
    body.close()
    raise AwaitInThreadError(execution.cell.execution_id)


class Stoppable:
    """Around the run of `body`: if a Stop ends it, the tasks that the cell started end, too.

    No function that calls it: each frame above a cell is one less for its own code.
    """

    def __init__(self, execution: Execution, body: Body) -> None:
        self._execution = execution
        self._body = body
        #: What the run returned; `None` if it raised.
        self.outcome: Outcome | None = None

    def __enter__(self) -> Stoppable:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            # It came around the cell's own code, or in it.
            errors = error, self.outcome and self.outcome.error
            if any(isinstance(one, KeyboardInterrupt) for one in errors):
                _end_tasks(self._execution)
        finally:
            self._execution.finished = True
            self._body.close()


def _end_tasks(execution: Execution) -> None:
    """Cancel them, and let the loop take the steps in which they end. Here no Stop comes any more."""
    tasks = [task for task in execution.tasks if not task.done()]
    if not tasks:
        return
    loop, taken = tasks[0].get_loop(), SimpleQueue[None]()

    def cancel() -> None:
        for task in tasks:
            task.cancel()
        go_on(_TURNS)

    def go_on(turns: int) -> None:
        if turns:
            loop.call_soon(go_on, turns - 1)
        else:
            taken.put(None)

    loop.call_soon_threadsafe(cancel, context=Context())
    with suppress(Empty):  # where a task blocks the loop, the next cell need not wait for it
        taken.get(timeout=_PATIENCE)


class MainThreadExecutor:
    """Runs sync cells on the main thread, in the foreground's context variables.

    Guarantees: no event loop runs in the thread, so `asyncio.run()` and libraries that refuse a
    running loop work; SIGINT raises `KeyboardInterrupt` in the cell and nowhere else, and ends its tasks.

    Thread: main.
    """

    def __init__(self, context: Context, interrupts: Interrupts) -> None:
        self._context = context
        self._interrupts = interrupts

    async def run(self, execution: Execution, body: Body) -> Outcome:
        """See `Executor.run`."""
        execution.begin(self._context)
        with Stoppable(execution, body) as ran:
            ran.outcome = self._interrupts.run_sync(partial(self._context.run, run_to_end, execution, body))
            return ran.outcome


class CallingThreadExecutor:
    """Runs code in whatever thread asks (`execute_in_thread`).

    Thread: any without a running loop of its own, or any that accepts to block it.
    """

    async def run(self, execution: Execution, body: Body) -> Outcome:
        """See `Executor.run`."""
        try:
            return run_to_end(execution, body)
        finally:
            execution.finished = True
            body.close()


class AwaitingExecutor:
    """Runs code on the loop of the embedder (`execute_in_async`).

    Thread: the one whose loop runs.
    """

    async def run(self, execution: Execution, body: Body) -> Outcome:
        """See `Executor.run`. A cancelled caller cancels the code."""
        try:
            return await body
        finally:
            execution.finished = True
