"""What arrives on the shell channel: read, sorted, answered."""

from __future__ import annotations

import contextvars
import threading
import traceback
from collections.abc import Callable
from typing import Any

from ipykernel.subshell_manager import UnknownSubshellError

from .debug_answers import refusal
from .engine import words_of
from .errors import RequestError
from .executors import complete
from .iopub import PublishingThread
from .lanes import Lane, Lanes, is_urgent
from .protocol import COMM_MESSAGES, INTROSPECTION, RECORDS, Replies, Request, Worker
from .request_fields import check_fields

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
        own idle the last word.
        """
        with self._status_lock:
            if self.running is message:
                self.running = None
            self.publish_with_next("status", _IDLE, message)
            if not with_next:
                self.iopub_thread.send_now()
            if self.running is not None and not of_cell:
                self.publish_now("status", _BUSY, self.running)

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
