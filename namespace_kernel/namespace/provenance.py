"""Who wrote a name last."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from namespace_kernel.base.cell import Names


@dataclass(frozen=True, slots=True)
class Provenance:
    """The cell (its execution id) and the context that wrote a name last.

    `context` is a `Context`, or the word of a program that updated the namespace. `when` is the time
    (`time.time`) at which the cell had ended; it does not count in comparisons.
    """

    execution_id: str
    context: str
    when: float = field(default_factory=time.time, compare=False)


class Entry(NamedTuple):
    """Who wrote a name, the record's serial number, and the id of the value at that time."""

    writer: Provenance
    serial: int
    value_id: int


class ProvenanceBook:
    """Keeps one `Provenance` per name that exists.

    Thread: any, under the namespace's lock.
    """

    def __init__(self) -> None:
        self._last: dict[str, Entry] = {}
        #: Grows with every record.
        self.serial = 0

    def record(
        self,
        written: Names,
        deleted: Iterable[str],
        execution_id: str,
        context: str,
        opened: int | None = None,
    ) -> None:
        """Note the names that a cell wrote, forget those that it deleted.

        A name that somebody else has written since `opened`, and that still has that value, is theirs:
        the cell found it changed, but did not change it.
        """
        self.serial += 1
        writer = Provenance(execution_id, context)
        for name, value in written.items():
            last = self._last.get(name)
            theirs = last is not None and opened is not None and last.serial > opened
            if last is None or not theirs or last.value_id != id(value):
                self._last[name] = Entry(writer, self.serial, id(value))
        for name in deleted:
            self._last.pop(name, None)

    def put_back(self, values: Names, written: Mapping[str, Provenance]) -> None:
        """Note that `values` are what those of `written` have made, though they came only now."""
        self.serial += 1
        for name, value in values.items():
            if name in written:
                self._last[name] = Entry(written[name], self.serial, id(value))

    def get(self, name: str) -> Provenance | None:
        """The last writer of `name`, or `None` if no cell wrote it."""
        entry = self._last.get(name)
        return None if entry is None else entry.writer

    def entry(self, name: str) -> Entry | None:
        """The record about `name`, if there is one."""
        return self._last.get(name)

    def clear(self) -> None:
        """Forget everything (`%reset`)."""
        self._last.clear()
