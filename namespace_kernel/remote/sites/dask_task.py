"""What runs on a Dask worker for a `%%dask` cell. Imported there; it needs this package, not Jupyter.

The cell runs in a process of its own beside the worker, so that it can be stopped, its output read while it
runs, and the worker's thread is free again whatever the cell does.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from namespace_kernel.remote.memory.regions import Region
from namespace_kernel.remote.transfer.messages import CellRequest, Lost, Report, Surroundings
from namespace_kernel.remote.transfer.packing import Buffer, Piece, new_arrival, unpack

from .process_pool import ProcessPool
from .worker_process import WorkerProcess

#: One process waits for the next cell.
_pool = ProcessPool(lambda: 1)
_running: dict[str, WorkerProcess] = {}
#: What gives the cell's process a client, and the size of pieces in which futures are looked for.
_CLIENT, _LOOKED_AT = "namespace_kernel.worker.dask_client", 2**20


@dataclass(frozen=True, slots=True)
class Ended:
    """How a cell ended, and how many events it has sent before. Stays on the cluster."""

    message: Report | Lost
    said: int


def dask_setup(worker: Any) -> None:
    """Called by Dask in the workers that the kernel itself has started: Stop is not meant for them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_cell(run: str, topic: str, request: CellRequest, pieces: Sequence[Piece]) -> Ended:
    """Run one cell; what it says goes to `topic` meanwhile. Thread: one of the worker's for tasks."""
    from distributed import get_worker

    dask_worker = get_worker()
    dask_worker.log_event(topic, [run, "begun", dask_worker.address])
    environment = {**os.environ, "DASK_SCHEDULER_ADDRESS": dask_worker.scheduler.address}
    here = Surroundings(os.getcwd(), tuple(sys.path), environment)
    modules = request.modules
    if any(b"distributed.client" in bytes(piece.stream) for piece in pieces if piece.size < _LOOKED_AT):
        modules = (_CLIENT, *modules)
    request = replace(request, surroundings=here, modules=modules)
    process = _running[run] = _pool.take(pieces)
    said = 0
    whole = False
    try:
        process.run(request, [replace(one, buffers=_placed(one)) for one in pieces])
        while True:
            message = process.next_message()
            if message is None:
                continue
            if isinstance(message, Lost):
                return Ended(message, said)
            process.done_with_message()
            if isinstance(message, Report):
                whole = True
                return Ended(message, said)
            dask_worker.log_event(topic, [run, "said", pickle.dumps(message)])
            said += 1
    finally:
        del _running[run]
        if whole:
            _pool.give_back(process)
        else:
            _pool.drop(process)


def _placed(piece: Piece) -> tuple[Buffer | Region, ...]:
    """Its buffers, in memory that the cell's process can map."""
    shared = (one if isinstance(one, Region) else _pool.shelf.share(memoryview(one)) for one in piece.buffers)
    return tuple(shared)


def interrupt_cell(run: str) -> None:
    """Raise `KeyboardInterrupt` in the cell, if it runs on this worker."""
    if run in _running:
        _running[run].interrupt()


def kill_cell(run: str) -> None:
    """End the cell's process, if it runs on this worker."""
    if run in _running:
        _running[run].kill()


def head_of(ended: Ended, limit: int) -> Ended:
    """`ended` for the way to the kernel: without the results if they have more than `limit` bytes."""
    report = ended.message
    if isinstance(report, Lost) or report.results is None or report.results.size <= limit:
        return ended
    size = report.results.size
    return Ended(
        replace(report, results=None, kept=dict.fromkeys(report.results.names), kept_size=size), ended.said
    )


def value_of(ended: Ended, name: str) -> Any:
    """One of the results, as a value on the cluster."""
    assert isinstance(ended.message, Report) and ended.message.results is not None
    return unpack(ended.message.results, new_arrival(vars(sys.modules["__main__"])))[name]
