"""`NamespaceKernel`: ipykernel's, with the protocol off the main thread and cells through the bridge."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
import traceback
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.jsonutil import json_clean
from traitlets import Any as AnyTrait
from traitlets import Type, default

from .bridge import ExecutionContextBridge
from .cell import Cell, Context, Route
from .engine import words_of
from .executors import Execution, UserLoop, complete
from .executors.base import current_execution
from .interrupts import InterruptController
from .introspection import IntrospectionHandlers
from .namespace import AsyncNamespaceManager
from .protocol import COMM_MESSAGES, INTROSPECTION, RECORDS, Dispatcher, ReplySocket, Request, Worker
from .shell import NamespaceShell
from .shutdown import Ending
from .stdin import InputHandlers

#: Seconds from a `shutdown_request` to the process's end, at most. jupyter_client kills after 5.
_SHUTDOWN_TIME = 4.0

#: What a comm's callback runs as: nobody's cell, so that Stop does not reach the tasks it starts.
_SIDE_CALL = Route(Context.ASYNC, "it accompanies the cells", "")


class NamespaceKernel(IntrospectionHandlers, InputHandlers, IPythonKernel):
    """Answers the protocol. What runs a cell is the bridge, which the app attaches."""

    implementation = "namespace_kernel"
    shell_class = Type(NamespaceShell)

    #: The store; the app's, if there is one.
    namespace = AnyTrait()

    # What the app gives; optional in ipykernel's declarations.
    shell_stream: Any
    control_stream: Any
    _shell_parent_ident: Any

    bridge: ExecutionContextBridge
    user_loop: UserLoop
    foreground: contextvars.Context
    interrupts: InterruptController

    @default("namespace")
    def _default_namespace(self) -> AsyncNamespaceManager:
        return getattr(self.parent, "namespace", None) or AsyncNamespaceManager()

    @default("user_ns")
    def _default_user_ns(self) -> None:
        return None  # ipykernel's is a dict, which the shell would take for the namespace

    def attach(
        self,
        bridge: ExecutionContextBridge,
        user_loop: UserLoop,
        foreground: contextvars.Context,
        interrupts: InterruptController,
    ) -> None:
        """Receive the parts that the app built. Thread: main, before `start`."""
        self.bridge = bridge
        self.user_loop = user_loop
        self.foreground = foreground
        self.interrupts = interrupts
        self.dispatcher = Dispatcher(self._parse, self._submit, self._abort, self.log)
        self.replies = ReplySocket(self.shell_channel_thread, self.shell_stream)
        self.control_replies = ReplySocket(self.control_thread, self.control_stream)
        self.ending = Ending(self.dispatcher.cells)
        self._introspection = Worker("Introspection", self._answer)
        self._records = Worker("Records", self._answer)

    # Service

    @property
    def _supports_kernel_subshells(self) -> bool:
        return False

    def start(self) -> None:
        """Overridden: the shell stream is read on the protocol thread and cells wait in a queue."""
        self.shell.exit_now = False
        self.io_loop = self.shell_channel_thread.io_loop
        self._control_lock = asyncio.Lock()
        self.control_stream.on_recv(self.dispatch_control, copy=False)
        if self.debugpy_stream is not None:
            self.debugpy_stream.on_recv(self.dispatch_debugpy, copy=False)
            control_loop = self.control_thread.io_loop.asyncio_loop
            asyncio.run_coroutine_threadsafe(self.poll_stopped_queue(), control_loop)
        self.shell_stream.on_recv(self.dispatcher.receive, copy=False)
        self._publish_status("starting", "shell")

    def serve(self) -> None:
        """Run cells until the kernel is asked to end. Thread: main."""
        while not self.ending.requested:
            request = self.dispatcher.cells.get()
            if request is not None:
                self.interrupts.begin_cell()
                self._serve_cell(request)
                self.interrupts.end_cell()

    def request_exit(self) -> None:
        """End after the running cell (`exit()`). Thread: any."""
        self.ending.request()

    async def shutdown_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Overridden: a running cell is ended first, and the whole ends in bounded time.

        Thread: control.
        """
        self.ending.watch(_SHUTDOWN_TIME)
        await self.ending.end_main_thread(_SHUTDOWN_TIME / 2)
        try:
            await super().shutdown_request(stream, ident, parent)
        finally:
            self.ending.replied.set()

    async def do_shutdown(self, restart: bool) -> dict[str, Any]:
        """Overridden: the queue that main serves is ended by `shutdown_request`."""
        return {"status": "ok", "restart": restart}

    # Messages; all on the protocol thread but `_answer`, which the workers call too

    def _parse(self, frames: list[Any]) -> Request | None:
        if not self.session:
            return None
        try:
            idents, parts = self.session.feed_identities(frames, copy=False)
            message = self.session.deserialize(parts, content=True, copy=False)
            message["header"]["msg_type"]
        except Exception as error:
            # A message that cannot be read has no sender to answer to.
            self.log.error("invalid message on the shell channel, ignored: %s", error)
            return None
        return Request(idents, message, self.replies)

    def _submit(self, request: Request) -> None:
        if request.kind in INTROSPECTION:
            self._introspection.submit(request)
        elif request.kind in RECORDS:
            self._records.submit(request)
        elif request.kind in COMM_MESSAGES:
            self.user_loop.loop.call_soon_threadsafe(self._answer_comm, request, context=self._side_context())
        else:
            self._answer(request)

    def _side_context(self) -> contextvars.Context:
        """The foreground's variables, for code that runs beside the cells."""
        return self.foreground.copy()

    def _answer_comm(self, request: Request) -> None:
        """Thread: the one that runs the user loop."""
        execution = Execution(Cell("", request.kind), _SIDE_CALL)
        execution.finished = True
        current_execution.set(execution)
        self._shell_parent.set(request.message)
        self._shell_parent_ident.set(request.idents)
        self.shell.set_thread_parent(request.message)
        self._answer(request)

    def _answer(self, request: Request) -> None:
        message = request.message
        self._publish_status("busy", "shell", parent=message)
        handler = self.shell_handlers.get(request.kind)
        try:
            if handler is None:
                self.log.warning("unknown message type %r, ignored", request.kind)
            else:
                result = handler(request.replies, request.idents, message)
                if result is not None:
                    complete(result)
        except Exception as error:
            self.log.exception("%s failed", request.kind)
            if request.kind.endswith("_request"):
                self._send_error(request, error)
        finally:
            if request.kind in COMM_MESSAGES:
                self._flush_output()
            self._publish_status("idle", "shell", parent=message)

    def _send_error(self, request: Request, error: BaseException) -> None:
        content = {
            "status": "error",
            "ename": type(error).__name__,
            "evalue": str(error),
            "traceback": traceback.format_exception_only(error),
        }
        kind = request.kind.replace("_request", "_reply")
        self.session.send(request.replies, kind, content, request.message, ident=request.idents)

    def _abort(self, request: Request) -> None:
        self._publish_status("busy", "shell", parent=request.message)
        self._send_abort_reply(request.replies, request.message, request.idents)
        self._publish_status("idle", "shell", parent=request.message)

    def _flush_output(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()

    # Cells; all on the main thread

    async def execute_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Overridden for the control channel: the cell waits with the others, whichever way it came."""
        self.dispatcher.cells.put(Request(ident, parent, self.control_replies))

    def _serve_cell(self, request: Request) -> None:
        message = request.message
        sys.stdout, sys.stderr = sys.stdout or self._stdout, sys.stderr or self._stderr  # a cell may set None
        self.foreground.run(self.set_parent, request.idents, message, "shell")
        self._publish_status("busy", "shell", parent=message)
        metadata = self.init_metadata(message)
        try:
            content = self._execute(message)
        except Exception as error:
            self.log.exception("an execute_request failed outside the cell's code")
            content = {"status": "error", "ename": type(error).__name__, "evalue": words_of(error)}
            content["traceback"] = traceback.format_exception(error)
        self._flush_output()
        content = json_clean(content)
        metadata = self.finish_metadata(message, metadata, content)

        def finish() -> None:
            self.session.send(
                request.replies, "execute_reply", content, message, metadata=metadata, ident=request.idents
            )
            self._publish_status("idle", "shell", parent=message)

        asked = message["content"]
        if content["status"] == "error" and not asked.get("silent") and asked.get("stop_on_error", True):
            self._finish_failed(finish)
        else:
            finish()

    def _finish_failed(self, finish: Any) -> None:
        done = threading.Event()

        def on_protocol_thread() -> None:
            try:
                self.dispatcher.finish_failed(self.shell_stream, finish, self.stop_on_error_timeout)
            finally:
                done.set()

        self.io_loop.add_callback(on_protocol_thread)
        done.wait()

    def _execute(self, message: dict[str, Any]) -> dict[str, Any]:
        content, metadata = message["content"], message.get("metadata") or {}
        code = content.get("code")
        if not isinstance(code, str):
            raise TypeError(f"an execute_request must have a string `code`, not {code!r}")
        silent = bool(content.get("silent", False))
        if not silent:
            self._publish_execute_input(code, message, self.shell.execution_count)
        cell = Cell(
            code,
            f"In [{self.shell.execution_count}]",
            tags=frozenset(tag for tag in metadata.get("tags") or () if isinstance(tag, str)),
            silent=silent,
            store_history=bool(content.get("store_history", not silent)) and not silent,
            cell_id=metadata.get("cellId"),
            metadata=metadata,
        )
        outcome = complete(self.bridge.execute(cell))
        return self._reply_to(outcome, content.get("user_expressions") or {})

    def _reply_to(self, outcome: Any, user_expressions: dict[str, str]) -> dict[str, Any]:
        shell = self.shell
        reply: dict[str, Any] = {"status": "ok", "execution_count": shell.execution_count - 1}
        if outcome.succeeded and not shell._last_traceback_during_displayhook:
            reply["user_expressions"] = self.foreground.run(shell.user_expressions, user_expressions)
        else:
            reply |= {
                "status": "error",
                "ename": shell.last_shown[0] if outcome.succeeded else type(outcome.error).__name__,
                "evalue": shell.last_shown[1] if outcome.succeeded else words_of(outcome.error),
                "traceback": shell._last_traceback or [],
                "engine_info": {"engine_uuid": self.ident, "engine_id": self.int_id, "method": "execute"},
                "user_expressions": {},
            }
        reply["payload"] = shell.payload_manager.read_payload()
        shell.payload_manager.clear_payload()
        return reply
