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


#: The maker of a value of which nobody knows who made it, and no value's id.
_NOBODY = (0, 0)


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
        #: By name the cell that made a value, and the value's id.
        self._makers: dict[str, tuple[int, int]] = {}
        self._durations: dict[int, float] = {}
        #: Values that have just come back from disk, by id: the cell that brought them has not made them.
        self._restored: dict[str, int] = {}
        #: Cells that have called `undo`.
        self.undoing: set[int] = set()
        #: The cells that have ended since the last state.
        self.cells: dict[int, CellRecord] = {}
        self.known: dict[str, Known] = {}
        self.dirty: set[str] = set()
        self.look = Look()
        self.surroundings = Surroundings()

    def restored(self, makers: Mapping[str, int]) -> None:
        """These names are back, and were made by those cells."""
        live = self._manager.namespace
        ids = {name: id(live[name]) for name in makers if name in live}
        self._restored |= ids
        self._makers |= {name: (makers[name], value_id) for name, value_id in ids.items()}

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
        made = record.made
        if made is None:
            made = {name: id(live[name]) for name in record.written if name in live}
        self._makers |= {
            name: (serial, value_id)
            for name, value_id in made.items()
            if self._restored.get(name) != value_id
        }
        self._restored.clear()  # ids are used anew
        if record.undoes:
            self.undoing.add(serial)
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
        found = reached(names, self._reads_of_name)
        if self.look.singles and not all(map(self._is_understood, found)):
            self.look = Look()
        for name in found:
            known = self.known.get(name)
            mates = known.with_names if known is not None else (name,)
            self.dirty.update(mates)
            for mate in mates:
                self.look.singles.pop(mate, None)

    def _is_understood(self, name: str) -> bool:
        """Whether it is known what the name's functions, if it holds any, read and may have changed."""
        is_as_kept = name in self.known and name not in self.dirty
        if is_as_kept or isinstance(self.look.singles.get(name), Taken):
            return True
        kind = type(self._manager.live.get(name))
        return kind in ATOMS or kind is ModuleType

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
        makers = (self._makers.get(name, _NOBODY)[0] for name in names)
        return max(self._worth, *(self._durations.get(maker, 0.0) for maker in makers))

    def _makers_of(self, names: Names) -> dict[str, int]:
        """The cells that have made what `names` hold; 0 for what a cell has bound that still runs."""
        makers = {name: self._makers.get(name, _NOBODY) for name in names}
        if any(value_id != id(names[name]) for name, (_, value_id) in makers.items()):
            running = {name for name, by in self._manager.writers().items() if by.running}
            unknown = [name for name in makers.keys() & running if makers[name][1] != id(names[name])]
            makers |= dict.fromkeys(unknown, _NOBODY)
        return {name: serial for name, (serial, _) in makers.items()}

    def rows_for(
        self, taken: dict[str, Taken | str], names: Names
    ) -> tuple[dict[str, Known], dict[str, Taken]]:
        """What becomes known, and the pieces of it. A group's pieces are there once."""
        known: dict[str, Known] = {}
        pieces: dict[str, Taken] = {}
        makers = self._makers_of({name: names[name] for name in taken})
        for name, one in taken.items():
            value, maker = names[name], makers[name]
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
