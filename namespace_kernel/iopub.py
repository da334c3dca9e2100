"""The thread that publishes output: ipykernel's, which a Stop in the wrong instant cannot spoil.

ipykernel asks `thread.is_alive()` for each message. A `KeyboardInterrupt` that comes just then makes
Python (until 3.12) take the thread for ended; from then on messages would be sent by two threads, and
arrive in pieces of each other. And it wakes its thread by a socket per thread that prints, which it closes
ten seconds later at the earliest, and ZeroMQ gives no more than a thousand: a thousand short threads were
enough to end all output. Here the loop is woken by its own means.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

from ipykernel.iostream import IOPubThread

#: Seconds that whoever waits for the output to be sent waits at most.
_PATIENCE = 10.0


class PublishingThread(IOPubThread):
    """Messages are sent in the order in which they were scheduled, by whatever thread."""

    _serves = False
    #: Called before the thread ends: hands over what still waits in buffers, as of `atexit` callbacks.
    before_stop: Callable[[], None] | None = None
    #: What is sent is no cell's doing: pyzmq starts a thread of its own for the first large message.
    _no_cell = contextvars.Context()

    def start(self) -> None:
        """Overridden to know that it runs without asking."""
        self._serves = True
        super().start()  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """Overridden to send first what is waiting."""
        if self._serves and self._is_master_process():  # type: ignore[no-untyped-call]
            if self.before_stop is not None:
                self.before_stop()
            self.wait_until_sent()
            self._serves = False
        super().stop()  # type: ignore[no-untyped-call]

    def schedule(self, f: Callable[[], Any]) -> None:
        """Overridden as said. In a forked child, where the thread is not, and in the thread itself, call at
        once: what a flush sends must not come after what was scheduled behind the flush.
        """
        own = threading.get_ident() == self.thread.ident
        if self._serves and not own and self._is_master_process():  # type: ignore[no-untyped-call]
            self._events.append(f)
            loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop  # type: ignore[attr-defined]
            loop.call_soon_threadsafe(self._handle_event, None, context=self._no_cell)
        else:
            f()

    def put(self, f: Callable[[], Any]) -> None:
        """Schedule `f` behind what waits, without waking the thread. In a forked child, call it.

        Thread: this one.
        """
        if self._is_master_process():  # type: ignore[no-untyped-call]
            self._events.append(f)
        else:
            f()

    def send_waiting(self) -> None:
        """Send what is scheduled. Thread: this one, but not from within what is scheduled."""
        if threading.get_ident() == self.thread.ident:
            self._handle_event(None)  # type: ignore[no-untyped-call]

    def wait_until_sent(self) -> None:
        """Wait until everything scheduled so far is sent. Thread: any but this."""
        sent = threading.Event()
        self.schedule(sent.set)
        sent.wait(_PATIENCE)
