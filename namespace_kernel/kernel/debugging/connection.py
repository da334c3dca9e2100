"""The connection to debugpy, which begins anew with each session of a debugger.

In ipykernel the next message from debugpy is taken for the answer to the last request, so one that is never
answered is waited for as long as the kernel lives. Here an answer finds its request by number, and the time
for it is bounded.

debugpy has one thread that accepts clients, which ends where it fails: then debugpy is silent until the
kernel is restarted. It fails if it cannot tell a client something: the new one, which it greets, or that of
the oldest session. Three rules here see that neither is gone.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import socket
from collections.abc import Callable

import zmq
from ipykernel.debugger import DebugpyClient, DebugpyMessageQueue
from zmq.eventloop.zmqstream import ZMQStream

from namespace_kernel.kernel.wire.request import Message

#: In milliseconds, as ZeroMQ counts.
_A_DAY = 24 * 3600 * 1000

#: Seconds that debugpy has, at most, to greet a client that is about to leave.
_GREETING = 3.0


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

        Of each client that comes, debugpy tells that of its oldest session, which might be just ending.
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
        """Wait until debugpy has greeted this client, which it may do after it has answered a request."""
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
