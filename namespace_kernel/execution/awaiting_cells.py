"""The executor of foreground async cells: the user loop, run on the main thread for their duration."""

from __future__ import annotations

import asyncio
from contextvars import Context as ContextVars
from functools import partial
from typing import Any

from namespace_kernel.base.asyncio_tasks import OF_THE_LOOP, was_never_started
from namespace_kernel.base.cell import Outcome
from namespace_kernel.base.execution import Execution, RaisedInLoop
from namespace_kernel.base.originals import repair
from namespace_kernel.execution.user_loop.user_loop import UserLoop

from .executor import Body, Interrupts


class _Visit:
    """One stay of the loop on the main thread, which the cell's task ends."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self.over = False
        self.ended_by_task = False

    def end(self, task: asyncio.Task[object]) -> None:
        """Done callback. If user code stopped the loop first, it comes late, at home: then nothing."""
        if not self.over:
            self.ended_by_task = True
            self._loop.halt()


class UserLoopExecutor:
    """Runs async cells on the user loop, on the main thread.

    Guarantees: tasks of earlier cells go on meanwhile; a loop that user code stops is run on until
    the cell is done; afterwards the loop is at home again, whatever happened. What is left to do then, an
    error to show, keeps no task waiting.

    Thread: main.
    """

    def __init__(self, user_loop: UserLoop, context: ContextVars, interrupts: Interrupts) -> None:
        self._user_loop = user_loop
        self._context = context
        self._interrupts = interrupts

    async def run(self, execution: Execution, body: Body) -> Outcome:
        """See `Executor.run`."""
        execution.begin(self._context)
        try:
            with self._interrupts.waiting(execution):
                self._context.run(self._user_loop.borrow, lambda: execution.interrupted)
        except BaseException:
            body.close()
            raise
        try:
            outcome = self._run_on_loop(execution, body)
            if outcome.ending is not None:
                return self._interrupts.run_ending(partial(self._context.run, outcome.ending))
            return outcome
        finally:
            execution.finished = True
            if was_never_started(body):  # Stop came before
                body.close()

    def _run_on_loop(self, execution: Execution, body: Body) -> Outcome:
        # Playwright's sync API leaves its loop set as this thread's running loop between two calls.
        others_loop = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            return self._run_visit(execution, body)
        finally:
            execution.own_task = None  # it keeps the outcome
            asyncio._set_running_loop(others_loop)
            self._user_loop.give_back()

    def _run_visit(self, execution: Execution, body: Body) -> Outcome:
        loop = self._user_loop.loop
        task = self._user_loop.start_cell(execution, body, self._context)
        visit = _Visit(loop)
        task.add_done_callback(visit.end)
        turns = -1
        with self._interrupts.async_code(execution, task, loop):
            while not task.done():
                try:
                    loop.run_forever()
                except KeyboardInterrupt:  # Stop, in a task of the cell or one in its way
                    task.cancel()
                    continue
                except SystemExit:  # raised by a task; in a cell's own code it is caught
                    continue
                except BaseException as error:  # a signal's handler, or a function of Python was replaced
                    if not repair(error):
                        if turns == loop.turns:
                            raise
                        execution.keep(RaisedInLoop(_without_loop(error)))
                        task.cancel()
                    turns = loop.turns
                    continue
                if not visit.ended_by_task:
                    self._context.run(self._user_loop.tasks.stopped)
        visit.over = True
        return task.result()


def _without_loop(error: BaseException) -> BaseException:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(OF_THE_LOOP):
        trace = trace.tb_next
    return error.with_traceback(trace)
