"""Whose turn it is: the cells', or the journal's between two of them."""

from __future__ import annotations

import threading

from namespace_kernel.base.originals import monotonic

#: Seconds without a cell that are idle time.
_QUIET = 0.02
#: The part of cells' time that the journal may take; the longest that a cell waits at a time, and the least.
_PART, _LONGEST, _SHORTEST = 0.025, 0.1, 0.002


class GivenUpError(BaseException):
    """A cell has begun: no code of a pickled object may take this for its own error."""


class Turns:
    """Who has the turn: cells, or the journal between them.

    Thread: `began` and `ended` the cell's, the others the keeper's.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self._running = 0
        self._last_end = monotonic()
        self._earned = 0.0
        self._held = 0
        #: Somebody waits for what is taken, and lets it be taken.
        self.wanted = threading.Event()
        self.idle = threading.Event()
        self.idle.set()

    def began(self) -> None:
        """A cell begins. If it has been earned, it waits a moment until its predecessors' state is taken."""
        if not self.idle.is_set() and not self._running and self._earned >= _SHORTEST:
            began = monotonic()
            self.wanted.set()
            self.idle.wait(min(self._earned, _LONGEST))
            self.wanted.clear()
            self._earned -= monotonic() - began
        self._running += 1  # first: who sees the new epoch sees that a cell runs
        self.epoch += 1

    def ended(self, duration: float) -> None:
        """A cell has ended."""
        self._last_end = monotonic()
        self.epoch += 1
        self._running = max(0, self._running - 1)
        self._earned = min(self._earned + _PART * duration, 1.0)

    @property
    def is_quiet(self) -> bool:
        """Whether the names may be looked at now."""
        if self._held or self.wanted.is_set():
            return True
        return not self._running and monotonic() - self._last_end >= _QUIET

    @property
    def cells_run(self) -> bool:
        """Whether cells run, which the journal must leave the processor."""
        return bool(self._running) and not self._held

    def check(self, epoch: int) -> None:
        """Raise `GivenUpError` if a cell has begun or ended since `epoch`."""
        if self.epoch != epoch:
            raise GivenUpError

    def hold(self, change: int) -> None:
        """The running cell waits for the journal (+1), or no longer (-1). Thread: the cell's."""
        self._held += change
