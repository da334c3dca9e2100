"""`signal.signal` for tasks: a server that began on the main thread may end on the loop's own.

uvicorn and others install handlers while their loop is on the main thread, and put the old ones back when
they end. By then the loop may be at home, where Python refuses. Such a call is answered, and carried
out on the main thread before the next cell.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

from .frames import unseen


class SignalFront:
    """Stands in for `signal.signal`. `home_ident` tells the user loop's own thread.

    Thread: `install`, `apply` and `uninstall` main.
    """

    def __init__(self, home_ident: Callable[[], int | None]) -> None:
        self._home_ident = home_ident
        self._original = signal.signal
        self._wanted: dict[int, Any] = {}

    def install(self) -> None:
        """Take the place of `signal.signal`."""
        signal.signal = self._signal

    def uninstall(self) -> None:
        """Put the original back."""
        signal.signal = self._original

    def apply(self) -> None:
        """Carry out what was asked for at home. SIGINT is the kernel's and stays it."""
        while self._wanted:
            number, handler = self._wanted.popitem()
            if number != signal.SIGINT:
                self._original(number, handler)

    @unseen
    def _signal(self, signalnum: int, handler: Any) -> Any:
        if threading.get_ident() != self._home_ident():
            return self._original(signalnum, handler)
        previous = self._wanted.get(signalnum, signal.getsignal(signalnum))
        self._wanted[signalnum] = handler
        return previous
