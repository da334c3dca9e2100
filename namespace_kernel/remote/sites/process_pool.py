"""Processes of this machine that run cells, one at a time each, and are used again.

No pool of futures is used: a cell's output must arrive while it runs, and to stop one cell its process,
and no other, must be ended.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterable
from contextvars import Context as ContextVars

from namespace_kernel.base.errors import WorkerLostError
from namespace_kernel.base.threads import Lock
from namespace_kernel.remote.memory.shelf import Shelf
from namespace_kernel.remote.transfer.packing import Piece

from .worker_process import WorkerProcess


class ProcessPool:
    """The processes: as many as cells run at a time. `keep()` says how many may wait for further ones.

    `shelf` has the memory that they share with this process.

    Thread: any.
    """

    def __init__(self, keep: Callable[[], int]) -> None:
        self._keep = keep
        self.shelf = Shelf()
        self._lock = Lock()
        self._idle: list[WorkerProcess] = []
        self._all: set[WorkerProcess] = set()
        self._closed = False

    def take(self, pieces: Iterable[Piece]) -> WorkerProcess:
        """A process for one cell: the idle one that has most of `pieces`, or a new one."""
        digests = {piece.digest: piece.size for piece in pieces}
        with self._lock:
            if self._closed:
                raise WorkerLostError("the kernel is ending; no cell can begin in another process")
            self._idle = [one for one in self._idle if one.alive]
            self._all = {one for one in self._all if one.alive}
            if self._idle:
                best = max(self._idle, key=lambda one: one.ledger.bytes_of(digests))
                self._idle.remove(best)
                return best
            # In no cell's context: it outlives the cell.
            try:
                worker: WorkerProcess = ContextVars().run(WorkerProcess)
            except OSError as error:
                raise WorkerLostError(
                    f"no process could be started for this cell ({error.strerror}); nothing of it ran"
                ) from None
            self._all.add(worker)
            return worker

    def give_back(self, worker: WorkerProcess) -> None:
        """Keep a process whose cell has ended for the next one, or end it."""
        with self._lock:
            if worker.alive and not self._closed and len(self._idle) < self._keep():
                self._idle.append(worker)
                return
            self._all.discard(worker)
        worker.close()

    def drop(self, worker: WorkerProcess) -> None:
        """End a process whose cell has not ended."""
        with self._lock:
            self._all.discard(worker)
        worker.kill()

    def close(self, timeout: float) -> None:
        """End all: at once where a cell runs, within `timeout` seconds where none does."""
        with self._lock:
            self._closed = True
            idle, all_of_them = self._idle, self._all
            self._idle, self._all = [], set()
        for worker in idle:
            worker.close()
        for worker in all_of_them - set(idle):
            worker.kill()
        for worker in idle:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(timeout)
            worker.kill()
        for worker in all_of_them:
            worker.process.wait()
