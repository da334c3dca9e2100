"""A message that was read, and where its reply goes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from ipykernel.thread import BaseThread
from zmq.eventloop.zmqstream import ZMQStream

from namespace_kernel.base.errors import RequestError

#: A message, or a part of one, as JSON has it.
Message: TypeAlias = dict[str, Any]


class Replies(Protocol):
    """What `Session.send` is given for a reply."""

    def send_multipart(self, parts: list[Any], /, *args: Any, **kwargs: Any) -> object:
        """Send the parts of a message. Thread: any, where no Stop can come."""


#: Answers a message: where the reply goes, to whom, and what was asked.
Handler: TypeAlias = Callable[[Replies, list[bytes], Message], Coroutine[Any, Any, None] | None]


def answer(kernel: object, table: dict[str, Handler], **handlers: Handler) -> None:
    """Let `handlers` answer the messages of these types, but for those that a subclass of the user's answers.

    Its methods have the types' names, as ipykernel's. `table` is the kernel's, of one channel.
    """
    for kind, handler in handlers.items():
        module = getattr(getattr(type(kernel), kind, None), "__module__", "ipykernel")
        if module.partition(".")[0] in ("ipykernel", "namespace_kernel"):
            table[kind] = handler


@dataclass(frozen=True, slots=True)
class Request:
    """One message, authentic: the client's identities, the message, and where the reply goes."""

    idents: list[bytes]
    message: Message
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
    def client(self) -> object:
        """The session of the client that sent it."""
        return self.message["header"].get("session")

    @property
    def lane_id(self) -> str | None:
        """The subshell that it is addressed to, `None` for the foreground."""
        lane_id: str | None = self.message["header"].get("subshell_id")
        return lane_id


class ReplySocket:
    """`Replies` that are sent on the stream's own thread, whoever calls.

    Thread: any.
    """

    def __init__(self, thread: BaseThread, stream: ZMQStream) -> None:
        self._loop = thread.io_loop
        self._stream = stream

    def send_multipart(self, parts: list[Any], *args: object, **kwargs: object) -> None:
        """Schedule the sending; what is scheduled first leaves first."""
        self._loop.add_callback(self._send, list(parts))

    def _send(self, parts: list[Any]) -> None:
        if not self._stream.closed():
            self._stream.send_multipart(parts)
