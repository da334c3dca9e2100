"""For the process of a `%%dask` cell that reads Dask futures: they need a client when they are unpickled."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from distributed import Client, Future

from namespace_kernel.base.patching import Patch, Patches

if TYPE_CHECKING:
    from distributed import Future

#: Of the scheduler that the cell's worker belongs to; it lives as long as the process.
client = Client(os.environ["DASK_SCHEDULER_ADDRESS"])


def _binding(original: Callable[[Future[object]], None]) -> Callable[[Future[object]], None]:
    """Bind a future that came from elsewhere to this process's client, and ask the scheduler about it."""

    def bind_late(future: Future[object]) -> None:
        if future._client is None:
            future._client = client
            wanted = {"op": "client-desires-keys", "keys": [future.key], "client": client.id}
            client._send_to_scheduler(wanted)
        original(future)

    return bind_late


# Dask binds futures among the arguments of its own tasks only.
Patches(Patch(Future, "_bind_late", _binding)).install()
