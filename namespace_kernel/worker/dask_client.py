"""For the process of a `%%dask` cell that reads Dask futures: they need a client when they are unpickled."""

from __future__ import annotations

import os
from typing import Any

from distributed import Client, Future

#: Of the scheduler that the cell's worker belongs to; it lives as long as the process.
client = Client(os.environ["DASK_SCHEDULER_ADDRESS"])

_bind_late: Any = Future._bind_late


def _bind(future: Any) -> None:
    """Bind a future that came from elsewhere to this process's client, and ask the scheduler about it."""
    if future._client is None:
        future._client = client
        client._send_to_scheduler({"op": "client-desires-keys", "keys": [future.key], "client": client.id})
    _bind_late(future)


# Dask binds futures among the arguments of its own tasks only.
Future._bind_late = _bind  # type: ignore[method-assign]
