"""A Stop that Python ignores comes again.

Where an object ends, Python calls what cannot fail: `__del__`, the callback of a weak reference, as
Python's weak sets have one, a callback of the garbage collector or of C. What is raised there is given to
`sys.unraisablehook`, which prints it, and is over. If the signal comes just then, that is the cell's Stop.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from operator import call
from typing import Any

from namespace_kernel.base.patching import Patch

from .thread_stop import ThreadStop

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
            stop = self._stop_of_caller() if unraisable.exc_type is KeyboardInterrupt else None
            if stop is None:
                original(unraisable)
                return
            # Python looks for signals after each call, and here one would be swallowed again. After this it
            # does not look, and the next line that runs is the one where the object ended.
            [_] = map(call, (stop,))

        return unraisablehook

    def _stop_of_caller(self) -> Callable[[], object] | None:
        """What stops the cell of the calling thread again; `None` if there is none."""
        running = ThreadStop.of_caller()
        if running is not None:
            return running.again
        is_main = threading.current_thread() is threading.main_thread()
        return _interrupt_main if is_main and self._cell_runs() else None
