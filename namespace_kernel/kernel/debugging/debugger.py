"""The debugger: ipykernel's, where no request waits for another, and Stop works at a breakpoint.

In ipykernel the debugger is started by a cell, so the control channel waits for the one that runs; the
next message from debugpy is taken for the answer to the last request, so one that is never answered is
waited for as long as the kernel lives. Here debugpy is started on a thread of its own, an answer finds its
request by number, and the time for it is bounded.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import zmq
from ipykernel.compiler import get_tmp_directory
from ipykernel.debugger import Debugger, DebugpyClient, DebugpyMessageQueue
from zmq.eventloop.zmqstream import ZMQStream

from namespace_kernel.base.execution import complete
from namespace_kernel.base.frames import OWN_FOLDER
from namespace_kernel.kernel.wire.request import Message

from .answers import beside, refusal

#: While one of these is answered, later requests wait.
_ALONE = frozenset(("initialize", "attach", "disconnect"))

#: In milliseconds, as ZeroMQ counts.
_A_DAY = 24 * 3600 * 1000

#: Seconds that debugpy has, at most, to greet a client that is about to leave.
_GREETING = 3.0

T = TypeVar("T")


class DebuggerError(Exception):
    """A debug request failed; the text is for the reply."""


class _Received(DebugpyMessageQueue):
    """Takes debugpy's messages apart and hands each to whom it concerns."""

    def __init__(
        self,
        event_callback: Callable[[Message], None],
        answered: Callable[[Message], None],
        log: logging.Logger,
    ) -> None:
        super().__init__(event_callback, log)
        self._answered = answered

    def _put_message(self, raw_msg: str) -> None:
        """Overridden: answers go to their requests, not into a queue."""
        message = json.loads(raw_msg)
        if message["type"] == "event":
            self.event_callback(message)
        else:
            self._answered(message)


class NamespaceDebugpyClient(DebugpyClient):
    """Sends requests to debugpy, each with a number of its own.

    Thread: control.
    """

    def __init__(
        self, log: logging.Logger, debugpy_stream: ZMQStream, event_callback: Callable[[Message], None]
    ) -> None:
        super().__init__(log, debugpy_stream, event_callback)
        self.message_queue = _Received(self._forward_event, self._answered, log)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        #: Seconds that debugpy has for an answer.
        self.patience = 30.0
        self._oldest_session: socket.socket | None = None
        self._greeted = asyncio.Event()

    def begin_oldest_session(self) -> None:
        """Begin a session that is never used and never ends. Thread: any; blocks.

        Of each client that comes, debugpy tells that of its oldest session. If that session is just ending,
        this fails, and so does debugpy's thread that accepts clients: it answers none that comes later.
        """
        self._oldest_session = socket.create_connection(self.get_host_port(), self.patience)
        self._oldest_session.setblocking(False)

    async def send_dap_request(self, msg: Message) -> Message:
        """Overridden: ipykernel waits for the next answer, whichever request that belongs to.

        Raises `DebuggerError` if no answer comes.
        """
        command = msg["command"]
        try:
            async with asyncio.timeout(self.patience):
                if command == "disconnect":
                    await self._wait_for_greeting()
                answer = self._post(msg)
                if command == "attach" and self.wait_for_attach:
                    await self.init_event.wait()
                    await self._post({"type": "request", "command": "configurationDone"})
                    self.wait_for_attach = False
                return {**await answer, "request_seq": msg.get("seq")}
        except TimeoutError:
            raise DebuggerError(
                f"debugpy did not answer `{command}` within {self.patience:g} seconds. Stop ends "
                "what the cell does at the breakpoint; if that does not help, restart the kernel"
            ) from None

    def connect_tcp_socket(self) -> None:
        """Overridden: where debugpy has closed, nothing connects again by itself.

        ZeroMQ would, and to debugpy that is one client more, which might leave before it is greeted. So
        ZeroMQ waits for so long; told not to at all, it would throw away what debugpy has said last.
        """
        if self._oldest_session is not None:
            with contextlib.suppress(OSError):  # there is no more to read
                while self._oldest_session.recv(65536):
                    pass
        self.debugpy_stream.socket.setsockopt(zmq.RECONNECT_IVL, _A_DAY)
        super().connect_tcp_socket()

    def disconnect_tcp_socket(self) -> None:
        """Overridden: nothing is answered any more, and what came of a message is forgotten."""
        super().disconnect_tcp_socket()
        self.message_queue = _Received(self._forward_event, self._answered, self.log)
        self._greeted = asyncio.Event()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(DebuggerError("the debugger was disconnected"))

    async def _wait_for_greeting(self) -> None:
        """Wait until debugpy has greeted this client, which it may do after it has answered a request.

        If the client is gone by then, debugpy's thread that accepts clients fails, and answers none that
        comes later.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._greeted.wait(), _GREETING)

    def _forward_event(self, msg: Message) -> None:
        """Overridden: the telemetry in debugpy's own name is the end of its greeting."""
        if msg["event"] == "output" and msg.get("body", {}).get("output") == "debugpy":
            self._greeted.set()
        super()._forward_event(msg)

    def _post(self, message: Message) -> asyncio.Future[Message]:
        number = next(self._numbers)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        future.add_done_callback(lambda _: self._waiting.pop(number, None))
        self._send_request({**message, "seq": number})
        return future

    def _answered(self, message: Message) -> None:
        future = self._waiting.get(message["request_seq"])
        if future is not None and not future.done():  # else it has come too late
            future.set_result(message)


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
