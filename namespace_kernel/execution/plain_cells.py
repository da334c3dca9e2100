"""Executors for code that no event loop runs, and the embedder's own loop."""

from __future__ import annotations

from contextvars import Context as ContextVars
from functools import partial

from namespace_kernel.base.cell import Outcome
from namespace_kernel.base.errors import AwaitInThreadError
from namespace_kernel.base.execution import Execution

from .executor import Body, Interrupts


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


class MainThreadExecutor:
    """Runs sync cells on the main thread, in the foreground's context variables.

    Guarantees: no event loop runs in the thread, so `asyncio.run()` and libraries that refuse a
    running loop work; SIGINT raises `KeyboardInterrupt` in the cell and nowhere else.

    Thread: main.
    """

    def __init__(self, context: ContextVars, interrupts: Interrupts) -> None:
        self._context = context
        self._interrupts = interrupts

    async def run(self, execution: Execution, body: Body) -> Outcome:
        """See `Executor.run`."""
        execution.begin(self._context)
        try:
            return self._interrupts.run_sync(partial(self._context.run, run_to_end, execution, body))
        finally:
            execution.finished = True
            body.close()


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
