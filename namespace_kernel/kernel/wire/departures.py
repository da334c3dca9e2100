"""When a message that was sent has left the process.

ZeroMQ takes a message at once, and writes it to the network in a thread of its own, which ends with the
process: what is sent right before a crash would be lost. It does not tell when it has written. But it does
what it is asked for in order; so a message that goes out and comes back by that thread is back when those
before it have gone.
"""

from __future__ import annotations

import contextlib

import zmq

from namespace_kernel.base.threads import Lock, readable

#: Seconds that one waits: longer takes only a process that was stopped, or a client that reads slowly.
_PATIENCE = 1.0


class Departures:
    """A connection of the process to itself, made when it is first used.

    Guarantees: `wait(n)` returns when what the context's sockets were given before `mark(n)` has been
    written, if its receivers take it.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._context = context
        self._waiting = Lock()
        self._sender: zmq.Socket[bytes] | None = None
        self._receiver: zmq.Socket[bytes] | None = None
        self._announced = self._arrived = 0
        #: How many messages have been sent, and of how many it is known that they have left.
        self._sent = self._left = 0
        #: What knows of the last large one, which ZeroMQ may write in several goes.
        self._large: zmq.MessageTracker | None = None

    @property
    def all_left(self) -> bool:
        """Whether nothing that was sent may still be here. Thread: any."""
        return self._left == self._sent

    def note(self, tracker: zmq.MessageTracker | None) -> None:
        """Note that a message was sent; `tracker` is pyzmq's, of a large one. Thread: the one that sends."""
        self._sent += 1
        if tracker is not None:
            self._large = tracker

    def announce(self) -> int:
        """Get the number of the next mark. Thread: any; a Stop may come."""
        with self._waiting:
            if self._sender is None:
                with contextlib.suppress(zmq.ZMQError):  # no descriptor is left: then nobody waits
                    self._connect()
            self._announced += 1
            return self._announced

    def mark(self, number: int) -> None:
        """Send a mark behind what was sent. Thread: the one that sends."""
        if self._sender is not None:
            self._sender.send(b"%d %d" % (number, self._sent))

    def wait(self, number: int) -> None:
        """Wait until the mark is back. Thread: any; a Stop may come.

        pyzmq's own waiting loses a Stop that comes just when another signal has ended the system call: for
        Python 3.12 and later it is compiled by Cython for the stable ABI, where each error of its own that it
        passes on runs a line of Python, and forgets what is raised there.
        """
        with self._waiting, contextlib.suppress(zmq.NotDone, ValueError):
            while self._arrived < number and self._receiver is not None:
                if not int(self._receiver.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                    if not readable([int(self._receiver.getsockopt(zmq.FD))], _PATIENCE):
                        return
                    continue  # it may be something of ZeroMQ's own
                arrived, left = map(int, self._receiver.recv().split())
                if self._large is not None:
                    self._large.wait(_PATIENCE)
                self._arrived, self._left = arrived, left

    def close(self) -> None:
        """Let go of it. Thread: any, where nobody sends any more."""
        for end in (self._sender, self._receiver):
            if end is not None:
                end.close(linger=0)

    def _connect(self) -> None:
        with contextlib.ExitStack() as opened:
            sender = opened.enter_context(self._context.socket(zmq.PAIR))
            receiver = opened.enter_context(self._context.socket(zmq.PAIR))
            sender.sndtimeo = int(_PATIENCE * 1000)
            # Of this kind of socket the first that connects is the only one.
            receiver.bind("tcp://127.0.0.1:*")
            sender.connect(bytes(receiver.getsockopt(zmq.LAST_ENDPOINT)).decode().rstrip("\0"))
            self._receiver, self._sender = receiver, sender
            opened.pop_all()
