"""Packs the zoo into a file, or restores it from there: `python -m tests.zoo pack|restore FILE`.

Each kind has a namespace of its own, which is `__main__` while its code runs.
"""

from __future__ import annotations

import importlib.util
import json
import pickle
import sys
import types
import warnings
from pathlib import Path
from typing import Any

from namespace_kernel.remote.transfer.packing import Piece, new_arrival, unpack
from namespace_kernel.remote.transfer.parcel import make_parcel

from . import arrays, classes, frames, functions, models, refused, values
from .kinds import Kind

KINDS = {
    kind.name: kind
    for module in (values, classes, functions, refused, arrays, frames, models)
    for kind in module.KINDS
}


def pack(kind: Kind) -> tuple[dict[str, str], list[str], tuple[Piece, ...]]:
    """Run the cell of `kind` and pack what it made.

    Return why which names were refused, what others come back without, and the pieces.
    """
    home = _main()
    own = frozenset(home)
    exec(compile(kind.cell, "<cell>", "exec", dont_inherit=True), home)
    made = [name for name in home if name not in own]
    parcel = make_parcel(compile("", "<cell>", "exec"), home, home, send=made, never=own, exactly=True)
    pieces = pickle.loads(pickle.dumps(parcel.pieces, protocol=5))  # what is checked next may change them
    if kind.check:
        assert holds(kind, home), f"{kind.name}: not even where it was made"
    return dict(parcel.left_out), sorted({one for lost in parcel.lost.values() for one in lost}), pieces


def restore(kind: Kind, pieces: tuple[Piece, ...]) -> str:
    """Restore `pieces` and check them; return what is wrong, or nothing."""
    home = _main()
    arrival = new_arrival(home)
    try:
        for piece in pieces:
            home |= unpack(piece, arrival)
    except Exception as error:
        return f"not restored: {type(error).__name__}: {error}"
    try:
        return "" if not kind.check or holds(kind, home) else "different"
    except Exception as error:
        return f"different: {type(error).__name__}: {error}"


def _main() -> dict[str, Any]:
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    return module.__dict__


def holds(kind: Kind, home: dict[str, Any]) -> bool:
    """Whether what the kind's cell made, in `home`, is what it should be."""
    *lines, last = kind.check.split("\n")
    exec(compile("\n".join(lines), "<check>", "exec"), home)
    return bool(eval(compile(last, "<check>", "eval"), home))


def main(what: str, file: Path) -> None:
    """See the module."""
    warnings.simplefilter("ignore")
    if what == "pack":
        packed: dict[str, Any] = {}
        for kind in KINDS.values():
            if kind.needs and importlib.util.find_spec(kind.needs) is None:
                continue
            try:
                packed[kind.name] = pack(kind)
            except BaseException as error:
                packed[kind.name] = f"{type(error).__name__}: {error}"
        file.write_bytes(pickle.dumps(packed, protocol=5))
        return
    told: dict[str, Any] = {}
    for name, one in pickle.loads(file.read_bytes()).items():
        if isinstance(one, str):
            told[name] = {"error": one}
        else:
            refused, lost, pieces = one
            told[name] = {"refused": refused, "lost": lost, "wrong": restore(KINDS[name], pieces)}
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
