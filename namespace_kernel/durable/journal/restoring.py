"""Binds names to what a state on disk holds, and says what came back and what did not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from namespace_kernel.base.errors import JournalError
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.namespace.provenance import Provenance

from .adoption import RESTORED
from .changes import Changes
from .checks import Checks
from .disk.store import Store
from .loading import Loading, recipe_for
from .records import Kept, Lost, Restored, State
from .surroundings import NAME
from .taking.hands import start_thread
from .turns import Turns


class Restoring:
    """From `store` to the names of `manager`; `changes` is told what is back, `checks` what was not read yet.

    Thread: the cell's that asks for it, while the keeper rests.
    """

    def __init__(
        self, manager: AsyncNamespaceManager, store: Store, changes: Changes, checks: Checks, turns: Turns
    ) -> None:
        self._manager = manager
        self._store = store
        self._changes = changes
        self._checks = checks
        self._turns = turns
        self._first_state = store.last_state()
        self._surroundings_are_back = self._first_state is None

    def bring_back(
        self, state: State, names: Iterable[str] | None, whole: bool, tell: Callable[[str], object]
    ) -> Restored:
        """Bind what `state` has and is not here, or `names`; if `whole`, all is as it was then.

        Raises `JournalError` if there is no such name, and what a damaged database raises.
        """
        all_kept, all_lost = self._store.names_at(state.serial)
        kept, lost = all_kept, all_lost
        known = self._changes.known
        if names is not None:
            asked = list(names)
            missing = set(asked) - {one.name for one in kept} - {one.name for one in lost}
            if missing:
                raise JournalError(f"`{min(missing)}` is not kept; `%restore --list` tells what is")
            kept = [one for one in kept if one.name in asked]
            lost = [one for one in lost if one.name in asked]
        else:
            kept = [one for one in kept if not self._is_here(one, whole)]
            lost = [one for one in lost if not self._is_made(one, whole)]
        if names is None and (whole or not self._surroundings_are_back):
            self._put_surroundings(state.serial if whole else self._first_state)
        loading = Loading(self._store, kept, self._manager.live)
        remarks = loading.remarks()
        for line in remarks:
            tell(line)
        loaded = loading.load()
        there = {one.name for one in all_kept} | {one.name for one in all_lost if self._is_made(one, True)}
        gone = frozenset(known) - {NAME} - there if whole else frozenset()
        back = [one for one in kept if one.name in loaded.values]
        self._bind(back, loaded.values, gone)
        if loaded.unchecked:
            self._checks.add(loaded.unchecked)
            start_thread(lambda: self._checks.run(self._may_check), "Journal's checks")
        lost = [*lost, *loaded.lost]
        recipe = recipe_for(lost, [*all_lost, *loaded.lost])
        gone -= {one.name for one in lost}
        return Restored(state, tuple(back), tuple(lost), gone, remarks, recipe, whole)

    def _may_check(self) -> bool:
        return not self._turns.cells_run

    def _put_surroundings(self, serial: int | None) -> None:
        """Random numbers and settings as they were; those of the state that was found, not of cells since."""
        self._surroundings_are_back = True
        kept = None if serial is None else self._store.surroundings_at(serial)
        if kept is not None:
            loaded = Loading(self._store, [kept], self._manager.live).load().values
            if NAME in loaded:
                self._changes.surroundings.put(loaded[NAME])

    def _is_here(self, one: Kept, whole: bool) -> bool:
        known = self._changes.known.get(one.name)
        return known is not None and (not whole or known.row.piece == one.piece)

    def _is_made(self, one: Lost, whole: bool) -> bool:
        """Whether a value is here that was never on disk; of the same cell, if it is to be as it was then."""
        known = self._changes.known.get(one.name)
        return known is not None and (not whole or known.row.maker == one.maker.serial)

    def _bind(self, back: list[Kept], values: dict[str, Any], gone: frozenset[str]) -> None:
        written = {
            one.name: Provenance(one.maker.name, RESTORED, one.maker.ended)
            for one in back
            if one.maker.serial
        }
        self._manager.put_back(values, written)
        for name in gone:
            self._manager.live.pop(name, None)
        self._changes.restored({one.name: one.maker.serial for one in back})
