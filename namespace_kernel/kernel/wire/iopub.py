"""What the kernel itself publishes: the state of a request, and what a cell was."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from namespace_kernel.base.threads import Lock

from .publishing import PublishingThread
from .request import Message
from .session import KernelSession

_BUSY, _IDLE = {"execution_state": "busy"}, {"execution_state": "idle"}


class QueueSocket:
    """What `Session.send` is given to queue a message behind what waits; `send_now` must follow.

    Thread: any.
    """

    def __init__(self, thread: PublishingThread) -> None:
        self._thread = thread

    def send_multipart(self, parts: list[Any], *args: Any, **kwargs: Any) -> None:
        """As a socket's."""
        self._thread.put(partial(self._thread._really_send, parts, *args, **kwargs))


class DirectSocket(QueueSocket):
    """What it is given to send a message at once, behind what waits.

    Thread: any, where no Stop can come.
    """

    def send_multipart(self, parts: list[Any], *args: Any, **kwargs: Any) -> None:
        """As a socket's."""
        super().send_multipart(parts, *args, **kwargs)
        self._thread.send_now()


class IOPub:
    """Publishes in the order of the calls. `topic` is that of a message's type.

    Thread: any, where no Stop can come.
    """

    def __init__(
        self, session: KernelSession, thread: PublishingThread, topic: Callable[[str], bytes]
    ) -> None:
        self._session = session
        self._thread = thread
        self._topic = topic
        self._at_once = DirectSocket(thread)
        self._with_next = QueueSocket(thread)
        #: The request whose cell runs in the foreground.
        self._running: Message | None = None
        self._status_lock = Lock()

    def publish(self, kind: str, content: Message, parent: Message) -> None:
        """Publish a message, behind what waits, in the calling thread: two wake-ups and the switches between
        threads that they cause are a tenth of a millisecond.
        """
        self._session.send(self._at_once, kind, content, parent=parent, ident=self._topic(kind))

    def publish_with_next(self, kind: str, content: Message, parent: Message) -> None:
        """Publish a message together with the next, which must follow soon.

        Each that leaves by itself wakes ZeroMQ's thread, which takes ten system calls, and the client.
        """
        self._session.send(self._with_next, kind, content, parent=parent, ident=self._topic(kind))

    def send_now(self) -> None:
        """Send what waits for the next message."""
        self._thread.send_now()

    def busy(self, message: Message) -> None:
        """Publish busy for `message`, which is no cell's."""
        self.publish("status", _BUSY, message)

    def busy_with_cell(self, message: Message, in_foreground: bool) -> None:
        """Publish busy for a cell, with what comes next."""
        with self._status_lock:
            self.publish_with_next("status", _BUSY, message)
            if in_foreground:
                self._running = message

    def idle(self, message: Message, *, of_cell: bool = False, with_next: bool = False) -> None:
        """Publish idle for `message`; if it is no cell's, one that runs in the foreground is announced again.
        `with_next` says that something is published right after, with which it may leave.

        Frontends show the state that came last, whatever its parent: a completion that is answered while a
        cell runs must not make the kernel look idle. The lock keeps the cell's own idle the last word,
        and a cell that begins when this idle has been seen is not announced twice.
        """
        with self._status_lock:
            if self._running is message:
                self._running = None
            self.publish_with_next("status", _IDLE, message)
            if self._running is not None and not of_cell:
                self.publish_with_next("status", _BUSY, self._running)
            if not with_next:
                self._thread.send_now()
