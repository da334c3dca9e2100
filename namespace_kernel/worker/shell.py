"""IPython's shell in a process that runs cells of a kernel: what it would show becomes events."""

from __future__ import annotations

import asyncio
import builtins
import getpass
import linecache
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from traitlets import Type
from traitlets.config import Config

from namespace_kernel.ipython.cell_shell import CellShell
from namespace_kernel.remote.transfer.messages import CellRequest, Cleared, Content, Displayed, Event

_VIEW = "application/vnd.jupyter.widget-view+json"


def _without_widget(data: Mapping[str, object]) -> Content:
    """A widget's page knows nothing of a process that it cannot speak to: its text remains."""
    return {mime: one for mime, one in data.items() if mime != _VIEW}


class RemoteDisplayHook(DisplayHook):
    """Says what a result looks like; `_` and `Out` are the kernel's."""

    shell: RemoteShell

    def quiet(self) -> bool:
        """Overridden: the history does not know the cell."""
        shell = self.shell
        return bool(self.semicolon_at_end_of_expression(shell.request.source))

    def __call__(self, result: object = None) -> None:
        """Overridden: the kernel shows the result, and `_` and `Out` are only there."""
        if result is None or self.quiet():
            return
        data, metadata = self.compute_format_data(result)
        self.fill_exec_result(result)
        if data:
            shell = self.shell
            shell.emit(Displayed(_without_widget(data), metadata, is_result=True))


class RemotePublisher(DisplayPublisher):
    """Says what is displayed."""

    shell: RemoteShell

    def publish(
        self,
        data: Content,
        metadata: Content | None = None,
        *args: object,
        transient: Content | None = None,
        update: bool = False,
        **options: object,
    ) -> None:
        """Overridden: no frontend listens to this process; the kernel passes it on."""
        shell = self.shell
        shell.emit(Displayed(_without_widget(data), dict(metadata or {}), transient, update))

    def clear_output(self, wait: bool = False) -> None:
        """Overridden: the output to clear is under the kernel's cell."""
        shell = self.shell
        shell.emit(Cleared(wait))


class RemoteCompiler(CachingCompiler):
    """Calls the cell what the kernel calls it."""

    cell_name = ""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        """Overridden: a traceback names the cell as in the kernel.

        The name is used once. What the cell then runs by `run_cell` is other code, with a name of its own.
        """
        name, self.cell_name = self.cell_name, ""
        return name or super().get_code_name(raw_code, transformed_code, number)

    def know(self, filename: str, number: int, source: str) -> None:
        """Let `filename` be the cell `number` in tracebacks."""
        self._filename_map[filename] = number
        lines = [line + "\n" for line in source.splitlines()]
        linecache.cache[filename] = (len(source), None, lines, filename)


class RemoteShell(CellShell):
    """One per process. `begin` before each cell.

    Thread: the one that runs cells.
    """

    displayhook_class = Type(RemoteDisplayHook)
    display_pub_class = Type(RemotePublisher)
    compiler_class = Type(RemoteCompiler)

    request: CellRequest
    emit: Callable[[Event], None]
    #: Whether Stop was pressed for the cell.
    stopping = False
    #: The lines of the traceback shown last.
    shown: tuple[str, ...] = ()
    exit_code: int | None = None
    own_publisher: Any

    @classmethod
    def start(cls) -> RemoteShell:
        """The shell of this process."""
        shell = cls.instance(config=Config({"HistoryManager": {"enabled": False}}))
        shell.loop_runner = asyncio.run
        shell.namespace = shell  # who is told exit codes
        shell.own_publisher = shell.display_pub
        builtins.input = getpass.getpass = _refuse_input
        sys.breakpointhook = _refuse_debugger
        return shell

    def begin(self, request: CellRequest, module: ModuleType, emit: Callable[[Event], None]) -> None:
        """Take over what the kernel's shell is like, and `module` as the namespace.

        What would be shown goes to `emit`.
        """
        self.request, self.emit = request, emit
        self.display_pub = self.own_publisher  # a Stop may have come before the end of a capture
        self.stopping, self.shown, self.exit_code = False, (), None
        self.execution_count = request.number
        self.user_module = module
        self.user_ns = module.__dict__
        self.user_ns |= {
            "get_ipython": self.get_ipython,
            "exit": _leave,
            "quit": _leave,
            "_dh": [os.getcwd()],
            "__builtins__": builtins,
        }
        sys.modules["__main__"] = module
        self.compile.reset_compiler_flags()
        self.compile.flags |= request.flags
        compiler: Any = self.compile
        for filename, (number, source) in request.files.items():
            compiler.know(filename, number, source)
        compiler.cell_name = request.filename
        settings = request.settings
        self.ast_node_interactivity = settings.get("interactivity", self.ast_node_interactivity)
        self.colors = settings.get("colors", self.colors)
        if "xmode" in settings:
            self.InteractiveTB.set_mode(settings["xmode"])

    def leave_out(self, reasons: Mapping[str, str]) -> None:
        """Let the cell know why it has not some of the names."""
        self.request = replace(self.request, left_out={**self.request.left_out, **reasons})

    def set_exit_code(self, code: int) -> None:
        """What `_exit_code` will be in the kernel."""
        self.exit_code = self.user_ns["_exit_code"] = code

    def ask_exit(self) -> None:
        """`exit()` ends the cell; the kernel goes on."""
        raise SystemExit(0)

    def enable_gui(self, gui: object = None) -> None:
        """Overridden: no toolkit's loop runs here; `%matplotlib inline` calls this, too."""

    # Errors

    def _showtraceback(self, etype: object, evalue: object, stb: Iterable[str]) -> None:
        """Overridden: the kernel shows it."""
        self.shown = tuple(stb)

    def was_stopped(self) -> bool:
        """See `CellShell`: one cell runs here, and the kernel says whether it is to stop."""
        return self.stopping

    def explain(self, error: BaseException) -> None:
        """See `CellShell`: a `NameError` about a name that the kernel has left out says why."""
        request = self.request
        for one in _chain(error):
            name = getattr(one, "name", None)
            if type(one) is not NameError or not isinstance(name, str):
                continue
            why = request.left_out.get(name)
            if why is not None:
                one.args = (f"name {name!r} is not defined in {request.place}: {why}",)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """`error`, what it came from, and the members of groups among them."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions


def _leave(code: object = 0) -> None:
    raise SystemExit(code)


def _refuse_input(*args: object, **options: object) -> str:
    raise RuntimeError(
        "a cell that runs elsewhere cannot ask for input; ask in a cell of its own, bind the answer to a "
        "name, and use the name here"
    )


def _refuse_debugger(*args: object, **options: object) -> None:
    raise RuntimeError(
        "there is no debugger in a cell that runs elsewhere; run the cell here (without %%isolated) to debug"
    )


# As the kernel's: libraries tell a notebook by the class's name and module.
RemoteShell.__name__ = RemoteShell.__qualname__ = "ZMQInteractiveShell"
RemoteShell.__module__ = "ipykernel.zmqshell"
