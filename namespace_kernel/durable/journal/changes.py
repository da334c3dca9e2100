"""Which names may hold something else than what was kept last, and which cell made each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType

from namespace_kernel.base.cell import Names
from namespace_kernel.base.safe_facts import class_name
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.namespace.reserved_names import MODULE_NAMES, is_engine_name

from .candidates import ATOMS, drawn_on, reached, reads_of
from .disk.steps import NameRow
from .records import CellRecord
from .surroundings import NAME, Surroundings
from .taking.capture import Taken


@dataclass(slots=True)
class Known:
    """A name as it was kept last. `with_names` are those of its piece."""

    row: NameRow
    value_id: int
    kind: type
    reads: frozenset[str] = frozenset()
    ids: Iterable[int] = ()
    with_names: tuple[str, ...] = ()


@dataclass(slots=True)
class Look:
    """What was found by one look, as far as it came. Kept across looks until a cell may have changed it."""

    singles: dict[str, Taken | str] = field(default_factory=dict)
    value_ids: dict[str, tuple[int, type]] = field(default_factory=dict)


class Changes:
    """What cells, tasks and threads have changed in the names of `manager`, until it is kept.

    `is_engines` says of a name and its value that whoever runs the cells has put it there. `worth` are
    seconds that a piece may cost whatever its cell took.

    Thread: the keeper's; `restored` the cell's, while that rests.
    """

    def __init__(
        self, manager: AsyncNamespaceManager, is_engines: Callable[[str, object], bool], worth: float
    ) -> None:
        self._manager = manager
        self._worth = worth
        self._is_engines = is_engines
        self._alive: list[tuple[int, CellRecord]] = []
        self._makers: dict[str, int] = {}
        self._durations: dict[int, float] = {}
        #: Values that came back from disk, by id: the cell that brought them has not made them.
        self._restored: dict[str, int] = {}
        #: The cells that have ended since the last state.
        self.cells: dict[int, CellRecord] = {}
        self.known: dict[str, Known] = {}
        self.dirty: set[str] = set()
        self.look = Look()
        self.surroundings = Surroundings()

    def restored(self, makers: Mapping[str, int]) -> None:
        """These names are back, and were made by those cells."""
        live = self._manager.namespace
        self._restored |= {name: id(live[name]) for name in makers if name in live}
        self._makers |= makers

    def find(self) -> Names:
        """Find what has changed; return all names with what they hold now."""
        self._alive = [one for one in self._alive if self._note_alive(*one)]
        names = {
            name: value
            for name, value in self._manager.namespace.items()
            if _is_kept(name) and not self._is_engines(name, value)
        }
        around = self.surroundings.look() if self.cells else self.surroundings.seen
        if around:
            names[NAME] = around
        self._find_rebound(names)
        self.dirty = {name for name in self.dirty if name in names}
        return names

    def note(self, serial: int, record: CellRecord) -> None:
        """What the cell wrote, and what it may have changed."""
        reads = reads_of(record)
        if record.reads is None:
            record = replace(record, reads=reads)
        self.cells[serial] = record
        self._durations[serial] = record.duration
        live = self._manager.live
        for name in record.written:
            if self._restored.pop(name, None) != id(live.get(name, self)):
                self._makers[name] = serial
        self.surroundings.note(record)
        self._mark({*record.written, *record.deleted, *reads, *drawn_on(live)})
        if record.lives is not None and record.lives():
            self._alive.append((serial, record))

    def _note_alive(self, serial: int, record: CellRecord) -> bool:
        """What tasks and threads may have changed. Whether they still run."""
        self._mark(record.reads or ())
        return record.lives is not None and record.lives()

    def _mark(self, names: Iterable[str]) -> None:
        """These may have changed."""
        for name in reached(names, self._reads_of_name):
            known = self.known.get(name)
            mates = known.with_names if known is not None else (name,)
            self.dirty.update(mates)
            for mate in mates:
                self.look.singles.pop(mate, None)

    def _reads_of_name(self, name: str) -> Iterable[str]:
        single = self.look.singles.get(name)
        if isinstance(single, Taken):
            return single.reads
        known = self.known.get(name)
        return known.reads if known is not None else ()

    def _find_rebound(self, names: Names) -> None:
        """Names that nobody has told of: bound by tasks and threads. Also those that need no look."""
        for name, value in names.items():
            known = self.known.get(name)
            if known is None or known.value_id != id(value) or known.kind is not type(value):
                self.dirty.add(name)
            elif name in self.dirty and (known.kind in ATOMS or known.kind is ModuleType):
                self.dirty.discard(name)
            seen = self.look.value_ids.get(name)
            if seen is not None and seen != (id(value), type(value)):
                self.look.singles.pop(name, None)

    def ids_of(self, names: Names) -> dict[str, Iterable[int]]:
        """The ids of the mutable objects that each of `names` holds, as far as they were taken."""
        ids = {name: one.ids for name, one in self.known.items() if name in names}
        return ids | {name: _ids(self.look.singles[name]) for name in self.dirty}

    def differs(self, row: NameRow) -> bool:
        """Whether something else is kept of the name."""
        known = self.known.get(row.name)
        return known is None or known.row != row

    def most(self, names: Iterable[str]) -> float:
        """Seconds that these names may take together."""
        return max(self._worth, *(self._durations.get(self._makers.get(name, 0), 0.0) for name in names))

    def rows_for(
        self, taken: dict[str, Taken | str], names: Names
    ) -> tuple[dict[str, Known], dict[str, Taken]]:
        """What becomes known, and the pieces of it. A group's pieces are there once."""
        known: dict[str, Known] = {}
        pieces: dict[str, Taken] = {}
        for name, one in taken.items():
            value, maker = names[name], self._makers.get(name, 0)
            kind = class_name(type(value))
            if isinstance(one, Taken):
                ids = _ids(self.look.singles.get(name, one))
                row = NameRow(name, kind, one.size, maker, one.digest, one.without)
                known[name] = Known(row, id(value), type(value), one.reads, ids, one.names)
                pieces[one.digest] = one
            else:
                row = NameRow(name, kind, 0, maker, reason=one)
                known[name] = Known(row, id(value), type(value), with_names=(name,))
        return known, pieces

    def kept(self, known: Mapping[str, Known], cells: Iterable[int], deleted: Iterable[str]) -> None:
        """All that is on disk now."""
        for serial in cells:
            self.cells.pop(serial, None)
        for name in deleted:
            self.known.pop(name, None)
        self.known.update(known)
        self.dirty -= known.keys()
        self.look = Look()


def _is_kept(name: object) -> bool:
    return type(name) is str and name not in MODULE_NAMES and not is_engine_name(name) and name[:2] != "__"


def _ids(one: Taken | str) -> Iterable[int]:
    return one.ids if isinstance(one, Taken) else ()
