"""Clients subscribe on the socket on which messages are published; each is told that it has."""

from __future__ import annotations

import logging
from collections.abc import Callable

import zmq

_log = logging.getLogger("namespace_kernel")

#: The longest message, in bytes, that is read where anybody may send one: a subscription's topic.
LONGEST_SUBSCRIPTION = 4096

#: So many are answered at a time: whoever has just sent a cell's output must get on.
_AT_A_TIME = 20


class Subscriptions:
    """Reads them from `socket`, and lets `answer` have the frames of each.

    Thread: the one that may use the socket.
    """

    def __init__(self, socket: zmq.Socket[bytes], answer: Callable[[list[bytes]], object]) -> None:
        self._socket = socket
        self._answer = answer
        #: Whether they arrive here at all: a plain publisher is not told of them.
        self.come_here = getattr(socket, "type", None) == zmq.XPUB

    def answer_some(self) -> bool:
        """Answer those that have arrived, but not too many; whether that was all.

        Anybody may send anything here, without a key, and whoever reads it must go on.
        """
        if not self.come_here:
            return True
        for _ in range(_AT_A_TIME):
            if not int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                return True
            frames = self._socket.recv_multipart(zmq.NOBLOCK)
            try:
                self._answer([frame for frame in frames if frame])
            except Exception:
                _log.exception("a subscription could not be answered")
        return False
