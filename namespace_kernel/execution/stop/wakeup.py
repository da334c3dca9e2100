"""Make sure that a SIGINT wakes the main thread.

Python's C handler only sets a flag; the main thread looks at it between two bytecodes, or when a blocking
call returns early because the signal hit it. If the signal comes after the last look and before the
call blocks, or if the system delivers it to another thread, the call goes on sleeping and Stop is lost.

So the handler also writes into a socket (`signal.set_wakeup_fd`), and whoever reads it sends the main
thread a few more signals, of a kind that does nothing: they end the blocking call early, Python looks
at its flags, finds SIGINT, and if that has been dealt with already, resumes the call (PEP 475).
"""

from __future__ import annotations

import contextlib
import math
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from threading import get_ident
from typing import Protocol

from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.threads import Lock, Timers

from .registry import LATELY

#: When to send the harmless signal, in seconds after SIGINT.
_DELAYS = (0.01, 0.05, 0.2)
#: When to look whether SIGINT has been dealt with, in seconds after it (the first is not yet a look).
_LOOKS = (0.02, 0.1, 0.2, 0.4, 0.7, 1.0)


class Interrupts(Protocol):
    """Who deals with SIGINT."""

    @property
    def handled(self) -> int | None:
        """How many the main thread has dealt with; `None` where that cannot be known."""


class Debugger(Protocol):
    """What may hold threads at a breakpoint. Thread: any."""

    def resume_main(self) -> None:
        """Let the main thread go on, which handles signals; not yet the others."""

    def resume(self) -> None:
        """Let all threads go on."""


class SignalWakeup:
    """Owns the wakeup descriptor.

    `woken` is called on the main thread, in a signal handler, when it was woken. Where there is a `debugger`,
    it lets the main thread go on until `interrupts` has dealt with the SIGINT, and then the others.

    Guarantees: installed on the main thread of a system that has SIGURG, a SIGINT ends any call that a
    signal can end. Elsewhere it does nothing.
    """

    def __init__(
        self,
        timers: Timers,
        interrupts: Interrupts,
        woken: Callable[[], None],
        debugger: Debugger | None = None,
    ) -> None:
        self._later = timers.call_later
        self._interrupts = interrupts
        self._woken = woken
        self._debugger = debugger
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._thread: int | None = None
        self._handled_before = 0
        #: The Stop after which threads are still to go on.
        self._stop: object = None
        self._lock = Lock()
        self._reading = Lock()
        #: When the last SIGINT was seen.
        self._since = -math.inf

    def fileno(self) -> int:
        """The descriptor to watch; call `signalled` when it is readable."""
        return self._reader.fileno()

    def install(self) -> None:
        """Take the descriptor, also back from user code that took it. Thread: main."""
        if hasattr(signal, "SIGURG") and threading.current_thread() is threading.main_thread():
            self._thread = get_ident()
            signal.signal(signal.SIGURG, self._be_woken)
            self.take_descriptor()

    def take_descriptor(self) -> None:
        """Take it back from a loop that had it, and gave it to nobody. Thread: main."""
        if self._thread is not None:
            signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def wake_main(self) -> None:
        """Let the main thread call `woken` soon, also if it blocks. Thread: any."""
        self._wake()
        for delay in _DELAYS:
            self._later(delay, self._wake)

    def signalled(self) -> None:
        """Read what arrived, and wake the main thread if SIGINT did. Thread: the one that watches."""
        numbers = b""
        with self._reading, contextlib.suppress(BlockingIOError):
            numbers = self._reader.recv(4096)
            if signal.SIGINT in numbers:
                self._since = monotonic()  # under the lock: who finds nothing to read finds this
        if signal.SIGINT in numbers:
            for delay in _DELAYS:
                self._later(delay, self._wake)
            if self._debugger is not None:
                self._stop = stop = object()
                self._later(_LOOKS[0], partial(self._let_main_handle, self._debugger, stop, 1))

    def stopped_lately(self) -> bool:
        """Whether SIGINT came in the last `LATELY` seconds. Thread: any."""
        self.signalled()  # the thread that watches may not have looked yet
        return monotonic() - self._since < LATELY

    def before_cell(self) -> None:
        """Let all threads go on now that would go on later, for a Stop of an earlier cell.

        This one may come to a breakpoint of its own by then. Thread: main.
        """
        if self._debugger is not None:
            self.signalled()  # the thread that watches may not have looked yet
            self._handled_before = self._interrupts.handled or self._handled_before
            self._resume(self._debugger.resume, self._stop, is_last=True)

    def _let_main_handle(self, debugger: Debugger, stop: object, looks: int) -> None:
        if self._resume(debugger.resume_main, stop):
            self._later(_LOOKS[looks] - _LOOKS[looks - 1], partial(self._look, debugger, stop, looks))

    def _look(self, debugger: Debugger, stop: object, looks: int) -> None:
        handled = self._interrupts.handled
        if handled == self._handled_before and looks + 1 < len(_LOOKS):
            self._let_main_handle(debugger, stop, looks + 1)
        else:
            self._handled_before = handled or self._handled_before
            self._resume(debugger.resume, stop, is_last=True)

    def _resume(self, resume: Callable[[], None], stop: object, is_last: bool = False) -> bool:
        """Call `resume`, unless nothing more is to be done after that Stop."""
        with self._lock:
            if stop is None or self._stop is not stop:
                return False
            if is_last:
                self._stop = None
            resume()
            return True

    def _wake(self) -> None:
        if self._thread is not None:
            signal.pthread_kill(self._thread, signal.SIGURG)

    def _be_woken(self, signum: int, frame: object) -> None:
        self._woken()
