"""Names that were there before the journal began: made by cells, or brought back from disk."""

from __future__ import annotations

import re
from collections.abc import Iterator

from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.namespace.provenance import Provenance

from .records import CellRecord

#: The context of a name that came back: no cell of this kernel has made it.
RESTORED = "restored"
#: What cells are called.
_CELL = re.compile(r"In \[(\d+)\]")


def is_restored(writer: Provenance) -> bool:
    """Whether a name came back, and `writer` is a cell of a kernel before this one."""
    return writer.context == RESTORED


def cells_before(manager: AsyncNamespaceManager) -> Iterator[CellRecord]:
    """The cells that have made names of `manager`, in their order."""
    inputs = manager.engine.values().get("In", ())
    written: dict[int, set[str]] = {}
    for name, writer in _writers(manager):
        found = _CELL.fullmatch(writer.execution_id)
        if found and not is_restored(writer):
            written.setdefault(int(found[1]), set()).add(name)
    for number in sorted(written):
        source = inputs[number] if number < len(inputs) else ""
        yield CellRecord(number, source, frozenset(written[number]))


def came_back(manager: AsyncNamespaceManager) -> list[tuple[str, str]]:
    """The names of `manager` that came back from disk, each with the cell that made it."""
    return [(name, writer.execution_id) for name, writer in _writers(manager) if is_restored(writer)]


def _writers(manager: AsyncNamespaceManager) -> Iterator[tuple[str, Provenance]]:
    for name in manager.namespace:
        writer = manager.provenance(name) if type(name) is str else None
        if writer is not None:
            yield name, writer
