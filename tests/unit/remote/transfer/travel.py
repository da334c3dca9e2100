"""A namespace to pack from, and one to arrive in."""

from __future__ import annotations

import ast
import pickle
import types
from typing import Any

from namespace_kernel.remote.transfer.packing import new_arrival, unpack
from namespace_kernel.remote.transfer.parcel import Parcel, make_parcel

#: What the other side has by itself.
NEVER = frozenset(dir(types.ModuleType("builtins").__class__)) | {"__builtins__"}


def namespace(source: str) -> dict[str, Any]:
    """The dict of a `__main__` in which `source` has run."""
    live = types.ModuleType("__main__").__dict__
    exec(code(source), live)
    return live


def code(source: str) -> types.CodeType:
    return compile(source, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def parcel(live: dict[str, Any], source: str, **options: Any) -> Parcel:
    return make_parcel(code(source), live.copy(), live, never=NEVER, **options)


def arrive(sent: Parcel) -> dict[str, Any]:
    """A namespace of another process (as far as pickling is concerned) with what is in `sent`."""
    there: dict[str, Any] = types.ModuleType("__main__").__dict__
    arrival = new_arrival(there)
    for piece in pickle.loads(pickle.dumps(sent.pieces, protocol=5)):
        there |= unpack(piece, arrival)
    return there
