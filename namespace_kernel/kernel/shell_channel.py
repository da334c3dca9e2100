"""What arrives on the shell channel: read, sorted, answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .haste import Haste

if TYPE_CHECKING:
    from namespace_kernel.kernel.lanes.lanes import Lane
import contextvars
import logging
import threading
import traceback
from queue import SimpleQueue

import zmq
from ipykernel.subshell_manager import UnknownSubshellError

from namespace_kernel.base.errors import RequestError
from namespace_kernel.base.execution import complete
from namespace_kernel.base.originals import keep_running, monotonic
from namespace_kernel.base.threads import hide_from_debugger
from namespace_kernel.base.words import words_of
from namespace_kernel.kernel.debugging.answers import refusal
from namespace_kernel.kernel.lanes.lanes import Lane, Lanes, is_urgent
from namespace_kernel.kernel.wire.protocol_thread import _log
from namespace_kernel.kernel.wire.publishing import PublishingThread
from namespace_kernel.kernel.wire.request import Replies, Request
from namespace_kernel.kernel.wire.request_fields import check_fields
from namespace_kernel.kernel.wire.shell_stream import SharedStream

_BUSY, _IDLE = {"execution_state": "busy"}, {"execution_state": "idle"}


def error_content(error: BaseException) -> dict[str, Any]:
    """What a reply says of `error`."""
    return {
        "status": "error",
        "ename": type(error).__name__,
        "evalue": words_of(error),
        "traceback": traceback.format_exception_only(error),
    }


class MessageHandlers:
    """Mixed into the kernel.

    Thread: protocol; `answer` is called by the workers, too.
    """

    session: Any
    log: Any
    shell_handlers: Any
    replies: Replies
    lanes: Lanes
    running: dict[str, Any] | None
    iopub_thread: PublishingThread
    submit_comm: Callable[[Request], None]
    adopt: Callable[[Request], None]
    send_printed: Callable[[], None]
    _introspection: Worker
    _records: Worker
    _status_lock: threading.Lock
    _topic: Any
    _send_abort_reply: Any
    _send_unknown_subshell_reply: Any

    def parse(self, frames: list[bytes], replies: Replies) -> Request | None:
        """The request in `frames`, `None` if nobody has signed them. Thread: protocol or control."""
        if not self.session:
            return None
        try:
            idents, parts = self.session.feed_identities(frames)
            message, error = self._understand(parts)
        except Exception as problem:  # there is no sender to answer to
            self.log.error("a message is ignored: %s", problem)
            return None
        if error is not None:
            self.log.warning("%s", error)
        return Request(idents, message, replies, error)

    def _understand(self, parts: list[bytes]) -> tuple[dict[str, Any], RequestError | None]:
        """The message in `parts`, and what is wrong with it. Raises `ValueError` if it is not authentic."""
        try:
            message, error = self.session.deserialize(parts), None
        except RequestError as problem:
            message, error = problem.message, problem
        problem_of_fields = check_fields(message)
        if error is None and problem_of_fields:
            error = RequestError(problem_of_fields, message)
        return message, error

    def _parse(self, frames: list[bytes]) -> Request | None:
        return self.parse(frames, self.replies)

    def _lane_of(self, request: Request) -> Lane | None:
        if request.kind == "execute_request" and is_urgent(request.message["content"].get("code")):
            return self.lanes.urgent()
        return self.lanes.get(request.lane_id)

    def _refuse(self, request: Request) -> None:
        error = UnknownSubshellError(request.lane_id or "")
        self._send_unknown_subshell_reply(request.idents, request.message, error)

    def _submit(self, request: Request) -> None:
        if request.error is not None:
            self.answer(request)
        elif request.kind in INTROSPECTION:
            self._introspection.submit(request)
        elif request.kind in RECORDS:
            self._records.submit(request)
        elif request.kind in COMM_MESSAGES:
            self.submit_comm(request)
        else:
            self.answer(request)

    def answer(self, request: Request) -> None:
        """Answer anything but a cell or a comm message. Thread: protocol or a worker."""
        self.publish_now("status", _BUSY, request.message)
        try:
            self.handle(request)
        finally:
            self.publish_idle(request.message, of_cell=False)

    def answer_apart(self, request: Request) -> None:
        """Answer what asks the user's objects: what they print and display meanwhile is the request's, as in
        ipykernel, and not the last cell's. Thread: a worker.
        """
        contextvars.copy_context().run(self._answer_apart, request)

    def _answer_apart(self, request: Request) -> None:
        self.adopt(request)
        self.publish_now("status", _BUSY, request.message)
        try:
            self.handle(request)
        finally:
            self.send_printed()
            self.publish_idle(request.message, of_cell=False)

    def handle(self, request: Request) -> None:
        """Do what `request` asks for, and reply."""
        handler = self.shell_handlers.get(request.kind)
        try:
            if request.error is not None:
                self.send_error(request, request.error)
            elif handler is None:
                self.log.warning("unknown message type %r, ignored", request.kind)
            else:
                result = handler(request.replies, request.idents, request.message)
                if result is not None:
                    complete(result)
        except BaseException as error:  # what a user's `__dir__` raises ends no thread
            self.log.exception("%s failed", request.kind)
            self.send_error(request, error)

    def publish_now(self, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> None:
        """Publish a message, behind what waits, in the calling thread: two wake-ups and the switches between
        threads that they cause are a tenth of a millisecond. Thread: any, where no Stop can come.
        """
        if self.session:
            socket, topic = self.iopub_thread.direct_socket, self._topic(kind)
            self.session.send(socket, kind, content, parent=parent, ident=topic)

    def publish_with_next(self, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> None:
        """Publish a message together with the next, which must follow soon. Thread: any.

        Each that leaves by itself wakes ZeroMQ's thread, which takes ten system calls, and the client.
        """
        if self.session:
            socket, topic = self.iopub_thread.queue_socket, self._topic(kind)
            self.session.send(socket, kind, content, parent=parent, ident=topic)

    def publish_idle(self, message: dict[str, Any], *, of_cell: bool = True, with_next: bool = False) -> None:
        """Publish idle for `message`; if it is no cell's, one that runs in the foreground is announced again.
        `with_next` says that something is published right after, with which it may leave.

        Frontends show the state that came last, whatever its parent: a completion that is answered
        while a cell runs must not make the kernel look idle. Thread: any; the lock keeps the cell's
        own idle the last word, and a cell that begins when this idle has been seen is not announced twice.
        """
        with self._status_lock:
            if self.running is message:
                self.running = None
            self.publish_with_next("status", _IDLE, message)
            if self.running is not None and not of_cell:
                self.publish_with_next("status", _BUSY, self.running)
            if not with_next:
                self.iopub_thread.send_now()

    def send_error(self, request: Request, error: BaseException) -> None:
        """Answer that `request` failed, if it has a reply. Thread: any."""
        kind = request.kind.removesuffix("_request")
        if kind == request.kind:
            return
        content = error_content(error)
        if kind == "debug":
            content |= refusal(request.message["content"], content["evalue"])
        self.session.send(request.replies, f"{kind}_reply", content, request.message, ident=request.idents)

    def _abort(self, request: Request) -> None:
        self.publish_now("status", _BUSY, request.message)
        self._send_abort_reply(request.replies, request.message, request.idents)
        self.publish_idle(request.message)


COMM_MESSAGES = frozenset(("comm_open", "comm_msg", "comm_close"))


INTROSPECTION = frozenset(("complete_request", "inspect_request"))


#: Seconds after which a request counts as slow.
_SLOW = 1.0


RECORDS = frozenset(("is_complete_request", "history_request"))


_haste = Haste()


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
