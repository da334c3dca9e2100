"""What a traceback needs is imported when there is one, and not under a lock of the user's.

Importing stack_data asks for a logger. While a thread of the user's holds logging's lock, or the lock of a
module that is being imported, the cell that failed would wait for ever and show nothing.
"""

from __future__ import annotations

import _thread
import contextlib
import importlib
from collections.abc import Iterator

_NAMES = ("stack_data", "pygments.lexers.python", "pygments.formatters.terminal256", "pygments.styles")

#: Seconds that the first traceback waits for them: on an idle machine they take 0.03.
_PATIENCE = 3.0


class NeededModules:
    """Those modules.

    Thread: any. `wait` takes no lock that is written in Python: a Stop may come.
    """

    def __init__(self) -> None:
        self._loading = _thread.allocate_lock()
        self._loading.acquire()
        self._begun = self._are_there = False

    def load(self) -> Iterator[None]:
        """Import them, step by step."""
        for name in _NAMES:
            importlib.import_module(name)
            yield
        self._are_there = True

    def wait(self) -> bool:
        """Import them if need be; `False` if that takes too long. Only the first call waits."""
        if self._are_there:
            return True
        patience = 0.0 if self._begun else _PATIENCE
        if not self._begun:
            self._begun = True
            _thread.start_new_thread(self._load, ())
        if not self._loading.acquire(timeout=patience):
            return False
        self._loading.release()
        return True

    def _load(self) -> None:
        with contextlib.suppress(Exception):  # who asks next is told
            for _ in self.load():
                pass
        self._loading.release()


needed_modules = NeededModules()
