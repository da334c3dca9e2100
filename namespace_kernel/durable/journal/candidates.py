"""Which names a cell may have changed in place: what its code reads, and the functions that it calls."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable

from namespace_kernel.base.cell import Names
from namespace_kernel.remote.transfer.reads import names_read

from .records import CellRecord

#: Values of these classes are never changed in place.
ATOMS = frozenset((int, float, complex, bool, str, bytes, type(None), range))


def reads_of(record: CellRecord) -> frozenset[str]:
    """The names that the cell's own code reads; none if it is no Python."""
    if record.reads is not None:
        return record.reads
    try:
        code = compile(
            record.python or record.source,
            "<cell>",
            "exec",
            ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
    except (SyntaxError, ValueError):
        return frozenset()
    return names_read(code)


def drawn_on(names: Names) -> list[str]:
    """The names of figures and what is in them, if pyplot holds a figure: its functions change that."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None or not hasattr(pyplot, "get_fignums") or not pyplot.get_fignums():
        return []
    return [name for name, value in names.items() if str(type(value).__module__).startswith("matplotlib.")]


def reached(names: Iterable[str], reads_of_name: Callable[[str], Iterable[str]]) -> set[str]:
    """`names`, and what the functions behind them read, and so on."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(reads_of_name(name))
    return found
