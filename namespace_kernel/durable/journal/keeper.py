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
from collections.abc import Callable, Mapping
from dataclasses import replace

from namespace_kernel.base.cell import Names
from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.words import words_of
from namespace_kernel.namespace.manager import AsyncNamespaceManager

from .changes import Changes, Known
from .disk.blobs import ChangedMeanwhileError
from .disk.steps import Step, Stored
from .disk.store import Store
from .records import CellRecord
from .taking.capture import Taken
from .taking.hands import Hands
from .taking.taker import Taker
from .turns import GivenUpError, Turns

_log = logging.getLogger("namespace_kernel")

#: Seconds between two looks whether it is the journal's turn.
_PACE = 0.02
#: Seconds after the last state in which it looks by itself whether a cell has ended.
_WAKEFUL = 2.0
#: The part of the time in which it writes while cells run.
_BESIDE = 0.025


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
        self._store = store
        self._turns = turns
        self._tell = tell
        self._most_bytes, self._grown = most_bytes, 0
        self._hands = Hands(patience)
        self._taker = Taker(manager.live, self._hands)
        self._condition = threading.Condition()
        self._ended: list[tuple[int, CellRecord]] = []
        self._serial = store.last_serial
        self.changes = Changes(manager, is_engines, worth)
        #: The state that the next one follows.
        self.parent = store.last_state()
        self.problem = ""
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
        return frozenset(self.changes.dirty)

    @property
    def _pending(self) -> bool:
        return bool(self._asked or self._ended or self.changes.dirty or self.changes.cells)

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
        epoch = self._turns.epoch  # before it is asked whether a cell runs: one may begin at any moment
        if not self._turns.is_quiet:
            self._turns.wanted.wait(_PACE)
            return
        try:
            step = self._take_step(epoch)
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

    def _take_step(self, epoch: int) -> tuple[Step, dict[str, Known], dict[str, Taken]] | None:
        """Take what has changed; `None` if nothing has.

        Raises `GivenUpError` if a cell begins, or has begun since `epoch`.
        """
        changes = self.changes
        with self._condition:
            ended, self._ended, self._asked = self._ended, [], False
            if not ended and not changes.cells:
                self._serial += 1  # of the state, if there is one: that after the last cell stays as it is
            serial_of_state = self._serial
        for serial, record in ended:
            changes.note(serial, record)
        names = changes.find()
        deleted = changes.known.keys() - names.keys()
        if not changes.dirty and not deleted and not changes.cells:
            return None

        def check() -> None:
            if self._closed:
                raise GivenUpError
            self._turns.check(epoch)

        taken = self._take_all(names, check)
        known, pieces = changes.rows_for(taken, names)
        rows = tuple(one.row for one in known.values())
        check()  # the last slice of a buffer was hashed after the last look whether a cell has begun
        serial = max(changes.cells, default=serial_of_state)
        cells = dict(changes.cells)
        step = Step(serial, self._parent_of(cells), cells, names=rows, deleted=frozenset(deleted))
        self._turns.idle.set()  # the state is taken: a cell need not wait for what follows
        return step, known, pieces

    def _parent_of(self, cells: Mapping[int, CellRecord]) -> int | None:
        """The state before that after `cells`. A cell that undoes is no step: its state is passed over."""
        if self.parent is None or not cells or not all(cell.undoes for cell in cells.values()):
            return self.parent
        return self._store.parent_of(self.parent)

    def _take_all(self, names: Names, check: Callable[[], object]) -> dict[str, Taken | str]:
        """What each dirty name holds; those that share objects hold the same."""
        changes = self.changes
        singles = changes.look.singles
        for name in sorted(changes.dirty - singles.keys()):
            check()
            singles[name] = self._taker.take({name: names[name]}, changes.most((name,)), check)
            changes.look.value_ids[name] = (id(names[name]), type(names[name]))
        found: dict[str, Taken | str] = {name: singles[name] for name in changes.dirty}
        for group in self._taker.groups(changes.ids_of(names), changes.dirty, names, check):
            if len(group) > 1:
                check()
                whole = self._taker.take({name: names[name] for name in group}, changes.most(group), check)
                found |= dict.fromkeys(group, whole)
        return found

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
                    self.changes.look.singles.pop(name, None)
                return
            buffers = tuple((name, len(buffer)) for name, buffer in taken.buffers)
            new.append(Stored(digest, taken.stream_digest, taken.stream, buffers, taken.needs))
        changed = [row for row in step.names if self.changes.differs(row)]
        self._store.write(replace(step, pieces=tuple(new), names=tuple(changed)))
        self._grown += sum(one.size for one in new)
        if self._grown > self._most_bytes / 8:
            self._grown = 0
            self._store.prune(self._most_bytes, 0.0)
        with self._condition:
            self.problem, self._told = "", False
            self.parent = step.serial
            self.changes.kept(known, step.cells, step.deleted)
            self._condition.notify_all()

    def _leave_room(self) -> None:
        """Called between slices: while cells run, the journal takes its part of the time."""
        if self._turns.cells_run:
            time.sleep(0.001 / _BESIDE)
