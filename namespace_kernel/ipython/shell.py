"""IPython's shell on the merge-only namespace."""

from __future__ import annotations

import ast
import asyncio
import builtins
import sys
import warnings
from traceback import walk_tb
from typing import Any

from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.events import available_events
from traitlets import Type, observe

from namespace_kernel.base.cell import Context
from namespace_kernel.base.execution import current_execution
from namespace_kernel.base.frames import unseen, without_own_frames
from namespace_kernel.base.lines import Leak
from namespace_kernel.base.words import exit_code_of, words_of
from namespace_kernel.coroutines.never_awaited import find_open
from namespace_kernel.execution.engine import exit_words
from namespace_kernel.ipython.completion.completers import CompleterPerRequest
from namespace_kernel.ipython.magics.activity import ActivityMagics
from namespace_kernel.ipython.magics.awaiting import AwaitingMagics, await_magics
from namespace_kernel.ipython.magics.cells import NamespaceMagics
from namespace_kernel.ipython.magics.variables import NamespaceTableMagic
from namespace_kernel.ipython.tracebacks.last_error import LastError
from namespace_kernel.ipython.tracebacks.traceback_formatter import LettingGoTB
from namespace_kernel.ipython.tracebacks.tracebacks import (
    from_users_line,
    groups_in,
    lines_with_members,
    misses_loop,
)
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.reports.live_variables import LiveTables

from .cell_events import CellEvents
from .cell_local import CellPayloads, PerCell
from .display import NamespaceDisplayHook, NamespaceDisplayPublisher, handled_message
from .formatting import QuickDisplayFormatter
from .history import BatchedHistory
from .reserved_names import ShellNames
from .shell_commands import ShellCommands, use_stoppable_scripts
from .source_lines import PlaceNames


class NamespaceShell(PlaceNames, CompleterPerRequest, ShellCommands, LastError, ZMQInteractiveShell):
    """The shell whose `user_ns` is the store's dict, for life."""

    displayhook_class = Type(NamespaceDisplayHook)
    display_pub_class = Type(NamespaceDisplayPublisher)

    namespace: AsyncNamespaceManager
    payload_manager: Any
    # Of two cells that overlap, each has its own.
    _last_traceback = PerCell()
    _last_traceback_during_displayhook = PerCell(False)
    #: Class name and text of the error shown last.
    last_shown = PerCell(("", ""))
    _own_count = PerCell()
    #: The error that is to be shown when the loop has gone home, and whether one is to be kept for that.
    _postponed = PerCell()
    _postpones = PerCell(False)
    #: How many codes run within one another: a cell may run another.
    _depth = PerCell(0)
    #: The cell that is to run elsewhere.
    elsewhere = PerCell()
    _next_count = 1

    def init_create_namespaces(self, user_module: Any = None, user_ns: Any = None) -> None:
        """Overridden to take the store from the kernel before anything is put into it."""
        self.namespace = self.kernel.namespace
        super().init_create_namespaces(self.namespace.module, None)
        if user_ns:
            self.namespace.update_namespace(user_ns, Context.MAIN)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Introspection happens on another thread while cells run. The trap counts its users without
        # a lock; one user that never leaves keeps the builtins (`get_ipython`) in place.
        self.builtin_trap.__enter__()
        self.builtin_trap._nested_level += 1_000_000
        builtins.cell = unseen(self._handle_of)  # type: ignore[attr-defined]
        warnings.filterwarnings("ignore", message="To exit: use 'exit'", category=UserWarning)
        self.namespace.remember_module_names()
        self.namespace.attach_engine(ShellNames(self))

    def _handle_of(self, number: int) -> Any:
        return self.kernel.background.handle(number)

    def init_display_formatter(self) -> None:
        """Overridden for the quick one."""
        self.display_formatter = QuickDisplayFormatter(parent=self)
        self.configurables.append(self.display_formatter)

    def init_events(self) -> None:
        """Overridden for the events of cells that overlap."""
        self.events = CellEvents(self, available_events)
        self.events.register("pre_execute", self._clear_warning_registry)

    def init_payload(self) -> None:
        """Overridden: of two cells that overlap, each has its own."""
        self.payload_manager = CellPayloads(parent=self)
        self.configurables.append(self.payload_manager)

    def init_history(self) -> None:
        """Overridden to write to the database in batches."""
        later = self.kernel.shell_channel_thread.call_later
        self.history_manager: Any = BatchedHistory(later, shell=self, parent=self)
        self.configurables.append(self.history_manager)

    # Numbers

    @property
    def execution_count(self) -> int:
        """Overridden: in a cell, the cell's own count, whatever other cells have begun meanwhile."""
        count: int = self._next_count if self._own_count is None else self._own_count
        return count

    @execution_count.setter
    def execution_count(self, value: int) -> None:
        if self._own_count is None or value < self._own_count:  # `%reset` begins again at 1
            self._next_count = value
        if self._own_count is not None:
            self._own_count = value

    def take_number(self, counts: bool) -> int:
        """The number of a cell that begins now. If it `counts`, the next one gets another."""
        with self.namespace.lock:
            number = self._next_count
            self._next_count += counts
        return number

    def use_number(self, number: int) -> None:
        """Let `execution_count` be `number` in the calling context, where a cell begins."""
        self._own_count = number

    # The namespace

    @property
    def user_ns(self) -> dict[str, Any]:
        """The live dict. Assigning merges: the engine's own variables live in it."""
        return self.namespace.live

    @user_ns.setter
    def user_ns(self, names: dict[str, Any]) -> None:
        if names is not self.namespace.live:
            self.namespace.update_namespace(names, Context.MAIN)

    def open_coroutines(self) -> list[tuple[Any, Leak]]:
        """The coroutines from cells that were never started, wherever they are."""
        return find_open(self.kernel.origins.leak_of)

    def reset(self, new_session: bool = True, aggressive: bool = False) -> None:
        """Overridden: the user's names go, the engine's stay, open coroutines are closed."""
        for coroutine, _ in self.open_coroutines():
            self.namespace.track(coroutine)
        self.namespace.cleanup_coroutines()
        self.namespace.remove_user_names()
        self.kernel.origins.forget()
        self.kernel.background.forget()
        super().reset(new_session, aggressive)
        self.namespace.restore_engine_names()

    def transform_cell(self, raw_cell: str) -> str:
        """Overridden to let magics await; see `magics.awaiting`."""
        return await_magics(super().transform_cell(raw_cell), self)

    async def run_ast_nodes(
        self,
        nodelist: list[ast.stmt],
        cell_name: str,
        interactivity: str = "last_expr",
        compiler: Any = compile,
        result: Any = None,
    ) -> bool:
        """Overridden for a cell that runs elsewhere: all around it is as for any other."""
        cell = self.elsewhere
        if not nodelist or cell is None or result is None or result.info.transformed_cell is not cell.source:
            return bool(await super().run_ast_nodes(nodelist, cell_name, interactivity, compiler, result))
        self.elsewhere = None
        try:
            cell.run(nodelist, cell_name, interactivity)
        except BaseException as error:
            result.error_in_exec = error
            cell.show_error(error)
            return True
        return False

    def init_magics(self) -> None:
        """Overridden for `%%bash` and the like that can be stopped, and to add our own magics."""
        super().init_magics()
        use_stoppable_scripts(self.magics_manager)
        self.register_magics(NamespaceMagics, NamespaceTableMagic, ActivityMagics)
        self.live_tables = LiveTables(self)
        self.awaiting_magics = AwaitingMagics(self)

    async def run_code(self, code_obj: Any, result: Any = None, *, async_: bool = False) -> bool:
        """Overridden to know which code is the cell's own."""
        depth = self._depth
        self._depth = depth + 1
        try:
            return bool(await super().run_code(code_obj, result, async_=async_))
        finally:
            self._depth = depth

    # Errors

    def begin_code(self, on_loop: bool) -> None:
        """A cell's code begins in the calling context. `on_loop` if its error is to be shown by
        `show_postponed`: to make a traceback may take seconds, in which no task of the loop would go on.
        """
        self._depth, self._postponed, self._postpones = 0, None, on_loop

    def show_postponed(self, number: int | None) -> None:
        """Show the error that the code of the cell of this number has ended with, if it is not shown yet."""
        self._postpones = False
        error, self._postponed = self._postponed, None
        if error is None:
            return
        self.showtraceback((type(error), error, error.__traceback__), running_compiled_code=True)
        kept = self.history_manager.exceptions
        if number in kept:
            kept[number] = self._format_exception_for_storage(error)

    def showtraceback(
        self,
        exc_tuple: Any = None,
        filename: str | None = None,
        tb_offset: int | None = None,
        exception_only: bool = False,
        running_compiled_code: bool = False,
    ) -> None:
        """Overridden: a cell that was stopped shows `KeyboardInterrupt`, `sys.exit(n)` one line."""
        if self.kernel.is_child:
            return  # it writes its error when it ends
        kind, error, trace = sys.exc_info() if exc_tuple is None else exc_tuple
        if error is None and self.says_what_was_let_go():
            return
        if running_compiled_code and self._postpones and self._depth == 1:
            self._postponed = error
            return
        if isinstance(error, SystemExit):
            self._show_exit(error)
            return
        if error is not None:
            trace = without_own_frames(trace, also_last=True)
            stopped = self.as_interrupt(error.with_traceback(trace))
            kind, error = type(stopped), stopped
            exc_tuple = (kind, error, trace)
        if isinstance(error, KeyboardInterrupt) and not self._is_in_cell(error):
            # It came just before or after the user's code: no line to show.
            self._get_exc_info(exc_tuple)
            self._showtraceback(kind, error, ["KeyboardInterrupt"])
            return
        execution = current_execution.get()
        is_plain = execution is not None and execution.route.context is Context.MAIN
        if error is not None and is_plain and misses_loop(error):
            error.add_note("This cell runs where no event loop is running. Put %%async on its first line.")
        last = getattr(sys, "last_value", None) if error is None else error
        if last is not None and any(groups_in(last)) and not exception_only:
            self._get_exc_info((type(last), last, last.__traceback__))
            self._showtraceback(type(last), last, self.lines_of(last))
            return
        super().showtraceback(exc_tuple, filename, tb_offset, exception_only, running_compiled_code)

    def init_traceback_handlers(self, custom_exceptions: Any) -> None:
        """Overridden for a formatter that lets go of the frames."""
        super().init_traceback_handlers(custom_exceptions)
        self.InteractiveTB = LettingGoTB(mode=self.xmode, theme_name=self.colors, tb_offset=1)

    def lines_of(self, error: BaseException) -> list[str]:
        """The traceback of `error`, also of an exception group, of which IPython only prints Python's own."""
        return lines_with_members(error, self.InteractiveTB.structured_traceback)

    def _is_in_cell(self, error: BaseException) -> bool:
        """Whether the traceback of `error` goes through a line of a cell."""
        frames = walk_tb(error.__traceback__)
        return any(self.is_cell_file(frame.f_code.co_filename) for frame, _ in frames)

    def as_interrupt(self, error: BaseException) -> BaseException:
        """Return `error`, or a `KeyboardInterrupt` instead, if Stop cancelled the cell by it."""
        execution = current_execution.get()
        if isinstance(error, asyncio.CancelledError) and execution is not None and execution.interrupted:
            return KeyboardInterrupt().with_traceback(error.__traceback__)
        return error

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        """Overridden for errors whose `__str__` raises, and to keep what was shown for the reply."""
        self.last_shown = (etype.__name__, words_of(evalue))
        self.kernel.restore_streams()
        super()._showtraceback(etype, self.last_shown[1], stb)

    def _format_exception_for_storage(
        self, exception: BaseException, filename: str | None = None, running_compiled_code: bool = False
    ) -> dict[str, Any]:
        """Overridden: store what was shown, rather than format the traceback a second time."""
        shown = self._last_traceback or [words_of(exception)]
        return {"ename": type(exception).__name__, "evalue": words_of(exception), "traceback": shown}

    def _show_exit(self, error: SystemExit) -> None:
        self._get_exc_info((type(error), error, error.__traceback__))  # for %tb and %debug
        self.namespace.set_exit_code(exit_code_of(error))
        self._showtraceback(type(error), error, [exit_words(error)])

    def show_task_error(self, error: BaseException) -> None:
        """Write the traceback of a task that failed to stderr. Thread: any, in the task's context."""
        self.show_failure("A task that this cell started failed:", error)

    def show_failure(self, heading: str, error: BaseException) -> None:
        """Write a traceback below a line about it. Thread: any."""
        error.__traceback__ = from_users_line(error.__traceback__, self.is_users_file)
        self._say("\n".join((heading, *self.lines_of(error))) + "\n")

    # Parents

    def get_parent(self) -> Any:
        """Overridden: in a widget's callback, the comm message.

        An Output widget captures what has this parent, and makes it the callback's; if it were the cell
        that displayed the widget, what that prints meanwhile would be captured, too.
        """
        return handled_message() or super().get_parent()

    def set_parent(self, parent: Any) -> None:
        """Overridden: a widget's callback may do so only for itself."""
        if handled_message() is None:
            super().set_parent(parent)
        else:
            self.set_thread_parent(parent)

    # Words

    def notice(self, line: str) -> None:
        """Write one line about the kernel to stderr. Thread: any."""
        self._say(f"namespace_kernel: {line}\n")

    def _say(self, text: str) -> None:
        """Write `text` to stderr at once, with nothing between; to the kernel's own if the user's fails."""
        try:
            sys.stderr.write(text)
        except BaseException:
            self.kernel._stderr.write(text)

    def enable_gui(self, gui: str | None = None) -> None:
        """Overridden: the toolkit's loop runs while the main thread waits for a cell."""
        self.kernel.gui.enable(gui, self.kernel)
        self.active_eventloop = gui

    # The end

    @observe("exit_now")
    def _update_exit_now(self, change: Any) -> None:
        """Overridden: the main thread serves a queue, not a tornado loop."""
        if change["new"]:
            self.kernel.request_exit()


# Libraries (rich, tqdm, plotly, …) tell a notebook by the class's name and module.
NamespaceShell.__name__ = NamespaceShell.__qualname__ = ZMQInteractiveShell.__name__
NamespaceShell.__module__ = ZMQInteractiveShell.__module__
