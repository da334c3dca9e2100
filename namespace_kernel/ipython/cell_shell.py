"""What the kernel's shell and that of a process which runs cells of it have in common."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import sys
from traceback import walk_tb
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from IPython.core.interactiveshell import InteractiveShell

from namespace_kernel.base.errors import MemoryLimitError
from namespace_kernel.base.execution import RaisedInLoop, current_execution
from namespace_kernel.base.frames import without_own_frames
from namespace_kernel.base.words import exit_code_of, words_of
from namespace_kernel.execution.engine import exit_words
from namespace_kernel.ipython.magics.awaiting import AwaitingMagics
from namespace_kernel.ipython.tracebacks.traceback_formatter import AdvisingSyntaxTB, LettingGoTB
from namespace_kernel.ipython.tracebacks.tracebacks import groups_in, lines_with_members
from namespace_kernel.reports.advice.advice import advice_on
from namespace_kernel.reports.advice.syntax import unknown_magic

from .shell_commands import ShellCommands
from .source_lines import PlaceNames

if TYPE_CHECKING:
    from IPython.core.magic import MagicsManager

#: As `sys.exc_info()` returns it where there is an error.
ErrorInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]


class CellShell(PlaceNames, ShellCommands, InteractiveShell):
    """Runs commands that can be stopped, and magics that await; shows errors as a cell's user needs them.

    Thread: the one that runs the cell.
    """

    awaiting_magics: AwaitingMagics

    def init_magics(self) -> None:
        """Overridden for `%%bash` and the like that can be stopped, and for magics that await."""
        super().init_magics()
        _use_stoppable_scripts(self.magics_manager)
        _let_stops_end_the_loading(self.magics_manager)
        self.awaiting_magics = AwaitingMagics(self)

    def init_traceback_handlers(self, custom_exceptions: object) -> None:
        """Overridden for a formatter that lets go of the frames."""
        super().init_traceback_handlers(custom_exceptions)
        self.InteractiveTB = LettingGoTB(self.advise, mode=self.xmode, theme_name=self.colors, tb_offset=1)
        self.SyntaxTB = AdvisingSyntaxTB(self.advise, theme_name=self.colors)

    def was_stopped(self) -> bool:
        """Whether Stop was meant for the cell that the calling context belongs to."""
        execution = current_execution.get()
        return execution is not None and execution.interrupted

    def explain(self, error: BaseException) -> None:
        """Say in `error`, which is about to be shown, what its own words leave out."""

    def advise(self, error: BaseException) -> str | None:
        """Return a line that says what to do about `error`, if that is certain."""
        return advice_on(error, self)

    def show_usage_error(self, exc: BaseException) -> None:
        """Overridden: a directive that is misspelt, or not on the first line, is told."""
        super().show_usage_error(exc)
        execution = current_execution.get()
        code = "" if execution is None else execution.cell.code
        advice = unknown_magic(words_of(exc), code, self.magics_manager.magics["cell"])
        if advice:
            print(advice, file=sys.stderr)

    def as_interrupt(self, error: BaseException) -> BaseException:
        """Return `error`, or what stopped the cell: Stop, which cancels it, the memory, or a signal."""
        if isinstance(error, asyncio.CancelledError) and self.was_stopped():
            error = KeyboardInterrupt().with_traceback(error.__traceback__)
        execution = current_execution.get()
        if execution is None:
            return error
        limit, raised = execution.find(MemoryLimitError), execution.find(RaisedInLoop)
        if limit is not None and isinstance(error, KeyboardInterrupt):
            return limit.with_traceback(error.__traceback__)
        if raised is not None and isinstance(error, asyncio.CancelledError):
            return raised.behind(error)
        return error

    def showtraceback(
        self,
        exc_tuple: ErrorInfo | None = None,
        filename: str | None = None,
        tb_offset: int | None = None,
        exception_only: bool = False,
        running_compiled_code: bool = False,
    ) -> None:
        """Overridden: a cell that was stopped shows `KeyboardInterrupt`, `sys.exit(n)` one line."""
        _, error, trace = sys.exc_info() if exc_tuple is None else exc_tuple
        if isinstance(error, SystemExit):
            self.namespace.set_exit_code(exit_code_of(error))
            self._show_lines(error, [exit_words(error)])
            return
        if error is not None:
            trace = without_own_frames(trace, also_last=True)
            error = self.as_interrupt(error.with_traceback(trace))
            exc_tuple = (type(error), error, error.__traceback__)
            if isinstance(error, KeyboardInterrupt) and not self._is_in_cell(error):
                # It came just before or after the user's code: no line to show.
                self._show_lines(error, ["KeyboardInterrupt"])
                return
            self.explain(error)
        last = getattr(sys, "last_value", None) if error is None else error
        if last is not None and any(groups_in(last)) and not exception_only:
            self._show_lines(last, self.lines_of(last))
            return
        super().showtraceback(exc_tuple, filename, tb_offset, exception_only, running_compiled_code)

    def _show_lines(self, error: BaseException, lines: list[str]) -> None:
        self._get_exc_info((type(error), error, error.__traceback__))  # for %tb and %debug
        self._showtraceback(type(error), error, lines)

    def lines_of(self, error: BaseException) -> list[str]:
        """The traceback of `error`, also of an exception group, of which IPython only prints Python's own."""
        return lines_with_members(error, self.InteractiveTB.structured_traceback)

    def _is_in_cell(self, error: BaseException) -> bool:
        """Whether the traceback of `error` goes through a line of a cell."""
        frames = walk_tb(error.__traceback__)
        return any(self.is_cell_file(frame.f_code.co_filename) for frame, _ in frames)


def _use_stoppable_scripts(manager: MagicsManager) -> None:
    """Let `%%script`, and with it `%%bash` and the like, be ours.

    IPython makes these magics when the first of them is used (since 9.18), so it is told to make ours then.
    """
    if "ScriptMagics" in manager.registry:
        from namespace_kernel.ipython.magics.scripts import ScriptMagics

        manager.register(ScriptMagics)
        return
    kinds: tuple[Literal["line", "cell"], ...] = ("line", "cell")
    for kind in kinds:
        for name, magic in list(manager.magics[kind].items()):
            if getattr(magic, "spec", "").endswith(":ScriptMagics"):
                manager.register_lazy(name, f"{__package__}.magics.scripts:ScriptMagics", kind)


def _let_stops_end_the_loading(manager: Any) -> None:
    """Let a magic whose loading was stopped be loaded by whoever uses it next.

    IPython (since 9.18) takes it for loaded then, and no magic of its class works until a restart.
    """
    load = getattr(manager, "load_lazy", None)
    if load is None:
        return

    def load_lazy(*args: Any) -> None:
        before = manager._loaded_lazy.copy()
        try:
            load(*args)
        except BaseException:
            manager._loaded_lazy &= before
            raise

    manager.load_lazy = load_lazy
