"""Where a message goes that arrives on the shell channel. Read it from top to bottom.

`read` checks and parses it. `ShellChannel` sorts: a cell waits in its lane, or need not. `OtherMessages` has
a thread for what is no cell.

| message                                           | answered by                               |
|---------------------------------------------------|-------------------------------------------|
| `execute_request`                                 | its lane: main, or a subshell's thread    |
| one like `%ps`                                    | the lane of urgent cells                  |
| one of a variable view, while a cell runs         | the protocol thread, if no code runs      |
| one that comes right after a cell has failed      | the protocol thread: aborted              |
| any message for a subshell that is not there      | the protocol thread: refused              |
| `complete_request`, `inspect_request`             | the introspection thread                  |
| `is_complete_request`, `history_request`          | a second one: transformers, SQLite        |
| `comm_open`, `comm_msg`, `comm_close`             | the user loop, one after the other        |
| everything else                                   | the protocol thread                       |
"""

from __future__ import annotations

import contextvars
import logging
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.subshell_manager import UnknownSubshellError

from namespace_kernel.base.errors import RequestError
from namespace_kernel.base.originals import monotonic

from .comms import Comms
from .lanes.aborts import Aborts
from .lanes.answers import Answers
from .lanes.lanes import Lane, Lanes, is_urgent
from .lanes.request_thread import RequestThread
from .lanes.variable_views import VariableViews
from .wire.protocol_thread import ProtocolThread
from .wire.publishing import PublishingThread
from .wire.request import Message, Replies, Request
from .wire.request_fields import check_fields
from .wire.session import KernelSession
from .wire.shell_stream import SharedStream


def read(
    frames: list[bytes], replies: Replies, session: KernelSession, log: logging.Logger
) -> Request | None:
    """The request in `frames`; `None` if its signature is wrong. What else is wrong is the request's `error`.

    Thread: protocol or control.
    """
    try:
        idents, parts = session.feed_identities(frames)
        message, error = _understand(parts, session)
    except Exception as problem:  # there is no sender to answer to
        log.error("a message is ignored: %s", problem)
        return None
    if error is not None:
        log.warning("%s", error)
    return Request(idents, message, replies, error)


def _understand(parts: list[Any], session: KernelSession) -> tuple[Message, RequestError | None]:
    """The message in `parts`, and what is wrong with it. Raises `ValueError` if it is not authentic."""
    try:
        message, error = session.deserialize(parts), None
    except RequestError as problem:
        message, error = problem.message, problem
    problem_of_fields = check_fields(message)
    if error is None and problem_of_fields:
        error = RequestError(problem_of_fields, message)
    return message, error


class ShellChannel:
    """Sorts what arrives. No code of the user's runs meanwhile, so nothing keeps the next message waiting.

    Thread: protocol.
    """

    def __init__(
        self,
        kernel: IPythonKernel,
        session: KernelSession,
        stream: SharedStream,
        lanes: Lanes,
        aborts: Aborts,
        views: VariableViews,
        others: OtherMessages,
        publishing: PublishingThread,
    ) -> None:
        self._kernel = kernel
        self._session = session
        self._stream = stream
        self._lanes = lanes
        self._aborts = aborts
        self._views = views
        self._others = others
        self._publishing = publishing

    def receive(self, frames: list[bytes]) -> None:
        """Take a message from the stream."""
        log = self._kernel.log
        try:
            request = read(frames, self._stream, self._session, log)
            if request is not None:
                self._sort(request)
        except Exception:
            log.exception("a message could not be handled")

    def _sort(self, request: Request) -> None:
        """Hand `request` over to who answers it, or answer it."""
        lane = self._lane_of(request)
        if lane is None:
            self._refuse(request)
        elif request.kind != "execute_request":
            self._others.submit(request)
        elif monotonic() < lane.abort_until:
            self._aborts.abort(request)
        elif not self._views.answer(request, lane):
            self._publishing.look_soon(self._stream.io_loop.call_later)  # the cell will publish
            lane.put(request)

    def _lane_of(self, request: Request) -> Lane | None:
        """Its client's subshell, or the foreground; `None` if there is no such subshell.

        An urgent cell overtakes the one that runs, but none that its client has sent before it.
        """
        lane = self._lanes.get(request.lane_id)
        if request.kind != "execute_request" or not is_urgent(request.message["content"].get("code")):
            return lane
        return lane if lane is not None and lane.has_waiting_of(request.client) else self._lanes.urgent()

    def _refuse(self, request: Request) -> None:
        """Answer as ipykernel does, for a client that does not know that its subshell has ended."""
        error = UnknownSubshellError(request.lane_id or "")
        self._kernel._send_unknown_subshell_reply(request.idents, request.message, error)


class OtherMessages:
    """What is no cell: each type of message has a thread that answers it, by default this one.

    Thread: protocol.
    """

    def __init__(self, answers: Answers, comms: Comms, thread: ProtocolThread) -> None:
        self._answers = answers
        introspection = RequestThread("Introspection", self._answer_apart, thread)
        records = RequestThread("Records", self._answer_apart, thread)
        self._elsewhere = {
            "complete_request": introspection.submit,
            "inspect_request": introspection.submit,
            "is_complete_request": records.submit,
            "history_request": records.submit,
            "comm_open": comms.submit,
            "comm_msg": comms.submit,
            "comm_close": comms.submit,
        }

    def submit(self, request: Request) -> None:
        """Answer `request`, or hand it over to who does."""
        answer = self._answers.give
        submit = answer if request.error else self._elsewhere.get(request.kind, answer)
        submit(request)

    def _answer_apart(self, request: Request) -> None:
        """Answer what asks the user's objects. Thread: a request thread."""
        contextvars.copy_context().run(self._answers.give_as_its_own, request)
