"""`NamespaceKernel`: ipykernel's, with the protocol off the main thread and cells through the bridge."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from traitlets import Any as AnyTrait
from traitlets import Type, default

from namespace_kernel.base.originals import watch_originals
from namespace_kernel.base.patching import Patches
from namespace_kernel.ipython.compiler import CellCompiler
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.namespace.manager import AsyncNamespaceManager

from .debugging.requests import kernel_info
from .debugging.stand_in import LazyDebugger, has_debugpy
from .forked_children import ForkedChild
from .handlers import Parts, build
from .introspection import complete_on_snapshot, history_with_numbers
from .lanes.foreground import tell_replaced
from .lanes.parents import Parents
from .lent_modules import lent
from .options import KernelOptions
from .shutdown import children_that_live
from .stdin import Questions, input_patches
from .wire.request import Message
from .wire.standard_streams import StandardStreams


class NamespaceKernel(KernelOptions, IPythonKernel):
    """What ipykernel, the shell and subclasses call by name; each line says who does it."""

    implementation = "namespace_kernel"
    shell_class = Type(NamespaceShell)
    compiler_class = Type(CellCompiler)
    debugger_class: Any = Type(LazyDebugger)

    #: The store.
    namespace = AnyTrait()

    @default("namespace")
    def _default_namespace(self) -> AsyncNamespaceManager:
        return AsyncNamespaceManager(keeps_current=lambda: self.conflicts_keep == "current")

    @default("user_ns")
    def _default_user_ns(self) -> None:
        return None  # ipykernel's is a dict, which the shell would take for the namespace

    # The app gives them; optional in ipykernel's declarations.
    session: Any
    shell: Any
    shell_stream: Any
    control_stream: Any

    def __init__(self, **options: Any) -> None:
        self.streams = StandardStreams(sys.stdout, sys.stderr, lambda line: self.shell.notice(line))
        self.forked = ForkedChild(sys.stdout, sys.stderr, lambda file: self.shell.is_users_file(file))
        # ipykernel imports its debugger, and so debugpy, to know whether that is there.
        with lent("ipykernel.debugger", _is_debugpy_available=has_debugpy()):
            super().__init__(**options)
        self.parents = Parents(self, self, self.shell, self.shell_stream)
        self._questions = Questions(self.streams, self.iopub_thread, self.stdin_socket)

    def attach(self, parts: Parts) -> None:
        """Receive the parts that the app built. Thread: main, before `start`."""
        built = build(self, parts)
        self._built = built
        self.user_loop, self.interrupts, self.activities = parts.user_loop, parts.interrupts, parts.activities
        self.origins, self.comm_homes, self.gui = parts.origins, built.comm_homes, built.gui
        self.lanes, self.background, self.stops = built.lanes, built.background, built.stops
        self.ending, self.beside = built.ending, built.beside
        self.shell.configurables.append(self)

    def start(self) -> None:
        """Overridden: the shell stream is read on the protocol thread and cells wait in a queue."""
        Patches(*input_patches(self)).install()  # for good
        self.originals = watch_originals()  # with what stands in front of Python's functions
        self.shell.exit_now = False
        self.io_loop = self.shell_channel_thread.io_loop
        self.control_stream.on_recv(self.dispatch_control, copy=True)
        if self.debugpy_stream is not None:
            self.debugpy_stream.on_recv(self.dispatch_debugpy, copy=False)
            control_loop = self.control_thread.io_loop.asyncio_loop
            asyncio.run_coroutine_threadsafe(self.poll_stopped_queue(), control_loop)
        self.shell_stream.on_recv(self._built.shell_channel.receive, copy=True)
        self._publish_status("starting", "shell")

    def serve(self) -> None:
        """Run cells until the kernel is asked to end. Thread: main."""
        self.shell_channel_thread.manager.serve_foreground_here()
        self._built.foreground.serve(self.originals)

    def stop_beside(self) -> None:
        """Stop the cells beside the foreground. Thread: main, in the signal handler."""
        self.beside.stop()

    def become_child(self) -> None:
        """Called in each forked child."""
        self.forked.become(self.user_loop)
        self.lanes.foreground.cells.put(None)  # what forked between two cells returns to waiting for one

    def after_code(self, error: BaseException | None) -> None:
        """A cell's code is over: what it has taken from the kernel is put back. Thread: the cell's."""
        tell_replaced(self.shell, self.originals.look())
        self.forked.end_if_child(error)
        self.streams.restore()

    # What ipykernel calls, and subclasses override; the sources say why each is not ipykernel's

    kernel_info = property(kernel_info)
    _allow_stdin: Any = property(lambda self: self.parents.may_ask())
    _supports_kernel_subshells: Any = property(lambda self: True)

    async def dispatch_control(self, frames: list[bytes]) -> None:
        """Overridden: see `ControlChannel`."""
        await self._built.control_channel.receive(frames)

    def dispatch_debugpy(self, frames: list[Any]) -> None:
        """Overridden: what debugpy sends, whose first frame is the socket's, is for the debugger of now."""
        self.debugger.tcp_client.receive_dap_frame(frames[1].bytes.decode("utf-8"))

    async def do_debug_request(self, message: Message) -> Message | None:
        """Overridden: the answer to a debug request; `None` without debugpy."""
        return await self.debugger.process_request(message) if hasattr(self, "debugger") else None

    def do_complete(self, code: str, cursor_pos: int | None) -> Any:
        """Overridden: see `complete_on_snapshot`."""
        return complete_on_snapshot(self.shell, partial(super().do_complete, code, cursor_pos))

    def do_history(self, *args: Any, **fields: Any) -> Any:
        """Overridden: see `history_with_numbers`."""
        return history_with_numbers(self.shell, super().do_history, *args, **fields)

    async def execute_request(self, stream: Any, ident: Any, parent: Message) -> None:
        """Overridden: see `ControlChannel`."""
        self._built.control_channel.put_cell(ident, parent)

    async def shutdown_request(self, stream: Any, ident: Any, parent: Message) -> None:
        """Overridden: see `Shutdown`."""
        await self._built.shutdown.answer(stream, ident, parent)

    async def comm_info_request(self, stream: Any, ident: Any, parent: Message) -> None:
        """Overridden: see `Introspection`."""
        await self._built.introspection.answer_comm_info(stream, ident, parent)

    async def create_subshell_request(self, stream: Any, ident: Any, parent: Message) -> None:
        """Overridden: see `SubshellRequests`."""
        await self._built.subshells.create(stream, ident, parent)

    async def delete_subshell_request(self, stream: Any, ident: Any, parent: Message) -> None:
        """Overridden: see `SubshellRequests`."""
        await self._built.subshells.delete(stream, ident, parent)

    async def list_subshell_request(self, stream: Any, ident: Any, parent: Message) -> None:
        """Overridden: see `SubshellRequests`."""
        await self._built.subshells.list_ids(stream, ident, parent)

    def _input_request(self, *args: Any, **options: Any) -> str:
        """Overridden: see `Questions.ask`."""
        return self._questions.ask(partial(super()._input_request, *args, **options))

    def _forward_input(self, allow_stdin: bool = False) -> None:
        """Overridden: nothing to do per request: `input_patches` has done it for good."""

    def _restore_input(self) -> None:
        """Overridden: nothing to undo: `input_patches` stay for good."""

    def _process_children(self) -> list[Any]:
        """Overridden: see `children_that_live`."""
        return children_that_live(super()._process_children)
