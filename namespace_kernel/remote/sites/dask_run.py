"""The run of one `%%dask` cell, seen from the kernel. Imported with the first one."""

from __future__ import annotations

import contextlib
import pickle
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from queue import Empty
from typing import TYPE_CHECKING, Any

from namespace_kernel.base.threads import Lock, SimpleQueue
from namespace_kernel.remote.sites import dask_task
from namespace_kernel.remote.transfer.messages import CellRequest, Event, Lost, Report
from namespace_kernel.remote.transfer.packing import Piece

if TYPE_CHECKING:
    from distributed import Client, Future

#: Seconds: to reach a scheduler, between two looks at it, and that it may be away.
_CONNECT, _LOOK, _AWAY = 20.0, 0.5, 5.0
#: Bytes: smaller pieces travel with the cell; of others so many stay on the cluster for the next cells.
_SMALL, _KEPT = 64 * 2**10, 512 * 2**20
_ENDED = object()


class DaskConnection:
    """One client, and the cells that run through it. Thread: any."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.topic = f"namespace_kernel-{uuid.uuid4().hex}"
        self.runs: dict[str, DaskRun] = {}
        self._lock = Lock()
        self._sent: OrderedDict[str, tuple[Future[object], int]] = OrderedDict()
        client.subscribe_topic(self.topic, self._heard)
        client.subscribe_topic("all", self._cluster_changed)

    def futures_of(self, pieces: Iterable[Piece]) -> list[Piece | Future[object]]:
        """The pieces for a task: as futures of what the cluster has already, if they are large."""
        with self._lock:
            given = [piece if piece.size < _SMALL else self._future_of(piece) for piece in pieces]
            while sum(size for _, size in self._sent.values()) > _KEPT and len(self._sent) > 1:
                self._sent.popitem(last=False)
        return given

    def _future_of(self, piece: Piece) -> Future[object]:
        future, size = self._sent.get(piece.digest, (None, piece.size))
        if future is None or future.status != "finished":
            future = self.client.scatter(piece, hash=False)
        self._sent[piece.digest] = future, size
        self._sent.move_to_end(piece.digest)
        return future

    def _heard(self, event: tuple[object, Any]) -> None:
        _, (run, kind, content) = event
        if run in self.runs:
            self.runs[run].heard(kind, content)

    def _cluster_changed(self, event: tuple[object, Any]) -> None:
        _, message = event
        if isinstance(message, dict) and message.get("action") == "remove-worker":
            for run in list(self.runs.values()):
                run.worker_left(str(message.get("worker")))


class DaskRun:
    """Implements `elsewhere.RemoteRun`. `limit` says how many bytes of results leave the cluster."""

    def __init__(
        self,
        connection: DaskConnection,
        request: CellRequest,
        pieces: Iterable[Piece],
        limit: int,
        resources: dict[str, float],
    ) -> None:
        self._id = uuid.uuid4().hex
        self._connection = connection
        self._client: Any = connection.client
        self._limit = limit
        self._inbox: SimpleQueue[Any] = SimpleQueue()
        self._current: Event | Report | Lost | None = None
        self._worker: str | None = None
        self._said = 0
        self._ended: tuple[Report | Lost, int, float] | None = None
        self._away_since: float | None = None
        connection.runs[self._id] = self
        self._future = self._client.submit(
            dask_task.run_cell,
            self._id,
            connection.topic,
            replace(request, options={}),
            connection.futures_of(pieces),
            key=f"cell-{self._id}",
            pure=False,
            retries=0,
            resources=resources or None,
        )
        self._future.add_done_callback(lambda future: self._inbox.put(_ENDED))

    def next_message(self, timeout: float | None = None) -> Event | Report | Lost | None:
        """See `elsewhere.RemoteRun`."""
        if self._current is None:
            self._current = self._next(_LOOK if timeout is None else min(timeout, _LOOK))
        return self._current

    def done_with_message(self) -> None:
        """See `elsewhere.RemoteRun`."""
        self._current = None

    def wake(self) -> None:
        """See `elsewhere.RemoteRun`."""
        self._inbox.put(None)

    def interrupt(self) -> None:
        """See `elsewhere.RemoteRun`. A cell that has not begun is taken back."""
        if self._worker is None:
            self._inbox.put(Lost("had not begun it when it was stopped"))
        else:
            self._on_worker(dask_task.interrupt_cell)

    def end(self, whole: bool) -> None:
        """See `elsewhere.RemoteRun`."""
        self._connection.runs.pop(self._id, None)
        if not whole:
            if self._worker is not None:
                self._on_worker(dask_task.kill_cell)
            with contextlib.suppress(Exception):
                self._future.cancel(force=True)

    # What the cluster says; in the client's thread

    def heard(self, kind: str, content: Any) -> None:
        """An event of this cell has arrived."""
        if kind == "said":
            self._inbox.put(pickle.loads(content))
        elif self._worker is None:
            self._worker = content
        else:  # a second worker began it, since the first is lost
            self._inbox.put(Lost(f"({self._worker}) was lost"))

    def worker_left(self, address: str) -> None:
        """A worker of the cluster has gone."""
        if address == self._worker:
            self._inbox.put(Lost(f"({address}) was killed, or has lost its connection"))

    def _next(self, timeout: float) -> Event | Report | Lost | None:
        try:
            message = self._inbox.get(timeout=timeout)
        except Empty:
            message = None
        if message is _ENDED:
            self._ended = (*self._fetch(), time.monotonic() + _AWAY)
            message = None
        if isinstance(message, Lost):
            return message
        if message is not None:
            self._said += 1
            return message  # type: ignore[no-any-return]
        if self._ended is not None:
            report, said, until = self._ended
            return report if self._said >= said or time.monotonic() > until else None
        return self._look()

    def _look(self) -> Lost | None:
        if self._client.status == "running":
            self._away_since = None
            return None
        self._away_since = self._away_since or time.monotonic()
        if self._client.status != "closed" and time.monotonic() - self._away_since < _AWAY:
            return None
        return Lost("cannot be reached: the scheduler has gone away")

    def _fetch(self) -> tuple[Report | Lost, int]:
        """The report, with futures in place of results that stay on the cluster."""
        client, future = self._client, self._future
        try:
            if future.status == "error":
                error = future.exception(timeout=_CONNECT)
                return Lost(f"could not run it ({type(error).__name__}: {error})"), 0
            if future.status != "finished":
                return Lost(f"was taken away: the scheduler calls the cell {future.status}"), 0
            ended = client.submit(dask_task.head_of, future, self._limit, pure=False).result(timeout=_CONNECT)
            message = ended.message
            if isinstance(message, Report) and message.kept:
                kept = {
                    name: client.submit(dask_task.value_of, future, name, pure=False) for name in message.kept
                }
                message = replace(message, kept=kept)
            return message, ended.said
        except Exception as error:
            return Lost(f"did not hand over the results ({type(error).__name__}: {error})"), 0

    def _on_worker(self, function: Callable[[str], None]) -> None:
        """Run `function` on the cell's worker, outside of its tasks. Waits for nothing."""

        def ask() -> None:
            with contextlib.suppress(Exception):
                self._client.run(function, self._id, workers=[self._worker], on_error="ignore")

        threading.Thread(target=ask, name="dask-stop", daemon=True).start()
