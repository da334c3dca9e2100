"""A Stop that Python ignores comes again.

Where an object ends, Python calls what cannot fail: `__del__`, the callback of a weak reference, as
Python's weak sets have one, a callback of the garbage collector or of C. What is raised there is given to
`sys.unraisablehook`, which prints it, and is over. If the signal comes just then, that is the cell's Stop.

What ends next may swallow it again, and without a word: C drops what a socket's `__repr__` raises when
nobody closed the socket, and what the `close()` of a file raises that is written in Python. So it comes again
where the code goes on in which the object ended.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from operator import call
from types import FrameType
from typing import Any

from namespace_kernel.base.patching import Patch

from .thread_stop import ThreadStop

#: What ends takes fewer looks for signals; more takes a call that is a part of the instruction, or a loop.
_MOST_LOOKS = 1000

#: Raises the signal in the main thread as soon as that goes on. In C.
_interrupt_main: Callable[[], object] = partial(_thread.interrupt_main, signal.SIGINT)


class SwallowedStops:
    """Stands before `sys.unraisablehook`, and gives it all but the `KeyboardInterrupt` of a cell that runs.

    `cell_runs` says whether one does on the main thread. A hook that the user sets takes the place of ours.

    Thread: any.
    """

    def __init__(self, cell_runs: Callable[[], bool]) -> None:
        self._cell_runs = cell_runs
        self.patches = (Patch(sys, "unraisablehook", self._in_front_of),)

    def _in_front_of(self, original: Callable[[Any], object]) -> Callable[[Any], None]:
        def unraisablehook(unraisable: Any, /) -> None:
            try:
                stop = self._stop_of_caller() if unraisable.exc_type is KeyboardInterrupt else None
                if stop is None:
                    original(unraisable)
                    return
            except KeyboardInterrupt:  # it came while another was told of
                stop = self._stop_of_caller()
                if stop is None:
                    raise
            if stop is _interrupt_main:
                _Later.install(sys._getframe().f_back)
            # Python looks for signals after each call, and here one would be swallowed again. After this it
            # does not look.
            [_] = map(call, (stop,))

        return unraisablehook

    def _stop_of_caller(self) -> Callable[[], object] | None:
        """What stops the cell of the calling thread again; `None` if there is none."""
        running = ThreadStop.of_caller()
        if running is not None:
            return running.again
        is_main = threading.current_thread() is threading.main_thread()
        return _interrupt_main if is_main and self._cell_runs() else None


class _Later:
    """Handles SIGINT until `frame` is at its next instruction; then who handled it before. Thread: main."""

    def __init__(self, frame: FrameType, before: Callable[..., object]) -> None:
        self._frame = frame
        self._stands_at = frame.f_lasti
        self._before = before
        self._looks = _MOST_LOOKS

    @classmethod
    def install(cls, frame: FrameType | None) -> None:
        """Let it handle the next one, if a handler of Python's does now."""
        before = signal.getsignal(signal.SIGINT)
        if frame is not None and callable(before):
            signal.signal(signal.SIGINT, cls(frame, before))

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Let it come again, and to whom it is for if it is time."""
        self._looks -= 1
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        if frame is None or frame.f_lasti != self._stands_at or not self._looks:
            signal.signal(signal.SIGINT, self._before)
        [_] = map(call, (_interrupt_main,))
