"""One thread at a time in jedi, and in parso.

Both keep what they have found out in the module and in half-made objects, without locks. If two threads use
them, above all while they are imported, names complete to nothing, for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.threads import Lock

#: For so many seconds others wait for a thread that is in jedi. It may be held up by the user's `__dir__`.
_PATIENCE = 1.0
#: So long they wait at least.
_MOMENT = 0.05


class JediTurn:
    """Whose turn it is. Thread: any."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._since = 0.0

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Whether it is the caller's turn, for the duration; if not, another one's takes long."""
        taken = self._lock.acquire(timeout=max(_MOMENT, self._since + _PATIENCE - monotonic()))
        try:
            if taken:
                self._since = monotonic()
            yield taken
        finally:
            if taken:
                self._lock.release()
