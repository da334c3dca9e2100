"""`NamespaceKernel`: ipykernel's, with the protocol off the main thread and cells through the bridge."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import zmq
from ipykernel.ipkernel import IPythonKernel
from traitlets import Instance, Type, default

from namespace_kernel.base.asyncio_tasks import snapshot
from namespace_kernel.base.execution import Execution
from namespace_kernel.base.originals import watch_originals
from namespace_kernel.base.patching import Patches
from namespace_kernel.ipython.compiler import CellCompiler
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.namespace.manager import AsyncNamespaceManager

from .debugging.requests import kernel_info
from .debugging.stand_in import LazyDebugger, has_debugpy
from .forked_children import ForkedChild
from .handlers import Parts, answered_by, build
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

    namespace = Instance(AsyncNamespaceManager)

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

    def __init__(self, **options: object) -> None:
        self.streams = StandardStreams(sys.stdout, sys.stderr, lambda line: self.shell.notice(line))
        self.forked = ForkedChild(sys.stdout, sys.stderr, lambda file: self.shell.is_users_file(file))
        # ipykernel imports its debugger, and so debugpy, to know whether that is there.
        with lent("ipykernel.debugger", _is_debugpy_available=has_debugpy()):
            super().__init__(**options)
        self.parents = Parents(self, self, self.shell, self.shell_stream)
        self._questions = Questions(self.streams, self.iopub_thread, self.stdin_socket)

    def attach(self, parts: Parts) -> None:
        """Receive the parts that the app built. Thread: main, before `start`."""
        self.built = built = build(self, parts)
        self.interrupts, self.activities, self.origins = parts.interrupts, parts.activities, parts.origins
        self.durability = parts.durability
        self.user_loop = parts.user_loop.loop
        self.iopub_thread.kept.limit = lambda: self.kept_output * 2**20
        cells, self.comm_homes = built.cells, built.others.comm_homes
        self.gui, self.lanes, self.stops = cells.gui, cells.lanes, cells.stops
        self.background, self.beside, self.ending = cells.background, cells.beside, cells.ending
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
        self.shell_channel_thread.watch(self.stdin_socket.FD, self._questions.drop_unasked)
        self.shell_stream.on_recv(self.built.shell_channel.receive, copy=True)
        self._publish_status("starting", "shell")

    def serve(self) -> None:
        """Run cells until the kernel is asked to end. Thread: main."""
        self.shell_channel_thread.manager.serve_foreground_here()
        self.built.cells.foreground.serve(self.originals)

    def after_code(self, error: BaseException | None) -> None:
        """A cell's code is over: what it has taken from the kernel is put back. Thread: the cell's."""
        tell_replaced(self.shell, self.originals.look())
        self.forked.end_if_child(error)
        self.streams.restore()

    def stop_cell(self, is_meant: Callable[[Execution], bool]) -> bool:
        """Stop the running cell that `is_meant`; whether there is one. Thread: any."""
        while True:
            turn = self.interrupts.turn  # first: what is found then has this turn, or a later one
            running = [one for one in snapshot(self.lanes.foreground.bridge.running) if is_meant(one)]
            if not any(execution.cell.lane_id is None for execution in running):
                break
            if self.interrupts.stop_turn(turn):
                return True
        if running:
            self.stops.stop(is_meant)
        return bool(running)

    # What ipykernel calls, and subclasses override; the sources say why each is not ipykernel's

    kernel_info = property(kernel_info)
    _allow_stdin: Any = property(lambda self: self.parents.may_ask())
    _supports_kernel_subshells: Any = property(lambda self: True)

    async def dispatch_control(self, frames: list[bytes]) -> None:
        """Overridden: see `ControlChannel`."""
        await self.built.control_channel.receive(frames)

    def dispatch_debugpy(self, frames: list[zmq.Frame]) -> None:
        """Overridden: ipykernel's imports its debugger. The first frame is the socket's."""
        self.debugger.tcp_client.receive_dap_frame(frames[1].bytes.decode("utf-8"))

    async def do_debug_request(self, message: Message) -> Message | None:
        """Overridden for the same reason; `None` without debugpy."""
        return await self.debugger.process_request(message) if hasattr(self, "debugger") else None

    def do_complete(self, code: str, cursor_pos: int | None) -> Any:
        """Overridden: see `complete_on_snapshot`."""
        return complete_on_snapshot(self.shell, partial(super().do_complete, code, cursor_pos))

    def do_history(self, *args: Any, **fields: Any) -> Any:
        """Overridden: see `history_with_numbers`."""
        return history_with_numbers(self.shell, super().do_history, *args, **fields)

    execute_request = answered_by(lambda built: built.control_channel.put_cell)
    shutdown_request = answered_by(lambda built: built.others.shutdown.answer)
    comm_info_request = answered_by(lambda built: built.others.introspection.answer_comm_info)
    create_subshell_request = answered_by(lambda built: built.others.subshells.create)
    delete_subshell_request = answered_by(lambda built: built.others.subshells.delete)
    list_subshell_request = answered_by(lambda built: built.others.subshells.list_ids)

    def _input_request(self, *args: object, **options: object) -> str:
        """Overridden: see `Questions`."""
        return self._questions.ask(partial(super()._input_request, *args, **options))

    def _forward_input(self, allow_stdin: bool = False) -> None:
        """Overridden: nothing to do per request, `input_patches` have done it for good."""

    _restore_input = _forward_input

    def _process_children(self) -> list[Any]:
        """Overridden: see `children_that_live`."""
        return children_that_live(super()._process_children)
