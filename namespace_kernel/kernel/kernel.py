"""`NamespaceKernel`: ipykernel's, with the protocol off the main thread and cells through the bridge."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import zmq
from ipykernel.ipkernel import IPythonKernel
from traitlets import Any as AnyTrait
from traitlets import Type, default

from namespace_kernel.attribution.redirects import redirects
from namespace_kernel.base.originals import (
    Originals,
    describe_replaced,
    keep_running,
    shield,
    watch_originals,
)
from namespace_kernel.base.patching import Patches
from namespace_kernel.coroutines.origins import Origins
from namespace_kernel.execution.bridge import ExecutionContextBridge
from namespace_kernel.execution.stop.interrupts import InterruptController
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.ipython.captures import display_capture
from namespace_kernel.ipython.compiler import CellCompiler
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.kernel.debugging.requests import DebugHandlers
from namespace_kernel.kernel.lanes.background import BackgroundCells
from namespace_kernel.kernel.lanes.gui import GuiLoop
from namespace_kernel.kernel.lanes.lanes import Lane, Lanes
from namespace_kernel.kernel.wire.request import ReplySocket, Request
from namespace_kernel.kernel.wire.standard_streams import StandardStreamHandlers
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.reports.activities import Activities

from .activity import ActivityHandlers
from .comms import CommHandlers, CommHomes
from .execute import CellHandlers
from .forked_children import ForkedChildren
from .introspection import IntrospectionHandlers
from .options import KernelOptions
from .shell_channel import Dispatcher, MessageHandlers, Worker
from .shutdown import Ending, ShutdownHandlers
from .stdin import InputHandlers
from .stop import SideCellHandlers
from .subshells import SubshellHandlers


@dataclass(frozen=True, slots=True)
class Parts:
    """What the app builds and the kernel uses. `build_bridge` makes a bridge for a subshell's context."""

    user_loop: UserLoop
    interrupts: InterruptController
    side_cells: SideCells
    origins: Origins
    activities: Activities
    gui: GuiLoop
    foreground: Lane
    before_cell: Callable[[], None]
    build_bridge: Callable[[contextvars.Context], ExecutionContextBridge]


class NamespaceKernel(
    MessageHandlers,
    ActivityHandlers,
    CellHandlers,
    SubshellHandlers,
    SideCellHandlers,
    CommHandlers,
    IntrospectionHandlers,
    InputHandlers,
    ShutdownHandlers,
    DebugHandlers,
    StandardStreamHandlers,
    ForkedChildren,
    KernelOptions,
    IPythonKernel,
):
    """Answers the protocol. What runs a cell is its lane's bridge, which the app builds."""

    implementation = "namespace_kernel"
    shell_class = Type(NamespaceShell)
    compiler_class = Type(CellCompiler)

    #: Called on the main thread before each of its cells.
    before_cell: Callable[[], None]

    #: Python's own functions, while the kernel serves.
    originals: Originals

    #: Where the coroutines of cells come from.
    origins: Origins

    #: The store.
    namespace = AnyTrait()

    # What the app gives; optional in ipykernel's declarations.
    shell_stream: Any
    control_stream: Any
    _shell_parent_ident: Any

    @default("namespace")
    def _default_namespace(self) -> AsyncNamespaceManager:
        return AsyncNamespaceManager(keeps_current=lambda: self.conflicts_keep == "current")

    @default("user_ns")
    def _default_user_ns(self) -> None:
        return None  # ipykernel's is a dict, which the shell would take for the namespace

    def attach(self, parts: Parts) -> None:
        """Receive the parts that the app built. Thread: main, before `start`."""
        self.user_loop = parts.user_loop
        self.interrupts = parts.interrupts
        self.side_cells = parts.side_cells
        self.origins = parts.origins
        self.activities = parts.activities
        self.before_cell = parts.before_cell
        self.lanes = Lanes(parts.foreground, parts.build_bridge, self.serve_cell, self.stop_lane, self._abort)
        self.background = BackgroundCells(
            self.new_background_lane,
            self.announce_cell,
            self.run_beside,
            self.answer_early,
            self.tell_cell,
            self.stop_lane,
            lambda: int(self.background_cells),
        )
        self.shell_channel_thread.manager = self.lanes
        self.shell.configurables.append(self)
        self.dispatcher = Dispatcher(
            self._parse, self._lane_of, self._submit, self._abort, self._refuse, self._expect_output, self.log
        )
        #: The request whose cell runs in the foreground.
        self.running: dict[str, Any] | None = None
        self._status_lock = threading.Lock()
        self.replies = self.shell_stream
        self.control_replies = ReplySocket(self.control_thread, self.control_stream)
        self.ending = Ending(parts.foreground.put)
        later = self.shell_channel_thread.call_later
        self._introspection = Worker("Introspection", self.answer_apart, later)
        self._records = Worker("Records", self.answer_apart, later)
        self.gui = parts.gui
        self.comm_homes = CommHomes(self, self._current_request)
        self.shell_handlers["comm_msg"] = self.comm_msg
        self.control_handlers["ps_request"] = self.ps_request

    # Service

    def start(self) -> None:
        """Overridden: the shell stream is read on the protocol thread and cells wait in a queue."""
        Patches(*self.input_patches()).install()  # for good
        self.originals = watch_originals()  # with what stands in front of Python's functions
        self.shell.exit_now = False
        self.io_loop = self.shell_channel_thread.io_loop
        self._control_lock = asyncio.Lock()
        self.control_stream.on_recv(self.dispatch_control, copy=True)
        if self.debugpy_stream is not None:
            self.debugpy_stream.on_recv(self.dispatch_debugpy, copy=False)
            control_loop = self.control_thread.io_loop.asyncio_loop
            asyncio.run_coroutine_threadsafe(self.poll_stopped_queue(), control_loop)
        self.shell_stream.on_recv(self.dispatcher.receive, copy=True)
        self._publish_status("starting", "shell")

    def serve(self) -> None:
        """Run cells until the kernel is asked to end. Thread: main."""
        self.lanes.foreground_ident = threading.get_ident()
        keep_running(self._serve_cells, self.log)
        self.iopub_thread.send_now()  # there is no next cell, for which the last idle may have waited

    def _serve_cells(self) -> None:
        while not self.ending.requested:
            request = shield(self._next_request, self._failed_between_cells)
            if request is not None:
                self.serve_cell(self.lanes.foreground, request)
                self.interrupts.end_cell()
            self.end_if_child()

    def _next_request(self) -> Request | None:
        lane = self.lanes.foreground
        # What a signal's handler or a toolkit's callback prints meanwhile appears under the last cell.
        next_cell = partial(lane.context.copy().run, self.gui.next_cell, lane.cells)
        request: Request | None = self.user_loop.anchors.wait(next_cell, partial(lane.put, None))
        if request is None:  # a step was taken, and there is no next cell for which an idle may have waited
            self.iopub_thread.send_now()
        else:
            self.originals.note_modules()
        return request

    def _failed_between_cells(self, error: BaseException, replaced: list[str]) -> None:
        """A signal's handler is called on the main thread, and may raise while no cell runs."""
        self.log.error("between two cells", exc_info=error)
        self._tell("Between two cells a signal's handler, or what ran then, failed:", error)
        self._tell_replaced(replaced)

    def toolkit_failed(self, error: BaseException) -> None:
        """Tell the user why `%gui`'s toolkit is given up. Thread: main."""
        self._tell("The toolkit of %gui failed, and is not run any more:", error)

    def _tell(self, heading: str, error: BaseException) -> None:
        """Show an error that no cell had, under the last one. Thread: main."""
        self.lanes.foreground.context.copy().run(self.shell.show_failure, heading, error)
        self.flush_output()

    def _tell_replaced(self, replaced: list[str]) -> None:
        if replaced:
            self.shell.notice(describe_replaced(replaced))

    def after_code(self, error: BaseException | None) -> None:
        """A cell's code is over: what it has taken from the kernel is put back. Thread: the cell's."""
        self._tell_replaced(self.originals.look())
        self.end_if_child(error)
        self.restore_streams()

    def _expect_output(self) -> None:
        self.iopub_thread.look_soon(self.io_loop.call_later)

    def request_exit(self) -> None:
        """End after the running cell (`exit()`). Thread: any."""
        self.ending.request()

    def drain_shell_channel(self) -> None:
        """Let everything that has arrived on the shell channel be sorted. Thread: any but protocol."""
        drained = threading.Event()

        def drain() -> None:
            self.shell_stream.flush(zmq.POLLIN)
            drained.set()

        self.io_loop.add_callback(drain)
        drained.wait()

    # Output

    def _current_request(self) -> Request:
        """The request that the calling code belongs to."""
        ident = self._get_shell_context_var(self._shell_parent_ident)
        return Request(ident, self.get_parent("shell"), self.replies)

    def adopt(self, request: Request) -> None:
        """Let output in the calling context go to `request`, and nowhere else. Thread: any."""
        self._shell_parent.set(request.message)
        self._shell_parent_ident.set(request.idents)
        self.shell.set_thread_parent(request.message)

    def threads_inherit(self) -> bool:
        """Whether what a thread prints is to go to the cell that is calling.

        nbclient (nbconvert, papermill) drops what comes for a cell after its end. It is known by what it
        does not send, an id of the cell and leave to ask for input; for it, threads print as in ipykernel.
        """
        parent = self.get_parent("shell") or {}
        content, metadata = parent.get("content") or {}, parent.get("metadata") or {}
        listens = bool(content.get("allow_stdin")) or "cellId" in metadata
        return self.thread_output == "starter" and listens

    def variables_of_output(self) -> list[contextvars.ContextVar[Any]]:
        """The context variables that say to which cell output goes."""
        shell = self.shell
        owners = [shell, shell.displayhook, shell.display_pub, self._stdout, self._stderr]
        return [
            self._shell_parent,
            self._shell_parent_ident,
            *(owner._parent_header for owner in owners if hasattr(owner, "_parent_header")),
            redirects,
            display_capture,
        ]
