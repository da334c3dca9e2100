"""The shell socket: read on the protocol thread, while any thread may send a reply on it.

A ZMQStream belongs to its thread, which had to be woken for every reply: two system calls, two switches
between threads, and the wait for the interpreter, a tenth of a millisecond. ZeroMQ only asks that one
thread at a time uses a socket.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zmq
from tornado.ioloop import IOLoop
from zmq.eventloop.zmqstream import ZMQStream

from namespace_kernel.base.threads import Lock

from .session import may_be_held, send_parts

#: How many messages are taken before the loop does something else.
_AT_ONCE = 100


class SharedStream(ZMQStream):
    """Reads until nothing is left, and sends at once.

    Guarantees: the socket is used under one lock, which is written in C and held for one message.

    Thread: the loop's; `send_multipart` any, where no Stop can come: half a message may not stay.
    """

    def __init__(self, socket: zmq.Socket[bytes], io_loop: IOLoop) -> None:
        self._using = Lock()
        super().__init__(socket, io_loop)

    def send_multipart(
        self, msg: Sequence[bytes], flags: int = 0, copy: bool = True, *_: object, **__: object
    ) -> None:
        """Overridden to send at once; with a debugger, on the loop's thread."""
        if may_be_held():
            self.io_loop.add_callback(self._send, msg, copy)
        else:
            self._send(msg, copy)

    def _send(self, msg: Sequence[bytes], copy: bool) -> None:
        with self._using:
            if self._is_gone():
                return
            send_parts(self.socket, msg, copy)
            # Sending may have taken notice of what has arrived, and then the loop is not told.
            arrived = bool(int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)
        if arrived:
            self.io_loop.add_callback(self._handle_events, self.socket, 0)

    def flush(self, flag: int = zmq.POLLIN, limit: int | None = None) -> int:
        """Overridden: take in what has arrived; return how many messages. Nothing ever waits to be sent."""
        count = 0
        while (limit is None or count < limit) and self._receive_one():
            count += 1
        return count

    def _handle_events(self, fd: object, events: int) -> None:
        """Overridden: the descriptor tells of the first message only, so take all."""
        if self.receiving() and self.flush(limit=_AT_ONCE) == _AT_ONCE:
            self.io_loop.add_callback(self._handle_events, fd, events)

    def _is_gone(self) -> bool:
        socket: zmq.Socket[bytes] | None = self.socket  # `None` once it is closed
        return socket is None or bool(socket.closed)

    def _receive_one(self) -> bool:
        with self._using:
            if self._is_gone():
                return False
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK, copy=self._recv_copy)
            except zmq.Again:
                return False
        callback: Any = self._recv_callback
        if callback is not None:
            self._run_callback(callback, frames)
        return True

    def _update_handler(self, state: int) -> None:
        """Overridden: what arrived before anybody received."""
        if state & zmq.POLLIN:
            self.io_loop.add_callback(self._handle_events, self.socket, 0)
