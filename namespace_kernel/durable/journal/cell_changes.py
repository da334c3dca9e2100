"""What a cell has done to names: noted at its end, and made a record when all its hooks are through."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from namespace_kernel.base.execution import Execution
from namespace_kernel.execution.hooks import Settling

from .adoption import is_restored
from .records import CellRecord


@dataclass(slots=True)
class CellChanges:
    """Kept with a cell until it has ended.

    `made` are the ids of the values that it has bound itself, by name; `undoes` if it has called `undo`.
    """

    written: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    made: dict[str, int] = field(default_factory=dict)
    undoes: bool = False


def note(settling: Settling) -> None:
    """Note what the cell wrote, and which of that is its own, not what came back or what others wrote."""
    changes, own = settling.changes, settling.execution.keep(CellChanges())
    own.written, own.deleted = frozenset(changes.added) | frozenset(changes.rebound), changes.deleted
    cell = settling.execution.cell.execution_id
    for name, value in (*changes.added.items(), *changes.rebound.items()):
        writer = settling.namespace.provenance(name)
        if writer is None or (writer.execution_id == cell and not is_restored(writer)):
            own.made[name] = id(value)


def record_of(execution: Execution) -> CellRecord:
    """The record of a cell that has ended."""
    changes = execution.find(CellChanges) or CellChanges()
    return CellRecord(
        execution.cell.number,
        execution.cell.code,
        changes.written,
        changes.deleted,
        max(0.0, time.time() - execution.since),
        python=execution.route.source,
        lives=lambda: bool(execution.tasks or execution.threads or execution.jobs),
        made=changes.made,
        undoes=changes.undoes,
    )
