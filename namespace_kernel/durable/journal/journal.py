"""`Journal`: keeps what cells make on disk, and brings it back. Independent of Jupyter.

Guarantees:
- What is on disk is at every instant the state after some cell, whole, whatever ends the process.
- Names that share a mutable object share it when they are back.
- A name that is not kept is known by name, with the reason and the cell that makes it.

Limitations:
- Of what no name holds only random numbers, matplotlib's and numpy's settings, the working directory and
  additions to `sys.path` are kept. Not `os.environ`: it holds passwords.
- What tasks and threads change between two cells is found after the next one.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from namespace_kernel.base.errors import JournalError
from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.words import words_of
from namespace_kernel.execution.hooks import Settling
from namespace_kernel.namespace.manager import AsyncNamespaceManager

from .adoption import came_back, cells_before
from .cell_changes import CellChanges, note, record_of
from .checks import Checks
from .disk.places import Lock, make_place
from .disk.store import Store, remove_journal
from .keeper import Keeper
from .records import CellRecord, Kept, Lost, Restored, State, Status
from .restoring import Restoring
from .steps_back import state_before
from .taking.hands import start_thread
from .turns import Turns

P = ParamSpec("P")
T = TypeVar("T")
_DAY = 86400.0


def _readable(method: Callable[Concatenate[Journal, P], T]) -> Callable[Concatenate[Journal, P], T]:
    """Let `method` raise `JournalError` if what is on disk is damaged."""

    @functools.wraps(method)
    def reading(self: Journal, *args: P.args, **options: P.kwargs) -> T:
        try:
            return method(self, *args, **options)
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise JournalError(
                f"the journal in {self.path} is damaged ({words_of(error)}); `%durable forget` removes it"
            ) from None

    return reading  # type: ignore[return-value]


class Journal:
    """Keeps the names of `manager` in the directory `path`, for as long as it is open.

    What is there of an earlier process stays until it is bound anew; `restore` brings it back. `tell` is
    given a line if nothing can be written for a while. `most_bytes` and `most_days` limit what older states
    take. A value is not kept if that takes longer than its cell and than `worth` seconds; `patience` are the
    seconds after which pickling that does not get on is given up. `is_engines` says of a name and its value
    that whoever runs the cells has put it there.

    Thread: any, one at a time; `begin`, `note`, `end`, `cell_began` and `cell_ended` that of the cell.
    """

    def __init__(
        self,
        manager: AsyncNamespaceManager,
        path: Path,
        *,
        tell: Callable[[str], object] = lambda line: None,
        most_bytes: int = 20 * 2**30,
        most_days: float = 30.0,
        worth: float = 3.0,
        patience: float = 10.0,
        is_engines: Callable[[str, object], bool] = lambda name, value: False,
    ) -> None:
        """Raises `JournalError` if `path` cannot be used, or another kernel uses it."""
        self._manager = manager
        self.path = path
        self._most_bytes, self._most_days = most_bytes, most_days
        make_place(path)
        self._turns = Turns()
        try:
            self._lock = Lock(path)
        except OSError as error:
            raise JournalError(f"nothing can be written to {path}: {error}; name another place") from None
        try:
            self._store = Store(path)
            self._store.prune(most_bytes, time.time() - most_days * _DAY)
        except JournalError:
            self._lock.release()
            raise
        except (OSError, sqlite3.Error) as error:
            self._lock.release()
            raise JournalError(
                f"the journal in {path} cannot be read ({error}); remove it, or name another place"
            ) from None
        self._keeper = Keeper(
            manager, self._store, self._turns, tell, worth, patience, is_engines, most_bytes
        )
        self._adopt()
        self._checks = Checks(manager, self._store.blobs, tell)
        self._restoring = Restoring(manager, self._store, self._keeper.changes, self._checks, self._turns)
        self._running: list[Execution] = []
        self._open = True
        self._thread = start_thread(self._keeper.run, "Journal")

    def _adopt(self) -> None:
        """Cells that ran before have made names, too; or names came back that are still on disk."""
        for record in cells_before(self._manager):
            self._keeper.add(record)
        back = came_back(self._manager)
        if back:
            with contextlib.suppress(sqlite3.Error, ValueError, TypeError):  # who restores is told
                kept, _ = self._names_at(self._store.last_state())
                makers = {one.name: one.maker for one in kept}
                self._keeper.changes.restored(
                    {
                        name: makers[name].serial
                        for name, cell in back
                        if name in makers and makers[name].name == cell
                    }
                )

    # Told by whoever runs cells

    def begin(self, execution: Execution) -> None:
        """A cell begins: for `ExecutionContextBridge`, as `begins`."""
        self._running.append(execution)
        self._checks.before(execution.route.source)
        if not execution.cell.background:
            self._turns.began()

    def note(self, settling: Settling) -> None:
        """Post-cell hook, the first: what the cell wrote."""
        note(settling)

    def end(self, settling: Settling) -> None:
        """Post-cell hook, the last: the cell has ended."""
        execution = settling.execution
        with contextlib.suppress(ValueError):  # it began before the journal did
            self._running.remove(execution)
        record = record_of(execution)
        self._keeper.add(record)  # before the turn is over: nobody looks at the names between the two
        if not execution.cell.background:
            self._turns.ended(record.duration)

    def cell_began(self) -> None:
        """A cell begins, of whoever has no bridge."""
        self._turns.began()

    def cell_ended(self, record: CellRecord) -> None:
        """A cell has ended, of whoever has no bridge. What it changed is taken when no cell runs."""
        self._keeper.add(record)
        self._turns.ended(record.duration)

    # What is kept

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that cells have made is on disk, or cannot be; return whether it is.

        May be called in a cell: it counts as if it had ended.
        """
        if not self._open:
            return False
        asker = self._asker()
        # One in the background runs beside others: what these do must be over before anything is taken.
        held = 0 if asker is not None and asker.cell.background else 1
        self._turns.hold(held)
        try:
            self._keeper.ask()
            return self._keeper.wait(timeout)
        finally:
            self._turns.hold(-held)

    def _asker(self) -> Execution | None:
        """The running cell whose code calls."""
        current = current_execution.get()
        if current is not None:
            return None if current.finished else current
        mine = [one for one in self._running if one.thread_ident == threading.get_ident()]
        return mine[-1] if mine else None

    @_readable
    def status(self) -> Status:
        """What is kept now, and what is not."""
        kept, lost = self._names_at(self._store.last_state())
        return Status(
            str(self.path),
            tuple(kept),
            tuple(lost),
            len(self._store.states()),
            self._store.size(),
            self._keeper.waiting,
            self._keeper.problem,
        )

    @_readable
    def states(self) -> tuple[State, ...]:
        """The cells after which there is a whole state, the oldest first."""
        return tuple(self._store.states())

    def _names_at(self, serial: int | None) -> tuple[list[Kept], list[Lost]]:
        return ([], []) if serial is None else self._store.names_at(serial)

    # Back

    @_readable
    def restore(
        self,
        names: Iterable[str] | None = None,
        *,
        cell: int | None = None,
        tell: Callable[[str], object] = lambda line: None,
    ) -> Restored:
        """Bring names back: all that are on disk and not here, or `names`.

        With `cell` as they were after the cell of that number, the newest one; then names that did not
        exist go. `tell` is given a line about each other version before anything is loaded. Raises
        `JournalError` if there is no such state or name; what fails to load is among the lost.
        """
        self.flush(30.0)
        if cell is None:
            state = self._state(lambda one: True, "nothing is kept yet")
            restored = self._restoring.bring_back(state, names, whole=False, tell=tell)
        else:
            state = self._state(lambda one: one.number == cell, f"no state after In [{cell}] is kept")
            restored = self._restoring.bring_back(state, names, whole=names is None, tell=tell)
        self._count_as_cell()
        return restored

    @_readable
    def undo(self, count: int = 1) -> Restored:
        """Take back what the last cell did, or the last `count` cells, and no more than these.

        Raises `JournalError` if that state is not kept, and says which cells can be taken back instead.
        """
        if not self.flush(30.0):
            why = f" ({self._keeper.problem})" if self._keeper.problem else " yet"
            raise JournalError(f"what the last cells made is not on disk{why}, so nothing is taken back")
        state = state_before(self._store, self._keeper.parent, count, self._keeper.changes.undoing)
        restored = self._restoring.bring_back(state, None, whole=True, tell=lambda line: None)
        self._keeper.parent = state.parent  # what undoes is no step: the next one goes further back
        self._keeper.add(CellRecord(0, ""))
        self.flush(30.0)  # now: the next cell may begin before this one's state is taken
        asker = self._asker()
        if asker is not None:
            asker.keep(CellChanges()).undoes = True
        return restored

    def _count_as_cell(self) -> None:
        """What was brought back has a state of its own, also where no cell asked for it."""
        if not self._turns.cells_run:
            self._keeper.add(CellRecord(0, ""))

    def _state(self, wanted: Callable[[State], bool], otherwise: str) -> State:
        for state in reversed(self._store.states()):
            if wanted(state):
                return state
        raise JournalError(f"{otherwise}; `%restore --list` tells what is")

    # The end

    def forget(self) -> None:
        """Remove all that is on disk, and keep nothing any more. Raises `JournalError`."""
        self.close(0.0)
        try:
            remove_journal(self.path)
        except OSError as error:
            raise JournalError(f"{self.path} cannot be removed: {words_of(error)}") from None

    def close(self, timeout: float | None = 2.0) -> None:
        """Write what can be in `timeout` seconds, and let others have the journal."""
        if not self._open:
            return
        if timeout != 0.0:
            self.flush(timeout)
        self._open = False
        self._checks.close()
        self._keeper.close()
        self._thread.join(5.0)
        self._store.close()
        self._lock.release()
