"""`%%isolated`: another process of this machine."""

from __future__ import annotations

from collections.abc import Iterable

from ..transport import CellRequest, Piece
from .processes import ProcessPool, WorkerProcess


class _Run:
    """Implements `elsewhere.RemoteRun`."""

    def __init__(self, pool: ProcessPool, worker: WorkerProcess) -> None:
        self._pool = pool
        self._worker = worker
        self.next_message = worker.next_message
        self.done_with_message = worker.done_with_message
        self.wake = worker.wake
        self.interrupt = worker.interrupt

    def end(self, whole: bool) -> None:
        """See `elsewhere.RemoteRun`."""
        if whole:
            self._pool.give_back(self._worker)
        else:
            self._pool.drop(self._worker)


class IsolatedSite:
    """Implements `elsewhere.Site` with a pool of processes.

    Thread: any.
    """

    place = "another process"
    is_here = True

    def __init__(self, pool: ProcessPool) -> None:
        self._pool = pool

    def start(self, request: CellRequest, pieces: Iterable[Piece]) -> _Run:
        """See `elsewhere.Site`."""
        pieces = tuple(pieces)
        worker = self._pool.take(pieces)
        worker.run(request, pieces)
        return _Run(self._pool, worker)
