"""Who wrote a name last."""

from __future__ import annotations

from dataclasses import dataclass

from ..cell import CellChanges, Context


@dataclass(frozen=True, slots=True)
class Provenance:
    """The cell (its execution id) and the context that wrote a name last."""

    execution_id: str
    context: Context


class ProvenanceBook:
    """Keeps one `Provenance` per name that exists.

    Thread: any, under the namespace's lock.
    """

    def __init__(self) -> None:
        self._last: dict[str, Provenance] = {}

    def record(self, changes: CellChanges, execution_id: str, context: Context) -> None:
        """Note the names that a cell wrote, forget those that it deleted."""
        if changes.added or changes.rebound:
            writer = Provenance(execution_id, context)
            self._last.update(dict.fromkeys([*changes.added, *changes.rebound], writer))
        for name in changes.deleted:
            self._last.pop(name, None)

    def get(self, name: str) -> Provenance | None:
        """The last writer of `name`, or `None` if no cell wrote it."""
        return self._last.get(name)

    def clear(self) -> None:
        """Forget everything (`%reset`)."""
        self._last.clear()
