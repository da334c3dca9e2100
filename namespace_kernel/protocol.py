"""The protocol thread: receives shell messages, sorts them by who answers, sends replies.

It runs no user code, so nothing that a cell does keeps a reply, a completion or Stop waiting.

| message                                         | answered by                              |
|-------------------------------------------------|------------------------------------------|
| `execute_request`                               | the main thread, one after the other     |
| `complete_request`, `inspect_request`           | the introspection worker                 |
| `is_complete_request`, `history_request`        | a second worker: transformers, SQLite    |
| `comm_open`, `comm_msg`, `comm_close`           | the user loop, one after the other       |
| everything else                                 | the protocol thread itself               |
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import zmq
from ipykernel.thread import BaseThread
from zmq.eventloop.zmqstream import ZMQStream

COMM_MESSAGES = frozenset(("comm_open", "comm_msg", "comm_close"))
INTROSPECTION = frozenset(("complete_request", "inspect_request"))
RECORDS = frozenset(("is_complete_request", "history_request"))


@dataclass(frozen=True, slots=True)
class Request:
    """One message: the client's identities, the message, and where the reply goes."""

    idents: list[bytes]
    message: dict[str, Any]
    replies: ReplySocket

    @property
    def kind(self) -> str:
        """The message type."""
        kind: str = self.message["header"]["msg_type"]
        return kind


class ProtocolThread(BaseThread):
    """The thread whose loop drives the shell socket. The app gives it the stream, as to ipykernel's."""

    shell_stream: ZMQStream | None = None

    def __init__(self) -> None:
        super().__init__(name="Protocol", daemon=True)

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Call `function` on this thread after `seconds`. Thread: any, also in a signal handler."""
        self.io_loop.add_callback(self.io_loop.call_later, seconds, function)


class ReplySocket:
    """What `Session.send` is given for a stream: sends on the stream's own thread, whoever calls.

    Thread: any.
    """

    def __init__(self, thread: BaseThread, stream: ZMQStream) -> None:
        self._loop = thread.io_loop
        self._stream = stream

    def send_multipart(self, parts: list[Any], *args: Any, **kwargs: Any) -> None:
        """Schedule the sending; what is scheduled first leaves first."""
        self._loop.add_callback(self._send, list(parts))

    def _send(self, parts: list[Any]) -> None:
        if not self._stream.closed():
            self._stream.send_multipart(parts)


class Worker:
    """A thread that handles requests one after the other.

    Thread: `submit` any.
    """

    def __init__(self, name: str, handle: Callable[[Request], None]) -> None:
        self._queue: SimpleQueue[Request] = SimpleQueue()
        self._handle = handle
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Queue `request`."""
        self._queue.put(request)

    def _work(self) -> None:
        while True:
            self._handle(self._queue.get())


class Dispatcher:
    """Sorts what arrives, and aborts what is queued behind a cell that failed.

    `parse` turns frames into a request or `None` (invalid, already logged). `handlers` is asked in
    order: the first set of message types that contains the request's decides. `abort` answers a cell
    that will not run.
    """

    def __init__(
        self,
        parse: Callable[[list[Any]], Request | None],
        submit: Callable[[Request], None],
        abort: Callable[[Request], None],
        log: logging.Logger,
    ) -> None:
        #: Cells for the main thread; `None` ends its service.
        self.cells: SimpleQueue[Request | None] = SimpleQueue()
        self._parse = parse
        self._submit = submit
        self._abort = abort
        self._log = log
        self._abort_until = 0.0

    def receive(self, frames: list[Any]) -> None:
        """Callback of the shell stream. Thread: protocol."""
        try:
            request = self._parse(frames)
            if request is None:
                return
            if request.kind != "execute_request":
                self._submit(request)
            elif time.monotonic() < self._abort_until:
                self._abort(request)
            else:
                self.cells.put(request)
        except Exception:
            self._log.exception("a message could not be handled")

    def finish_failed(self, stream: ZMQStream, finish: Callable[[], None], grace: float) -> None:
        """Abort the cells that have arrived until now, or do within `grace` seconds, then `finish`.

        `finish` sends the failed cell's reply. A cell that a client sends after it has seen that
        reply is not aborted, for everything that has arrived is drained before.

        Thread: protocol.
        """
        stream.flush(zmq.POLLIN)
        waiting = []
        while True:
            try:
                waiting.append(self.cells.get_nowait())
            except Empty:
                break
        finish()
        if grace:
            self._abort_until = time.monotonic() + grace
        for request in waiting:
            if request is None:
                self.cells.put(None)
            else:
                self._abort(request)
