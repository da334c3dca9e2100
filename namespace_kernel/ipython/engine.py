"""Runs a cell's code by IPython: the kernel's engine."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.async_helpers import _asyncio_runner

from namespace_kernel.base.cell import ELSEWHERE, Cell, Context, Namespace, Outcome, Route
from namespace_kernel.base.errors import AwaitInThreadError
from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.words import encodable
from namespace_kernel.coroutines.origins import Origins
from namespace_kernel.execution.hooks import Settling
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.ipython.tracebacks.tracebacks import lines_of_error
from namespace_kernel.remote.executor import ElsewhereCall
from namespace_kernel.routing.analysis import awaits

from .shell import NamespaceShell

if TYPE_CHECKING:  # imported when a cell goes elsewhere, not when a kernel starts
    from IPython.core.interactiveshell import ExecutionResult

    from namespace_kernel.remote.cell import ElsewhereCell


T = TypeVar("T")


class ShellEngine:
    """Implements `engine.Engine` with `InteractiveShell.run_cell_async`.

    Thread: the one that runs the cell, in the foreground's context.
    """

    def __init__(self, shell: NamespaceShell, user_loop_runner: UserLoopRunner, origins: Origins) -> None:
        self._shell = shell
        self._origins = origins
        self._runner = user_loop_runner
        shell.loop_runner = user_loop_runner

    @property
    def awaits_on_user_loop(self) -> bool:
        """Whether top-level await is for the user loop: not switched off, and not given to trio.

        `%autoawait asyncio` sets IPython's own runner, with a loop of its own; here it means the user loop.
        """
        if self._shell.loop_runner is _asyncio_runner:
            self._shell.loop_runner = self._runner
        return bool(self._shell.autoawait and self._shell.loop_runner is self._runner)

    async def run(self, cell: Cell, route: Route, namespace: Namespace) -> Outcome:
        """See `Engine.run`."""
        shell = self._shell
        if route.error is None and route.context is Context.MAIN and self._awaits(route.source):
            # Only a directive or a tag can have sent it there.
            route = replace(route, error=AwaitInThreadError(cell.execution_id))
        shell.use_number(cell.number)
        self._origins.before_cell(route.source, cell.background or cell.lane_id is not None)
        # A list of its own: this context may be a copy of another cell's.
        shell.payload_manager.clear_payload()
        shell._last_traceback = None
        shell._last_traceback_during_displayhook = False
        shell.elsewhere = self._elsewhere(cell, route, namespace)
        shell.begin_code(route.context is Context.ASYNC)
        failure = None if route.error is None else (type(route.error), route.error, route.error.__traceback__)
        result = None
        running = shell.run_cell_async(
            encodable(cell.code),
            store_history=cell.store_history,
            silent=cell.silent,
            transformed_cell=route.source,
            preprocessing_exc_tuple=failure,
            cell_id=cell.cell_id,
            cell_meta=dict(cell.metadata),
        )
        try:
            if self._needs_other_runner(cell, route):
                result = shell.loop_runner(running)
            else:
                result = await running
        finally:
            shell.kernel.after_code(_error_of(result))
            if result is None:
                self._trigger_hooks(cell, result)
        ending = partial(self._end, cell, result)
        return Outcome(ending=ending) if route.context is Context.ASYNC else ending()

    def _end(self, cell: Cell, result: ExecutionResult) -> Outcome:
        """What follows the cell's code, where no loop runs: tasks need not wait for it."""
        shell = self._shell
        try:
            shell.show_postponed(result.execution_count)
        finally:
            self._trigger_hooks(cell, result)
        if result.error_in_exec is not None:
            result.error_in_exec = shell.as_interrupt(result.error_in_exec)
        return Outcome(result.result, result.error_before_exec or result.error_in_exec, result)

    def _trigger_hooks(self, cell: Cell, result: ExecutionResult | None) -> None:
        self._shell.events.trigger("post_execute")
        if not cell.silent:
            self._shell.events.trigger("post_run_cell", result)

    def _elsewhere(self, cell: Cell, route: Route, namespace: Namespace) -> ElsewhereCell | None:
        execution = current_execution.get()
        if route.context not in ELSEWHERE or route.error is not None or execution is None:
            return None
        call = execution.find(ElsewhereCall)
        assert call is not None  # its executor keeps it there
        from namespace_kernel.remote.cell import ElsewhereCell

        limit = int(self._shell.kernel.isolated_result_limit) if route.context is Context.ISOLATED else 0
        return ElsewhereCell(self._shell, call, cell, route, namespace, limit)

    def _awaits(self, source: str) -> bool:
        return self.awaits_on_user_loop and awaits(source)

    def _needs_other_runner(self, cell: Cell, route: Route) -> bool:
        """`%autoawait trio`: a cell that awaits runs in a loop of trio's own, started for it."""
        if route.context is not Context.MAIN or route.error is not None or self.awaits_on_user_loop:
            return False
        return bool(self._shell.should_run_async(cell.code, transformed_cell=route.source))

    def show(self, cell: Cell, route: Route, error: BaseException) -> Outcome:
        """See `Engine.show`."""
        shell = self._shell
        shell.showtraceback((type(error), error, error.__traceback__))
        if cell.store_history and (shell._own_count or 0) <= cell.number:
            shell.use_number(cell.number + 1)  # it was stopped before IPython had begun
        return Outcome(error=shell.as_interrupt(error))


class UserLoopRunner:
    """IPython's `loop_runner`: for code that a cell runs by `get_ipython().run_cell`, `%run`, …"""

    def __init__(self, user_loop: UserLoop) -> None:
        self._user_loop = user_loop

    def __call__(self, coroutine: Coroutine[object, None, T]) -> T:
        """Run `coroutine` on the user loop and wait for it."""
        return self._user_loop.loop.run_until_complete(coroutine)

    def __str__(self) -> str:
        return "asyncio"


class LetGoOfError:
    """Post-cell hook: after a success, nothing may keep the last error's frames alive.

    A background cell's success lets go of nothing: the error is the foreground's, who may be looking at it.
    """

    def __init__(self, shell: NamespaceShell, origins: Origins) -> None:
        self._shell = shell
        self._origins = origins
        #: The cell that failed last, the frame that keeps what it left, and the lines of its error.
        self._last: tuple[Execution | None, FrameType | None, list[tuple[str, int]]] = (None, None, [])

    def __call__(self, settling: Settling) -> None:
        """See `execution.hooks.Hook`. What ends here is the failed cell's, and is told under it."""
        cell, error = settling.execution.cell, settling.outcome.error
        if cell.silent or cell.background:
            return
        failed, frame, lines = self._last
        at_home = failed.at_home if failed is not None else _directly
        self._origins.error_lines = lines
        if error is not None:
            self._shell.note_last_error(error, cell.number)
        if error is not None or at_home(self._shell.forget_last_error, cell.code, cell.number):
            self._last = (None, None, [])
            if error is not None:
                self._last = (settling.execution, running_frame(error), list(lines_of_error(error)))
            at_home(clear_frames, frame)
        self._origins.error_lines = ()


def _directly(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def clear_frames(frame: FrameType | None) -> None:
    """Let `frame`, and those that called it, forget their variables; up to one that still runs."""
    with contextlib.suppress(RuntimeError):  # it runs: the thread's own, or a debugger's
        while frame is not None:
            frame.clear()
            frame = frame.f_back


def _error_of(result: ExecutionResult | None) -> BaseException | None:
    """Why a cell's code ended; `result` is `None` if IPython itself failed."""
    if result is None:
        return sys.exception()
    error: BaseException | None = result.error_before_exec or result.error_in_exec
    return error


def running_frame(error: BaseException | None) -> FrameType | None:
    """IPython's frame around the code that raised `error`: with it begins what keeps a failed cell's things.

    It holds the cell's result, which holds `error`, which holds the frame: without the garbage collector
    nothing of it would end. From Python 3.12 on the same is true of the frames that called it, up to the
    one that serves the cells; in 3.11 a coroutine's frame forgets who resumed it.

    An error that came up around the cell's code, as a Stop before it began, has the innermost of its frames.
    """
    trace = None if error is None else error.__traceback__
    if trace is None or trace.tb_frame.f_code.co_name == "run_code":
        return trace and trace.tb_frame
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame
