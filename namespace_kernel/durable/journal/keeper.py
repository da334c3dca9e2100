"""The thread that keeps: looks at the names while no cell runs, takes what has changed, and writes it.

Guarantees:
- What is written as the state after a cell was taken while no other cell ran. If one begins meanwhile, what
  is not taken yet is given up, and the state is that after a later cell.
- A cell waits for it no longer than a fortieth of the time that cells have taken so far.
- What cannot be kept is known with the reason.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType

from namespace_kernel.base.cell import Names
from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.safe_facts import class_name
from namespace_kernel.base.words import words_of
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.namespace.reserved_names import MODULE_NAMES, is_engine_name

from .blobs import ChangedMeanwhileError
from .candidates import ATOMS, drawn_on, reached, reads_of
from .capture import Taken
from .hands import Hands
from .records import CellRecord
from .store import NameRow, Step, Store, Stored
from .surroundings import NAME, Surroundings
from .taker import Taker
from .turns import GivenUpError, Turns

_log = logging.getLogger("namespace_kernel")

#: Seconds between two looks whether it is the journal's turn.
_PACE = 0.02
#: Seconds after the last state in which it looks by itself whether a cell has ended.
_WAKEFUL = 2.0
#: The part of the time in which it writes while cells run.
_BESIDE = 0.025


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


class Keeper:
    """Keeps the names of `manager` in `store`. `tell` is given a line when nothing can be written.

    `worth` are seconds that a piece may cost whatever its cell took, `patience` those without a sign of life
    after which pickling is given up.

    Thread: its own; others where they say so.
    """

    def __init__(
        self,
        manager: AsyncNamespaceManager,
        store: Store,
        turns: Turns,
        tell: Callable[[str], object],
        worth: float,
        patience: float,
        is_engines: Callable[[str, object], bool],
        most_bytes: int,
    ) -> None:
        self._manager = manager
        self._store = store
        self._turns = turns
        self._tell = tell
        self._worth = worth
        self._is_engines = is_engines
        self._most_bytes, self._grown = most_bytes, 0
        self._hands = Hands(patience)
        self._taker = Taker(manager.live, self._hands)
        self._condition = threading.Condition()
        self._ended: list[tuple[int, CellRecord]] = []
        self._alive: list[tuple[int, CellRecord]] = []
        self._serial = store.last_serial
        self._label = self._serial
        self._cells: dict[int, CellRecord] = {}
        self._makers: dict[str, int] = {}
        self._durations: dict[int, float] = {}
        #: Values that came back from disk, by id: the cell that brought them has not made them.
        self._restored: dict[str, int] = {}
        self.known: dict[str, Known] = {}
        self._dirty: set[str] = set()
        self._look = Look()
        #: The state that the next one follows.
        self.parent = store.last_state()
        self.problem = ""
        self.surroundings = Surroundings()
        self._told = False
        self._asked = True
        self._looks_by_itself = False
        self._closed = False

    # Other threads

    def add(self, record: CellRecord) -> int:
        """A cell has ended; return its serial. Thread: any."""
        with self._condition:
            self._serial += 1
            self._ended.append((self._serial, record))
            self._turns.idle.clear()
            if not self._looks_by_itself:  # to wake it now would hold up the reply
                self._condition.notify_all()
            return self._serial

    def ask(self) -> None:
        """Look even if no cell has ended. Thread: any."""
        with self._condition:
            self._asked = True
            self.problem = ""
            self._turns.idle.clear()
            self._condition.notify_all()

    def wait(self, timeout: float | None) -> bool:
        """Wait until all is on disk, or cannot be; whether it is. Thread: any but the keeper's."""
        with self._condition:
            done = self._condition.wait_for(
                lambda: self._closed or bool(self.problem) or not self._pending, timeout
            )
            return done and not self.problem

    def close(self) -> None:
        """Look no more. Thread: any."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    @property
    def waiting(self) -> frozenset[str]:
        """The names that are known to have changed and are not on disk. Thread: any."""
        return frozenset(self._dirty)

    @property
    def _pending(self) -> bool:
        return bool(self._asked or self._ended or self._dirty or self._cells)

    def restored(self, makers: Mapping[str, int]) -> None:
        """These names are back, and were made by those cells. Thread: the cell's that waits for it."""
        with self._condition:
            live = self._manager.namespace
            self._restored |= {name: id(live[name]) for name in makers if name in live}
            self._makers |= makers

    # Its own

    def run(self) -> None:
        """Serve until it is closed."""
        while True:
            with self._condition:
                if not self._pending:
                    self._turns.idle.set()
                    self._condition.notify_all()
                self._rest()
                if self._closed:
                    self._hands.close()
                    return
            self._serve()

    def _rest(self) -> None:
        """Wait until there is something to do. Soon after a cell it looks by itself: the next is at hand."""
        self._looks_by_itself = True
        until = monotonic() + _WAKEFUL
        while not (self._closed or self._pending) and monotonic() < until:
            self._condition.wait(_PACE)
        self._looks_by_itself = False
        self._condition.wait_for(lambda: self._closed or self._pending)

    def _serve(self) -> None:
        if not self._turns.is_quiet:
            self._turns.wanted.wait(_PACE)
            return
        try:
            step = self._take_step()
            if step is not None:
                self._write(*step)
        except GivenUpError:
            pass
        except (OSError, sqlite3.Error) as error:
            self._fail(error)
        except Exception as error:
            _log.exception("the journal failed")
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        words = words_of(error)
        with self._condition:
            told, self._told, self.problem = self._told, True, words
            self._turns.idle.set()
            self._condition.notify_all()
            if not told and not self._closed:
                self._tell(f"the names cannot be kept for now ({words}); the cells go on without")
            self._condition.wait_for(lambda: self._closed or bool(self._ended) or self._asked, 60.0)

    def _take_step(self) -> tuple[Step, dict[str, Known], dict[str, Taken]] | None:
        """Take what has changed; `None` if nothing has. Raises `GivenUpError` if a cell begins."""
        epoch = self._turns.epoch
        with self._condition:
            ended, self._ended, self._asked = self._ended, [], False
        for serial, record in ended:
            self._note(serial, record)
        self._alive = [one for one in self._alive if self._note_alive(*one)]
        live = self._manager.namespace
        names = {
            name: value
            for name, value in live.items()
            if _is_kept(name) and not self._is_engines(name, value)
        }
        around = self.surroundings.look() if self._cells else self.surroundings.seen
        if around:
            names[NAME] = around
        self._find_changed(names)
        deleted = self.known.keys() - names.keys()
        self._dirty = {name for name in self._dirty if name in names}
        if not self._dirty and not deleted and not self._cells:
            return None

        def check() -> None:
            if self._closed:
                raise GivenUpError
            self._turns.check(epoch)

        taken = self._take_all(names, check)
        known, pieces = self._rows_for(taken, names)
        rows = tuple(one.row for one in known.values())
        step = Step(self._label, self.parent, dict(self._cells), names=rows, deleted=frozenset(deleted))
        self._turns.idle.set()  # the state is taken: a cell need not wait for what follows
        return step, known, pieces

    def _note(self, serial: int, record: CellRecord) -> None:
        """What the cell wrote, and what it may have changed."""
        reads = reads_of(record)
        if record.reads is None:
            record = replace(record, reads=reads)
        self._cells[serial] = record
        self._durations[serial] = record.duration
        self._label = max(self._label, serial)
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
            self._dirty.update(mates)
            for mate in mates:
                self._look.singles.pop(mate, None)

    def _reads_of_name(self, name: str) -> Iterable[str]:
        single = self._look.singles.get(name)
        if isinstance(single, Taken):
            return single.reads
        known = self.known.get(name)
        return known.reads if known is not None else ()

    def _find_changed(self, names: Names) -> None:
        """Names that nobody has told of: bound by tasks and threads. Also those that need no look."""
        for name, value in names.items():
            known = self.known.get(name)
            if known is None or known.value_id != id(value) or known.kind is not type(value):
                self._dirty.add(name)
            elif name in self._dirty and (known.kind in ATOMS or known.kind is ModuleType):
                self._dirty.discard(name)
            seen = self._look.value_ids.get(name)
            if seen is not None and seen != (id(value), type(value)):
                self._look.singles.pop(name, None)

    def _take_all(self, names: Names, check: Callable[[], object]) -> dict[str, Taken | str]:
        """What each dirty name holds; those that share objects hold the same."""
        singles = self._look.singles
        for name in sorted(self._dirty - singles.keys()):
            check()
            singles[name] = self._taker.take({name: names[name]}, self._most((name,)), check)
            self._look.value_ids[name] = (id(names[name]), type(names[name]))
        ids = {name: one.ids for name, one in self.known.items() if name in names}
        ids |= {name: _ids(singles[name]) for name in self._dirty}
        found: dict[str, Taken | str] = {name: singles[name] for name in self._dirty}
        for group in self._taker.groups(ids, self._dirty, names, check):
            if len(group) > 1:
                check()
                whole = self._taker.take({name: names[name] for name in group}, self._most(group), check)
                found |= dict.fromkeys(group, whole)
        return found

    def _most(self, names: Iterable[str]) -> float:
        """Seconds that these names may take together."""
        return max(self._worth, *(self._durations.get(self._makers.get(name, 0), 0.0) for name in names))

    def _rows_for(
        self, taken: dict[str, Taken | str], names: Names
    ) -> tuple[dict[str, Known], dict[str, Taken]]:
        """What becomes known, and the pieces of it. A group's pieces are there once."""
        known: dict[str, Known] = {}
        pieces: dict[str, Taken] = {}
        for name, one in taken.items():
            value, maker = names[name], self._makers.get(name, 0)
            kind = class_name(type(value))
            if isinstance(one, Taken):
                ids = _ids(self._look.singles.get(name, one))
                row = NameRow(name, kind, one.size, maker, one.digest, one.without)
                known[name] = Known(row, id(value), type(value), one.reads, ids, one.names)
                pieces[one.digest] = one
            else:
                row = NameRow(name, kind, 0, maker, reason=one)
                known[name] = Known(row, id(value), type(value), with_names=(name,))
        return known, pieces

    def _write(self, step: Step, known: dict[str, Known], pieces: dict[str, Taken]) -> None:
        new = []
        for digest, taken in pieces.items():
            if self._store.has_piece(digest):
                continue
            try:
                for name, buffer in taken.buffers:
                    self._store.blobs.write(name, buffer, self._leave_room)
            except ChangedMeanwhileError:
                for name in taken.names:
                    self._look.singles.pop(name, None)
                return
            buffers = tuple((name, len(buffer)) for name, buffer in taken.buffers)
            new.append(Stored(digest, taken.stream_digest, taken.stream, buffers, taken.needs))
        changed = [row for row in step.names if self._differs(row)]
        self._store.write(replace(step, pieces=tuple(new), names=tuple(changed)))
        self._grown += sum(one.size for one in new)
        if self._grown > self._most_bytes / 8:
            self._grown = 0
            self._store.prune(self._most_bytes, 0.0)
        with self._condition:
            self.problem, self._told = "", False
            self.parent = step.serial
            for serial in step.cells:
                self._cells.pop(serial, None)
            for name in step.deleted:
                self.known.pop(name, None)
            self.known.update(known)
            self._dirty -= known.keys()
            self._look = Look()
            self._condition.notify_all()

    def _differs(self, row: NameRow) -> bool:
        known = self.known.get(row.name)
        return known is None or known.row != row

    def _leave_room(self) -> None:
        """Called between slices: while cells run, the journal takes its part of the time."""
        if self._turns.cells_run:
            time.sleep(0.001 / _BESIDE)


def _is_kept(name: object) -> bool:
    return type(name) is str and name not in MODULE_NAMES and not is_engine_name(name) and name[:2] != "__"


def _ids(one: Taken | str) -> Iterable[int]:
    return one.ids if isinstance(one, Taken) else ()
