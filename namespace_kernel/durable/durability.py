"""The journal of this kernel: begun when somebody asks for it, in a directory named after the notebook.

A kernel that never asked imports and writes nothing for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from namespace_kernel.base.errors import JournalError
from namespace_kernel.base.execution import Execution
from namespace_kernel.execution.hooks import Settling
from namespace_kernel.namespace.manager import AsyncNamespaceManager

if TYPE_CHECKING:
    from namespace_kernel.durable.journal.journal import Journal

#: Seconds in which what is not on disk yet may get there when the kernel ends in order.
_LAST = 2.0


class Durability:
    """`wanted` is the option: whether to keep names, or the journal's name. `limits` are bytes and days.

    `is_engines` says of a name and its value that the kernel has put it there. `data` is the directory of the
    user's data.

    Thread: main, but for the hooks, which the cell's thread calls.
    """

    def __init__(
        self,
        manager: AsyncNamespaceManager,
        wanted: Callable[[], bool | str],
        limits: Callable[[], tuple[int, float]],
        tell: Callable[[str], object],
        is_engines: Callable[[str, object], bool],
        data: Callable[[], str],
    ) -> None:
        self._is_engines = is_engines
        self._data = data
        self._manager = manager
        self._wanted = wanted
        self._limits = limits
        self._tell = tell
        self._name = ""
        self._looked = False
        #: What keeps names now, if anything does.
        self.journal: Journal | None = None

    # Cells

    def begin(self, execution: Execution) -> None:
        """A cell begins."""
        if not self._looked:
            self._looked = True
            if self._wanted():
                self._start_by_option()
        if self.journal is not None:
            self.journal.begin(execution)

    def note(self, settling: Settling) -> None:
        """Post-cell hook, before the others: what the cell wrote."""
        if self.journal is not None:
            self.journal.note(settling)

    def end(self, settling: Settling) -> None:
        """Post-cell hook, after the others."""
        if self.journal is not None:
            self.journal.end(settling)

    # What the magics ask for

    def start(self, name: str = "", in_cell: bool = True) -> Journal:
        """Keep names from now on. Raises `JournalError`."""
        if self.journal is not None and (not name or name == self._name):
            return self.journal
        place = self.place(name)
        from namespace_kernel.durable.journal.journal import Journal

        most_bytes, most_days = self._limits()
        journal = Journal(
            self._manager,
            place,
            tell=self._tell,
            most_bytes=most_bytes,
            most_days=most_days,
            is_engines=self._is_engines,
        )
        self.stop()  # only now: if there can be no other, the one that there is goes on
        if in_cell:
            journal.cell_began()
        self._name = name or self._name
        self.journal = journal
        return journal

    def existing(self) -> Journal:
        """The journal, which is there already. Raises `JournalError` if nothing was ever kept."""
        if self.journal is None and not (self.place() / "journal.db").exists():
            raise JournalError("nothing is kept for this notebook; `%durable` begins with it")
        return self.start()

    def stop(self) -> None:
        """Keep nothing any more; what is on disk stays."""
        if self.journal is not None:
            journal, self.journal = self.journal, None
            journal.close(_LAST)

    def forget(self) -> None:
        """Remove what is on disk, and keep nothing any more. Raises `JournalError`."""
        journal = self.existing()
        self.journal = None
        journal.forget()

    def place(self, name: str = "") -> Path:
        """The directory. Raises `JournalError` if nobody says what the journal is called."""
        from namespace_kernel.durable.journal.disk.places import folder_for

        option = self._wanted()
        name = name or self._name or (option if isinstance(option, str) else "")
        name = name or os.environ.get("JPY_SESSION_NAME", "")
        if not name:
            raise JournalError(
                "nobody has told the kernel what this notebook is called; `%durable NAME` names it"
            )
        return Path(self._data()) / "namespace_kernel" / "journals" / folder_for(name)

    # The process

    def _start_by_option(self) -> None:
        try:
            self.start(in_cell=False)
        except JournalError as error:
            self._tell(f"the names are not kept: {error}")

    def restorable(self) -> str:
        """What the line about the kernel before this one adds: how many names are on disk."""
        try:
            from namespace_kernel.durable.journal.disk.store import names_kept_in

            count = names_kept_in(self.place())
        except (JournalError, ImportError):
            return ""
        many = "1 name" if count == 1 else f"{count} names"
        return f"; `%restore` brings {many} back" if count else ""
