"""The protocol thread: receives shell messages, sorts them by who answers, sends replies.

It runs no user code, so nothing that a cell does keeps a reply, a completion or Stop waiting.

| message                                         | answered by                              |
|-------------------------------------------------|------------------------------------------|
| `execute_request`                               | its lane: main, or a subshell's worker   |
| `complete_request`, `inspect_request`           | the introspection worker                 |
| `is_complete_request`, `history_request`        | a second worker: transformers, SQLite    |
| `comm_open`, `comm_msg`, `comm_close`           | the user loop, one after the other       |
| everything else                                 | the protocol thread itself               |
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

import zmq
from ipykernel.thread import BaseThread
from tornado.ioloop import IOLoop
from zmq.eventloop.zmqstream import ZMQStream

from .debug_answers import hide_from_debugger
from .errors import RequestError
from .haste import Haste
from .originals import keep_running, monotonic
from .shared_stream import SharedStream

if TYPE_CHECKING:
    from .lanes import Lane, Lanes

COMM_MESSAGES = frozenset(("comm_open", "comm_msg", "comm_close"))
INTROSPECTION = frozenset(("complete_request", "inspect_request"))
#: Seconds after which a request counts as slow.
_SLOW = 1.0

RECORDS = frozenset(("is_complete_request", "history_request"))


@dataclass(frozen=True, slots=True)
class Request:
    """One message, authentic: the client's identities, the message, and where the reply goes."""

    idents: list[bytes]
    message: dict[str, Any]
    replies: Replies
    #: Why it cannot be done as it is.
    error: RequestError | None = None
    #: Which messages of an answer have been sent.
    sent: set[str] = field(default_factory=set)

    @property
    def kind(self) -> str:
        """The message type."""
        kind: str = self.message["msg_type"]
        return kind

    @property
    def lane_id(self) -> str | None:
        """The subshell that it is addressed to, `None` for the foreground."""
        lane_id: str | None = self.message["header"].get("subshell_id")
        return lane_id


class ProtocolThread(BaseThread):
    """The thread whose loop drives the shell socket. The app gives it the stream, as to ipykernel's."""

    shell_stream: SharedStream | None = None
    #: The lanes, where ipykernel's `%subshell` looks for them.
    manager: Lanes

    def __init__(self) -> None:
        super().__init__(name="Protocol", daemon=True)

    def watch(self, descriptor: int, function: Callable[[], None]) -> None:
        """Call `function` on this thread when `descriptor` is readable. Thread: any, before it starts."""
        self.io_loop.add_handler(descriptor, lambda *_: function(), IOLoop.READ)

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Call `function` on this thread after `seconds`. Thread: any, also in a signal handler."""
        self.io_loop.add_callback(self.io_loop.call_later, seconds, function)


class Replies(Protocol):
    """What `Session.send` is given for a reply."""

    def send_multipart(self, parts: list[Any], *args: Any, **kwargs: Any) -> Any:
        """Send the parts of a message. Thread: any, where no Stop can come."""


class ReplySocket:
    """`Replies` that are sent on the stream's own thread, whoever calls.

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


_haste = Haste()
_log = logging.getLogger("namespace_kernel")


class Worker:
    """A thread that handles requests one after the other.

    If one takes longer than a second (a user's `__dir__` that blocks), another thread takes over those
    that wait. `later` calls a function after some seconds.

    Thread: `submit` any.
    """

    def __init__(
        self,
        name: str,
        handle: Callable[[Request], None],
        later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self._queue: SimpleQueue[Request] = SimpleQueue()
        self._name = name
        self._handle = handle
        self._later = later
        #: The thread that takes requests, and since when it has been handling one.
        self._current: threading.Thread | None = None
        self._busy_since = 0.0
        self._start()

    def submit(self, request: Request) -> None:
        """Queue `request`."""
        self._queue.put(request)
        self._later(_SLOW, self._relieve)

    def _start(self) -> None:
        thread = threading.Thread(target=keep_running, args=(self._work, _log), name=self._name, daemon=True)
        hide_from_debugger(thread)
        self._current, self._busy_since = thread, 0.0
        thread.start()

    def _relieve(self) -> None:
        """Thread: the one of `later`, alone."""
        if not self._queue.empty() and self._busy_since and monotonic() - self._busy_since >= _SLOW:
            self._start()

    def _work(self) -> None:
        while self._current is threading.current_thread():
            request = self._queue.get()
            self._busy_since = monotonic()
            with _haste:
                self._handle(request)
            if self._current is threading.current_thread():
                self._busy_since = 0.0


class Dispatcher:
    """Sorts what arrives, and aborts what waits behind a cell that failed.

    `parse` turns frames into a request or `None` (invalid, already logged). `lane_of` finds the lane
    that a request is addressed to, `None` if there is no such subshell, which `refuse` answers.
    `submit` takes everything but cells. `abort` answers a cell that will not run; `announce` is told of one
    that will.

    Thread: protocol.
    """

    def __init__(
        self,
        parse: Callable[[list[Any]], Request | None],
        lane_of: Callable[[Request], Lane | None],
        submit: Callable[[Request], None],
        abort: Callable[[Request], None],
        refuse: Callable[[Request], None],
        announce: Callable[[], None],
        log: logging.Logger,
    ) -> None:
        self._parse = parse
        self._lane_of = lane_of
        self._submit = submit
        self._abort = abort
        self._refuse = refuse
        self._announce = announce
        self._log = log

    def receive(self, frames: list[Any]) -> None:
        """Callback of the shell stream."""
        try:
            request = self._parse(frames)
            if request is not None:
                self._sort(request)
        except Exception:
            self._log.exception("a message could not be handled")

    def _sort(self, request: Request) -> None:
        lane = self._lane_of(request)
        if lane is None:
            self._refuse(request)
        elif request.kind != "execute_request":
            self._submit(request)
        elif monotonic() < lane.abort_until:
            self._abort(request)
        else:
            self._announce()
            lane.put(request)

    def finish_failed(
        self, lane: Lane, stream: SharedStream, finish: Callable[[], None], grace: float
    ) -> None:
        """`finish` a failed cell, and abort those of its lane that have arrived until now, or do within
        `grace` seconds.

        `finish` sends the failed cell's reply. A cell that a client sends after it has seen that
        reply is not aborted, for everything that has arrived is drained before.
        """
        stream.flush(zmq.POLLIN)
        waiting = lane.take_waiting()
        finish()
        if grace:
            lane.abort_until = monotonic() + grace
        for request in waiting:
            self._abort(request)
