"""A message that was read, and where its reply goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from ipykernel.thread import BaseThread
from zmq.eventloop.zmqstream import ZMQStream

from namespace_kernel.base.errors import RequestError


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
