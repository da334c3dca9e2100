"""IPython's shell on the merge-only namespace."""

from __future__ import annotations

import ast
import builtins
import sys
import warnings
from collections.abc import Callable
from types import CodeType
from typing import Any

from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.events import available_events
from traitlets import Type, observe

from namespace_kernel.base.cell import Context, Namespace
from namespace_kernel.base.frames import unseen
from namespace_kernel.base.lines import Leak, NativeCoroutine
from namespace_kernel.base.words import words_of
from namespace_kernel.coroutines.never_awaited import find_open
from namespace_kernel.ipython.completion.completers import CompleterPerRequest
from namespace_kernel.ipython.magics.activity import ActivityMagics
from namespace_kernel.ipython.magics.awaiting import await_magics
from namespace_kernel.ipython.magics.cells import NamespaceMagics
from namespace_kernel.ipython.magics.durable import DurableMagics
from namespace_kernel.ipython.magics.output import OutputMagic
from namespace_kernel.ipython.magics.variables import NamespaceTableMagic
from namespace_kernel.ipython.tracebacks.last_error import LastError
from namespace_kernel.ipython.tracebacks.tracebacks import from_users_line
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.reports.advice.advice import advice_on
from namespace_kernel.reports.live_variables import LiveTables

from .cell_events import CellEvents
from .cell_local import CellNumbers, CellPayloads, PerCell
from .cell_shell import CellShell, ErrorInfo
from .display import Message, NamespaceDisplayHook, NamespaceDisplayPublisher, handled_message
from .formatting import QuickDisplayFormatter
from .history import BatchedHistory
from .reserved_names import ShellNames
from .source_lines import blank_at_top


class NamespaceShell(CellNumbers, CompleterPerRequest, LastError, CellShell, ZMQInteractiveShell):
    """The shell whose `user_ns` is the store's dict, for life."""

    displayhook_class = Type(NamespaceDisplayHook)
    display_pub_class = Type(NamespaceDisplayPublisher)

    namespace: AsyncNamespaceManager
    events: CellEvents
    payload_manager: Any
    # Of two cells that overlap, each has its own.
    _last_traceback = PerCell()
    _last_traceback_during_displayhook = PerCell(False)
    #: Class name and text of the error shown last.
    last_shown = PerCell(("", ""))
    #: The error that is to be shown when the loop has gone home, and whether one is to be kept for that.
    _postponed = PerCell()
    _postpones = PerCell(False)
    #: How many codes run within one another: a cell may run another.
    _depth = PerCell(0)
    #: The cell that is to run elsewhere.
    elsewhere = PerCell()

    def init_create_namespaces(self, user_module: object = None, user_ns: Namespace | None = None) -> None:
        """Overridden to take the store from the kernel before anything is put into it."""
        self.namespace = self.kernel.namespace
        super().init_create_namespaces(self.namespace.module, None)
        if user_ns:
            self.namespace.update_namespace(user_ns, Context.MAIN)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        # Introspection happens on another thread while cells run. The trap counts its users without
        # a lock; one user that never leaves keeps the builtins (`get_ipython`) in place.
        self.builtin_trap.__enter__()
        self.builtin_trap._nested_level += 1_000_000
        builtins.cell = unseen(self._handle_of)  # type: ignore[attr-defined]
        warnings.filterwarnings("ignore", message="To exit: use 'exit'", category=UserWarning)
        self.namespace.remember_module_names()
        self.namespace.attach_engine(ShellNames(self))

    def _handle_of(self, number: int) -> object:
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

    # The namespace

    @property
    def user_ns(self) -> Namespace:
        """The live dict. Assigning merges: the engine's own variables live in it."""
        return self.namespace.live

    @user_ns.setter
    def user_ns(self, names: Namespace) -> None:
        if names is not self.namespace.live:
            self.namespace.update_namespace(names, Context.MAIN)

    def open_coroutines(self) -> list[tuple[NativeCoroutine, Leak]]:
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
        """Overridden to let magics await (see `magics.awaiting`), and to count lines as the editor does.

        IPython drops those that are blank at the top, unless ipykernel's debugger is attached.
        """
        code = super().transform_cell(raw_cell)
        return "\n" * (blank_at_top(raw_cell) - blank_at_top(code)) + await_magics(code, self)

    async def run_ast_nodes(
        self,
        nodelist: list[ast.stmt],
        cell_name: str,
        interactivity: str = "last_expr",
        compiler: Callable[..., object] = compile,
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
        """Overridden to add our own magics."""
        super().init_magics()
        self.register_magics(NamespaceMagics, NamespaceTableMagic, ActivityMagics, OutputMagic, DurableMagics)
        self.live_tables = LiveTables(self)

    async def run_code(self, code_obj: CodeType, result: object = None, *, async_: bool = False) -> bool:
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
        exc_tuple: ErrorInfo | None = None,
        filename: str | None = None,
        tb_offset: int | None = None,
        exception_only: bool = False,
        running_compiled_code: bool = False,
    ) -> None:
        """Overridden for errors that are shown later, or not at all."""
        if self.kernel.forked.is_child:
            return  # it writes its error when it ends
        error = (sys.exc_info() if exc_tuple is None else exc_tuple)[1]
        if error is None and self.says_what_was_let_go():
            return
        if running_compiled_code and self._postpones and self._depth == 1:
            self._postponed = error
        else:
            super().showtraceback(exc_tuple, filename, tb_offset, exception_only, running_compiled_code)

    def advise(self, error: BaseException) -> str | None:
        """See `CellShell`: the kernel has a loop."""
        return advice_on(error, self, self.kernel.user_loop)

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        """Overridden for errors whose `__str__` raises, and to keep what was shown for the reply."""
        self.last_shown = (etype.__name__, words_of(evalue))
        self.kernel.streams.restore()
        super()._showtraceback(etype, self.last_shown[1], stb)

    def _format_exception_for_storage(
        self, exception: BaseException, filename: str | None = None, running_compiled_code: bool = False
    ) -> dict[str, Any]:
        """Overridden: store what was shown, rather than format the traceback a second time."""
        shown = self._last_traceback or [words_of(exception)]
        return {"ename": type(exception).__name__, "evalue": words_of(exception), "traceback": shown}

    def show_task_error(self, error: BaseException, what: str = "task") -> None:
        """Write the traceback of a task or callback that failed to stderr. Thread: any, in its context."""
        began = "scheduled" if what == "callback" else "started"
        self.show_failure(f"A {what} that this cell {began} failed:", error)

    def show_failure(self, heading: str, error: BaseException) -> None:
        """Write a traceback below a line about it. Thread: any."""
        error.__traceback__ = from_users_line(error.__traceback__, self.is_users_file)
        self._say("\n".join((heading, *self.lines_of(error))) + "\n")

    # Parents

    def get_parent(self) -> object:
        """Overridden: in a widget's callback, the comm message.

        An Output widget captures what has this parent, and makes it the callback's; if it were the cell
        that displayed the widget, what that prints meanwhile would be captured, too.
        """
        return handled_message() or super().get_parent()

    def set_parent(self, parent: Message) -> None:
        """Overridden: a widget's callback may do so only for itself."""
        if handled_message() is not None:
            self.set_thread_parent(parent)
            return
        super().set_parent(parent)
        for stream in self.kernel.streams.hidden():
            stream.set_parent(parent)

    def set_thread_parent(self, parent: Message) -> tuple[Any, ...]:
        """Overridden: a stream that a cell has put in place of ours may write to it, and not know parents."""
        for stream in self.kernel.streams.hidden():
            stream.set_thread_parent(parent)
        tokens: tuple[Any, ...] = super().set_thread_parent(parent)
        return tokens

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
    def _update_exit_now(self, change: dict[str, object]) -> None:
        """Overridden: the main thread serves a queue, not a tornado loop."""
        if change["new"]:
            self.kernel.ending.request()


# Libraries (rich, tqdm, plotly, …) tell a notebook by the class's name and module.
NamespaceShell.__name__ = NamespaceShell.__qualname__ = ZMQInteractiveShell.__name__
NamespaceShell.__module__ = ZMQInteractiveShell.__module__
