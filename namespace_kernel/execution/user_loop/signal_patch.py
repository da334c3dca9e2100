"""`signal.signal` for tasks: their steps are taken on either thread, and Python takes handlers on one.

What is asked for on the loop's own thread (uvicorn puts old handlers back there, trame and aiohttp call
`loop.add_signal_handler`) is answered, and the main thread is woken to carry it out, whatever it runs.

SIGINT is a cell's: a handler holds until the end of the cell that installed it, and a task whose cell is over
gets none.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from threading import get_ident
from typing import Any

from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.frames import unseen
from namespace_kernel.base.patching import Function, Patch

_UNCATCHABLE = {getattr(signal, name, None) for name in ("SIGKILL", "SIGSTOP")}


class SignalFront:
    """Stands in for `signal.signal`. `home_ident` tells the user loop's own thread; `wake_main` makes the
    main thread call `apply` soon.

    Thread: `apply` main.
    """

    def __init__(self, home_ident: Callable[[], int | None], wake_main: Callable[[], None]) -> None:
        self._home_ident = home_ident
        self._wake_main = wake_main
        self._original = signal.signal
        self._wanted: dict[int, tuple[Any, Execution | None]] = {}
        self.patches = (Patch(signal, "signal", self._in_front_of, undone=self._only_pass_on),)

    def _only_pass_on(self) -> None:
        """Whoever has put something before ours calls it also when it is undone."""
        self._home_ident = lambda: None

    def apply(self) -> None:
        """Carry out what was asked for at home."""
        while self._wanted:
            number, (handler, execution) = self._wanted.popitem()
            if number != signal.SIGINT or _runs_in_foreground(execution):
                self._original(number, handler)

    def _in_front_of(self, original: Function) -> Function:
        self._original = original

        @unseen
        def set_handler(signalnum: Any, handler: Any) -> object:
            execution = current_execution.get()
            is_at_home = get_ident() == self._home_ident()
            if signalnum == signal.SIGINT and execution is not None and not _runs_in_foreground(execution):
                return signal.getsignal(signalnum)
            if not is_at_home:
                return original(signalnum, handler)
            number, _ = int(signalnum), signal.getsignal(signalnum)  # raises for what is no signal
            if number in _UNCATCHABLE:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            if not callable(handler) and handler not in (signal.SIG_IGN, signal.SIG_DFL):
                raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
            previous = self._wanted[number][0] if number in self._wanted else signal.getsignal(number)
            self._wanted[number] = handler, execution
            self._wake_main()
            return previous

        return set_handler


def _runs_in_foreground(execution: Execution | None) -> bool:
    """Whether it is a cell that the Stop button means, and not over."""
    return execution is not None and not execution.finished and execution.cell.lane_id is None
