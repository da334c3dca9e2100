"""The debugger: ipykernel's, where no request waits for another, and Stop works at a breakpoint.

In ipykernel the debugger is started by a cell, so the control channel waits for the one that runs. Here
debugpy is started on a thread of its own.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ipykernel.compiler import get_tmp_directory
from ipykernel.debugger import Debugger
from zmq.eventloop.zmqstream import ZMQStream

from namespace_kernel.base.execution import complete
from namespace_kernel.base.frames import OWN_FOLDER
from namespace_kernel.kernel.wire.request import Message

from .answers import beside, refusal
from .connection import DebuggerError, NamespaceDebugpyClient

#: While one of these is answered, later requests wait.
_ALONE = frozenset(("initialize", "attach", "disconnect"))

T = TypeVar("T")


class NamespaceDebugger(Debugger):
    """Answers debug requests. Thread: control, if nothing else is said."""

    debugpy_client: NamespaceDebugpyClient

    def __init__(self, log: logging.Logger, debugpy_stream: ZMQStream, *args: Any, **kwargs: Any) -> None:
        super().__init__(log, debugpy_stream, *args, **kwargs)
        self.debugpy_client = NamespaceDebugpyClient(log, debugpy_stream, self._handle_event)
        self.static_debug_handlers["variables"] = (
            self.variables
        )  # the children of what `inspectVariables` tells
        self._turn = asyncio.Lock()
        self._continued = 0

    async def process_request(self, message: Message) -> Message:
        """Overridden: any failure is a reply."""
        command = message.get("command")
        try:
            async with self._turn:
                if command == "initialize" and not self.debugpy_initialized:
                    await self._listen()
                if command in _ALONE:
                    return await self._answer(message)
            return await self._answer(message)
        except Exception as error:
            known = isinstance(error, DebuggerError)
            if not known:
                self.log.warning("debug request %r failed", command, exc_info=True)
            return refusal(message, str(error) if known else f"{type(error).__name__}: {error}")

    async def _forward_message(self, msg: Message) -> Message:
        """Overridden: whatever debugpy says, one can disconnect."""
        try:
            return await self.debugpy_client.send_dap_request(msg)
        except DebuggerError as error:
            if msg["command"] != "disconnect":
                raise
            return refusal(msg, str(error))

    async def _answer(self, message: Message) -> Message:
        reply: Message = await super().process_request(message)
        return reply

    async def _listen(self) -> None:
        """Start debugpy while cells run on. Not by a cell, as super does: that would wait for them."""
        Path(get_tmp_directory()).mkdir(mode=0o700, parents=True, exist_ok=True)
        host, port = self.debugpy_client.get_host_port()

        def listen() -> None:
            import debugpy

            debugpy.listen((host, int(port)))
            self.debugpy_client.begin_oldest_session()
            _leave_out_the_kernel()

        try:
            await self._beside(listen)
        except Exception as error:
            raise DebuggerError(f"debugpy could not be started: {error}") from error
        self.debugpy_initialized = True

    async def _beside(self, function: Callable[[], T]) -> T:
        return await beside(function, self.debugpy_client.patience)

    async def inspectVariables(self, message: Message) -> Message:
        """Overridden: the user's `__repr__` runs, which must not block the control channel."""
        return await self._beside(lambda: complete(super(NamespaceDebugger, self).inspectVariables(message)))

    async def variables(self, message: Message) -> Message:
        """Overridden: the user's `__repr__` runs; and debugpy may refuse, with an answer that has no body."""
        if not self.stopped_threads:
            return await self._beside(lambda: complete(super(NamespaceDebugger, self).variables(message)))
        reply = await self._forward_message(message)
        if reply.get("success"):
            listed = reply["body"]["variables"]
            reply["body"]["variables"] = [one for one in listed if self.accept_variable(one["name"])]
        return reply

    async def richInspectVariables(self, message: Message) -> Message:
        """Overridden: the user's `__repr__` runs, which must not block the control channel."""
        if self.stopped_threads:
            reply: Message = await super().richInspectVariables(message)
            return reply
        return await self._beside(
            lambda: complete(super(NamespaceDebugger, self).richInspectVariables(message))
        )

    def _handle_event(self, msg: Message) -> None:
        """Overridden to count; and a thread that is not known to be stopped may continue."""
        if msg["event"] == "continued":
            self._continued += 1
            self.stopped_threads.add(msg["body"].get("threadId"))
        super()._handle_event(msg)

    async def handle_stopped_event(self) -> None:
        """Overridden: no failure ends the service, and a stop that is over already is not told."""
        event = await self.stopped_queue.get()
        continued = self._continued
        stopped = {event["body"]["threadId"]}
        try:
            reply = await self._forward_message({"type": "request", "command": "threads"})
            threads = reply["body"]["threads"]
            stopped.update(thread["id"] for thread in threads if self._accept_stopped_thread(thread["name"]))
        except Exception:
            self.log.warning("debugpy does not say which threads are stopped", exc_info=True)
        if continued == self._continued:
            self.stopped_threads |= stopped
            self.event_callback(event)

    def trace_this_thread(self) -> None:
        """See to it that breakpoints are hit in the calling thread, where a cell begins.

        An exception that is raised in a trace function, as Stop is at a breakpoint, ends Python's tracing of
        the thread.
        """
        if self.is_started and sys.gettrace() is None and "pydevd" in sys.modules:
            sys.modules["pydevd"].get_global_debugger().enable_tracing()

    def resume_main(self) -> None:
        """Let the main thread go on, which handles signals; not yet the others. Thread: any.

        Where one thread is at a breakpoint, debugpy holds each that comes to a line, also of a signal
        handler. And a cell that went on before it was stopped might be over by then.
        """
        if self.is_started and "_pydevd_bundle.pydevd_api" in sys.modules:
            from _pydevd_bundle.pydevd_constants import get_thread_id  # type: ignore[import-not-found]

            self._resume(get_thread_id(threading.main_thread()))

    def resume(self) -> None:
        """Let all threads go on that are stopped. Thread: any."""
        if self.is_started and "_pydevd_bundle.pydevd_api" in sys.modules:
            self._resume("*")

    def _resume(self, thread_id: str) -> None:
        from _pydevd_bundle.pydevd_api import PyDevdAPI  # type: ignore[import-not-found]

        PyDevdAPI().request_resume_thread(thread_id)


def _leave_out_the_kernel() -> None:
    """Never stop a thread in the kernel's own code, nor in ipykernel's and ZeroMQ's.

    Where one thread is at a breakpoint, debugpy holds each other one at its next line. If it held one that
    writes into a stream's buffer, the stream could not be sent.
    """
    import ipykernel
    import pydevd  # type: ignore[import-not-found]
    import zmq
    from _pydevd_bundle.pydevd_api import PyDevdAPI

    debugger = pydevd.get_global_debugger()
    known = debugger.dont_trace_external_files
    libraries = (Path(str(module.__file__)).parent for module in (ipykernel, zmq))
    own = (f"{folder}{os.sep}" for folder in (OWN_FOLDER, *libraries))
    PyDevdAPI().set_dont_trace_start_end_patterns(
        debugger, (*getattr(known, "start_patterns", ()), *own), getattr(known, "end_patterns", ())
    )
