"""Signals for a loop that moves: `add_signal_handler` from wherever it runs."""

from __future__ import annotations

import asyncio
import errno
import inspect
import signal
import sys
from asyncio import events
from typing import Any

from namespace_kernel.base.frames import unseen

from .native_loop import NativeLoop


class LoopSignals(NativeLoop):
    """Mixed in before a native loop class. What stands for `signal.signal` carries it to the main thread.

    Thread: the loop's, or one where cells run.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handlers_before: dict[int, Any] = {}

    @unseen
    def add_signal_handler(self, sig: int, callback: Any, *args: object) -> None:
        """As `asyncio.loop.add_signal_handler`, wherever the loop runs.

        Python's own handler wakes the loop; asyncio's way, a descriptor that each signal is written to, is
        for a loop that stays on the main thread.
        """
        if sys.platform == "win32":  # asyncio's says that it cannot
            super().add_signal_handler(sig, callback, *args)  # type: ignore[unreachable]
        if asyncio.iscoroutine(callback) or inspect.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        self._check_signal(sig)
        self._check_closed()
        try:
            before = signal.signal(sig, self._signalled)
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise RuntimeError(f"sig {sig} cannot be caught") from None
            raise
        handlers = self._signal_handlers
        if sig not in handlers:
            self._handlers_before[sig] = before
        handlers[sig] = events.Handle(callback, args, self, None)

    @unseen
    def remove_signal_handler(self, sig: int) -> bool:
        """As `asyncio.loop.remove_signal_handler`; SIGINT gets back the handler that it had."""
        if sys.platform == "win32":
            return bool(super().remove_signal_handler(sig))  # type: ignore[unreachable]
        self._check_signal(sig)
        if self._signal_handlers.pop(sig, None) is None:
            return False
        before = self._handlers_before.pop(sig, None)
        if signal.getsignal(sig) == self._signalled or sig != signal.SIGINT:
            signal.signal(sig, before if sig == signal.SIGINT and before else signal.SIG_DFL)
        return True

    def _signalled(self, signum: int, frame: object) -> None:
        self._handle_signal(signum)
