"""`%%dask`: a worker of a Dask cluster.

All goes through the scheduler: the cell as a task, what it says as events, Stop as a function that is run
on its worker. So it works through gateways, and the kernel need not be reachable.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from namespace_kernel.base.errors import ElsewhereError, MissingPackageError, WorkerLostError
from namespace_kernel.base.threads import Lock

if TYPE_CHECKING:  # imported when a cell goes there, not when a kernel starts
    from mmap import mmap

    from distributed import Client, LocalCluster

    from namespace_kernel.remote.memory.regions import Region
    from namespace_kernel.remote.transfer.messages import CellRequest
    from namespace_kernel.remote.transfer.packing import Piece

    from .dask_run import DaskConnection, DaskRun

#: Seconds to reach a scheduler.
_CONNECT = 20.0


class DaskSite:
    """Implements `elsewhere.Site` with the cluster that the cell or the user names, or one of this machine.

    `lookup` finds names of the user's; `limit` says how many bytes of results leave the cluster. Thread: any.
    """

    place = "the Dask cluster"
    is_here = False

    def __init__(self, lookup: Callable[[str], Any], limit: Callable[[], int]) -> None:
        self._lookup = lookup
        self._limit = limit
        self._lock = Lock()
        self._connections: dict[int, DaskConnection] = {}
        self._own: dict[str, Client] = {}
        self._cluster: LocalCluster | None = None

    def start(self, request: CellRequest, pieces: Iterable[Piece]) -> DaskRun:
        """See `elsewhere.Site`."""
        from .dask_run import DaskRun

        options = request.options
        limit = -1 if "keep" in options else self._limit()
        resources = _resources(options.get("resources", ""))
        with self._lock:
            try:
                connection = self._connection_to(self._client(options))
            except (TimeoutError, OSError, ValueError) as error:
                raise WorkerLostError(
                    f"no Dask scheduler can be reached: {error}. Nothing was merged"
                ) from None
        return DaskRun(connection, request, pieces, limit, resources)

    def share(self, raw: memoryview) -> memoryview:
        """See `elsewhere.Site`. The cluster may be on other machines."""
        return raw

    def map(self, region: Region) -> mmap:
        """See `elsewhere.Site`."""
        return region.map()

    def close(self) -> None:
        """Leave all clusters, and end the one that was started here."""
        with self._lock, contextlib.suppress(Exception):
            for client in self._own.values():
                client.close(timeout=1)
            if self._cluster is not None:
                self._cluster.close(timeout=5)

    def _connection_to(self, client: Client) -> DaskConnection:
        from .dask_run import DaskConnection

        connection = self._connections.get(id(client))
        if connection is None or connection.client is not client:
            connection = self._connections[id(client)] = DaskConnection(client)
        return connection

    def _client(self, options: Mapping[str, str]) -> Client:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise MissingPackageError(error.name or "distributed", "dask") from None
        if "address" in options:
            return self._own_client(options["address"])
        if "cluster" in options:
            cluster = self._lookup(options["cluster"])
            if not hasattr(cluster, "scheduler_address"):
                raise ElsewhereError(
                    f"`--cluster {options['cluster']}` names no Dask cluster; bind one to it first"
                )
            return self._own_client(cluster.scheduler_address, cluster)
        with contextlib.suppress(ValueError):
            client = Client.current()
            if client.status == "running":
                return self._own_client(client.scheduler.address) if client.asynchronous else client
        if "DASK_SCHEDULER_ADDRESS" in os.environ:
            return self._own_client(os.environ["DASK_SCHEDULER_ADDRESS"])
        return self._own_client("", self._local_cluster())

    def _own_client(self, address: str, cluster: object = None) -> Client:
        from distributed import Client

        client = self._own.get(address)
        if client is None or client.status != "running":
            where = address if cluster is None else cluster
            client = self._own[address] = Client(where, timeout=_CONNECT, set_as_default=False)
        return client

    def _local_cluster(self) -> LocalCluster:
        from distributed import LocalCluster

        if self._cluster is None or self._cluster.status.name != "running":
            self._cluster = LocalCluster(
                host="127.0.0.1", dashboard_address=None, preload=f"{__package__}.dask_task"
            )
        return self._cluster


def _resources(text: str) -> dict[str, float]:
    """`GPU=1,MEMORY=2e9` as a dict. Raises `ElsewhereError`."""
    try:
        pairs = (one.split("=", 1) for one in text.split(",") if one)
        return {name.strip(): float(number) for name, number in pairs}
    except ValueError:
        raise ElsewhereError(f"`--resources {text}` is not of the form GPU=1,MEMORY=2e9") from None
