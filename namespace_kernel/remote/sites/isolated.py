"""`%%isolated`: another process of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from namespace_kernel.base.execution import current_execution
from namespace_kernel.base.threads import Lock

if TYPE_CHECKING:
    from mmap import mmap

    from namespace_kernel.remote.memory.regions import Region

    # imported when a cell goes there, not when a kernel starts
    from namespace_kernel.remote.transfer.messages import CellRequest
    from namespace_kernel.remote.transfer.packing import Buffer, Piece

    from .process_pool import ProcessPool
    from .worker_process import WorkerProcess


class _Run:
    """Implements `elsewhere.RemoteRun`."""

    def __init__(
        self, pool: ProcessPool, worker: WorkerProcess, works_for: Callable[[int, str], object]
    ) -> None:
        self._works_for = works_for
        self._pool = pool
        self._worker = worker
        self.next_message = worker.next_message
        self.done_with_message = worker.done_with_message
        self.wake = worker.wake
        self.interrupt = worker.interrupt

    def end(self, whole: bool) -> None:
        """See `elsewhere.RemoteRun`."""
        self._works_for(self._worker.process.pid, "")
        if whole:
            self._pool.give_back(self._worker)
        else:
            self._pool.drop(self._worker)


class IsolatedSite:
    """Implements `elsewhere.Site` with a pool of processes.

    `keep()` says how many may wait for further cells; `works_for` is told the pid and the cell of each.

    Thread: any.
    """

    place = "another process"
    is_here = True

    def __init__(self, keep: Callable[[], int], works_for: Callable[[int, str], object]) -> None:
        self._keep = keep
        self._works_for = works_for
        self._lock = Lock()
        self._pool: ProcessPool | None = None

    @property
    def pool(self) -> ProcessPool:
        """The processes; there are none before it is asked for."""
        from .process_pool import ProcessPool

        with self._lock:
            if self._pool is None:
                self._pool = ProcessPool(self._keep)
            return self._pool

    def close(self, timeout: float) -> None:
        """End all processes, within `timeout` seconds."""
        if self._pool is not None:
            self._pool.close(timeout)

    def share(self, raw: memoryview) -> Buffer | Region:
        """See `elsewhere.Site`."""
        return self.pool.shelf.share(raw)

    def map(self, region: Region) -> mmap:
        """See `elsewhere.Site`."""
        return self.pool.shelf.map(region)

    def start(self, request: CellRequest, pieces: Iterable[Piece]) -> _Run:
        """See `elsewhere.Site`."""
        pieces = tuple(pieces)
        worker = self.pool.take(pieces)
        execution = current_execution.get()
        self._works_for(worker.process.pid, "" if execution is None else execution.cell.execution_id)
        worker.run(request, pieces)
        return _Run(self.pool, worker, self._works_for)
