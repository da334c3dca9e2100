"""The thread that publishes output: ipykernel's, which neither a Stop nor many threads can spoil.

ipykernel asks `thread.is_alive()` for each message. A `KeyboardInterrupt` that comes just then makes Python
(until 3.12) take the thread for ended. Then two threads send, and messages arrive in pieces of each other.
It also wakes its thread by a socket for each thread that prints. ZeroMQ gives a thousand of them, so a
thousand short threads end all output. Here the thread's loop is woken by its own means.

What is scheduled is a queue. Whoever takes the lock may send it: the thread, or whoever has just scheduled
something (`send_now`). That saves wake-ups and switches between threads: a fifth of `x = 1`. A Stop in the
midst of sending would leave half a message on the socket, so a cell's own code only schedules.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from os import getpid
from threading import get_ident
from typing import Any

from ipykernel.iostream import IOPubThread
from tornado.ioloop import IOLoop

from namespace_kernel.attribution.from_children import FromChildren
from namespace_kernel.base.originals import make_unending, monotonic
from namespace_kernel.base.threads import Event, Lock
from namespace_kernel.reports.kept_output import KeptOutput

from .departures import Departures
from .session import may_be_held, send_parts
from .subscriptions import Subscriptions
from .written import Written

_log = logging.getLogger("namespace_kernel")

#: Seconds that whoever waits for the output to be sent, or for what the thread does between two messages,
#: waits at most: on a machine with a load of 20 the thread may need more than one.
_PATIENCE = 10.0

#: Seconds after which the thread is woken again, if it has not come since.
_TRUST = 0.02

#: While much is published, the thread looks that often, in seconds, without being woken.
_PACE = 0.005

#: For so many seconds after a cell has arrived, nothing that it publishes wakes the thread.
_HEAD_START = 0.01


class PublishingThread(IOPubThread):
    """Messages are sent in the order in which they were scheduled, by whatever thread."""

    _serves = False
    #: What is sent is no cell's doing: pyzmq starts a thread of its own for the first large message.
    _no_cell = contextvars.Context()
    #: Until then, somebody will look for what is scheduled. A time and not a flag, which a Stop between
    #: setting it and the waking would leave set for good.
    _look_at = 0.0
    #: The thread that is sending.
    _sender: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Whoever holds it may use the socket. A lock written in C; nobody waits for it but the thread.
        self._sending = Lock()
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        make_unending(self.io_loop, _log)
        #: What the streams have to send.
        self.written = Written(self)
        self._departures = Departures(self.socket.context)
        self.kept = KeptOutput()
        self.children = FromChildren()
        if hasattr(os, "fork"):
            self.io_loop.add_handler(self.children.fd, self._take_and_send, IOLoop.READ)

    def start(self) -> None:
        """Overridden to know that it runs without asking."""
        self._serves = True
        super().start()  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """Overridden to send first what is waiting."""
        if self._serves and self._is_master_process():
            self.take_from_children()
            if self.written.pieces:  # what `atexit` callbacks have printed
                self.written.hand_over(self.put)
            self.wait_until_sent()
            self._serves = False
            self.written.end()
            self._departures.close()
        super().stop()  # type: ignore[no-untyped-call]

    def schedule(self, f: Callable[[], object]) -> None:
        """Overridden: a Stop at any instant leaves the queue whole, and the thread is woken less often.

        In a forked child, where the thread is not, this calls `f` at once. So it does in the thread that is
        sending: what a flush sends must not come after what was scheduled behind the flush. To wake the
        thread costs the caller 20 µs, and then both compete for the interpreter; not if somebody looks soon.
        """
        if self._is_queue():
            self._events.append(f)
            now = monotonic()
            if now >= self._look_at:
                self._look_at = now + _TRUST
                self._wake(self._handle_event, None)
        else:
            f()

    def look_soon(self, later: Callable[[float, Callable[[], None]], object]) -> None:
        """Say that a cell has arrived: what it publishes at once is sent at its end, or by `later`, which
        calls a function after some seconds on the calling thread. Thread: one where no Stop can come.
        """
        now = monotonic()
        if now >= self._look_at:
            self._look_at = now + _HEAD_START
            later(_HEAD_START, self._look)

    def _look(self) -> None:
        self._look_at = 0.0  # before looking: what is scheduled from now on wakes again
        self.send_now()

    def put(self, f: Callable[[], object]) -> None:
        """Schedule `f` behind what waits, without waking the thread: `send_now` must follow. In a forked
        child, call it. Thread: any.
        """
        if self._is_queue():
            self._events.append(f)
        else:
            f()

    def send_now(self) -> None:
        """Send what is scheduled, in the calling thread; if another is just doing it, that one goes on.
        With a debugger, this thread does it.

        Thread: any, where no Stop can come.
        """
        if self._events and self._is_queue():
            if may_be_held() and get_ident() != self.thread.ident:
                self._wake(self._handle_event, None)
            else:
                self._send_events()

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        """Call `function` in this thread after `seconds`. Thread: any, where no Stop can come."""
        if get_ident() == self.thread.ident:
            self.io_loop.call_later(seconds, function)
        else:  # a timer alone would not wake the loop
            self._wake(self.io_loop.call_later, seconds, function)

    def take_from_children(self) -> None:
        """Schedule what forked children have published, behind what was written before.

        Thread: any, where no Stop can come.
        """
        if self._serves and self._is_master_process():
            self.children.receive(self._take)

    def _take(self, parts: list[bytes]) -> None:
        if self.written.pieces:
            self.written.hand_over(self.put)
        self.put(partial(self._really_send, parts))

    def _take_and_send(self, *_: object) -> None:
        """Thread: this one."""
        self.take_from_children()
        self.send_now()

    def do(self, function: Callable[[], object]) -> None:
        """Call `function` in this thread and wait for it, but not for ever. Thread: any; a Stop may come."""
        if self._serves and get_ident() != self.thread.ident:
            done = threading.Event()
            self._wake(function)
            self._wake(done.set)
            done.wait(_PATIENCE)

    def do_first(self, function: Callable[[], object]) -> None:
        """Call `function` in this thread while nobody sends: what it publishes goes before all that waits.

        Thread: any; a Stop may come.
        """

        def call() -> None:
            with self._sending:
                self._sender = get_ident()
                try:
                    function()
                finally:
                    self._sender = None

        self.do(call)

    def wait_until_sent(self) -> None:
        """Wait until everything scheduled so far is sent. Thread: any but this."""
        sent = Event()
        self.schedule(sent.set)
        sent.wait(_PATIENCE)

    def wait_until_left(self) -> None:
        """Wait until what was scheduled or sent so far has left the process. Thread: any."""
        if get_ident() == self.thread.ident or not self._is_queue():
            return
        # In this order: what is no longer in the queue is being sent, or has been.
        if self._events or self._sending.locked() or not self._departures.all_left:
            number = self._departures.announce()
            self._events.append(partial(self._departures.mark, number))
            self._wake(self._send_waiting)
            self._departures.wait(number)

    def _send_waiting(self) -> None:
        if self._events:
            self._send_events()

    def _is_master_process(self) -> bool:
        """Overridden: `os.getpid` is asked for with each message, and may have been replaced."""
        return bool(getpid() == self._master_pid)

    def _is_queue(self) -> bool:
        """Whether what is scheduled has to wait for its turn."""
        own = self._sender == get_ident()
        return self._serves and not own and self._is_master_process()

    def _wake(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` in the thread."""
        loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop  # type: ignore[attr-defined]
        loop.call_soon_threadsafe(function, *args, context=self._no_cell)

    def _handle_event(self, msg: object) -> None:
        """Overridden: another thread may be sending already. Thread: this one."""
        self._look_at = 0.0
        if self._events:
            self._send_events()
            self._look_at = monotonic() + _PACE
            self.io_loop.call_later(_PACE, self._handle_event, None)

    def _send_events(self) -> None:
        if not self._sending.acquire(blocking=False):
            return  # whoever has it looks again afterwards
        try:
            self._sender = get_ident()
            self._welcome()  # before what a new client gets of these: else that would come first
            if self._sender == self.thread.ident:
                self._send_all()
            else:
                contextvars.Context().run(self._send_all)
            self._welcome()
        finally:
            self._sender = None
            self._sending.release()
        if self._events:
            self._wake(self._handle_event, None)

    def _send_all(self) -> None:
        for _ in range(len(self._events)):  # others may go on scheduling for ever
            try:
                self._events.popleft()()
            except Exception:
                _log.exception("a message could not be published")

    def _really_send(self, msg: list[Any], *args: Any, copy: bool = True, **options: Any) -> None:
        """Overridden for the quick way, if there are no options, and for a forked child's."""
        if not self._is_master_process() and self.children.send(list(map(bytes, msg))):
            return
        if args or options or self.socket is None or not self._serves or not self._is_master_process():
            super()._really_send(msg, *args, copy=copy, **options)  # type: ignore[no-untyped-call]
        else:
            self._departures.note(send_parts(self.socket, msg, copy, not copy))
            self.kept.note(msg)  # last: it has left, whatever it is

    def _setup_xpub_listener(self) -> None:
        """Overridden: ipykernel's stream would use the socket without the lock."""
        self._subscriptions = Subscriptions(self.socket, super()._handle_subscription)
        if self._subscriptions.come_here:
            self.io_loop.add_handler(self.socket, self._read_subscriptions, IOLoop.READ)

    def _read_subscriptions(self, *_: object) -> None:
        """Thread: this one."""
        with self._sending:
            self._welcome()
        self._send_waiting()

    def _welcome(self) -> None:
        """Answer some subscriptions; the thread goes on with the rest.

        Whoever has sent does it, too: sending may have taken notice of one, and then the thread is not told.
        Thread: the one that has the lock.
        """
        if not self._subscriptions.answer_some():
            self._wake(self._read_subscriptions)

    def _handle_pipe_msg(self, msg: list[bytes]) -> None:
        """Overridden: what a process that is no child of ours sends is not printed."""
        if msg[0] == self._pipe_uuid:
            super()._handle_pipe_msg(msg)  # type: ignore[no-untyped-call]
        else:
            _log.warning("a message for a child's output came from another process, ignored")
