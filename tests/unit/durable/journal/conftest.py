"""Sessions: a namespace, a bridge and a journal, one after the other on the same directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from namespace_kernel import AsyncNamespaceManager, Cell, Context, ExecutionContextBridge, Journal, Route
from namespace_kernel.base.execution import complete
from namespace_kernel.execution.hooks import EMBEDDED_HOOKS
from tests.unit.fakes import PATIENCE


class Session:
    """Cells in a namespace that a journal keeps."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.told: list[str] = []
        self.manager = AsyncNamespaceManager()
        self.journal = Journal(self.manager, path, tell=self.told.append, **options)
        self.bridge = ExecutionContextBridge(
            self.manager,
            begins=self.journal.begin,
            hooks=(self.journal.note, *EMBEDDED_HOOKS, self.journal.end),
        )
        self.names = self.manager.live
        self._number = 0

    def run(self, code: str) -> None:
        """Run a cell."""
        self._number += 1
        route = Route(Context.CALLER, "a test", code)
        cell = Cell(code, f"In [{self._number}]", self._number)
        complete(self.bridge.execute(cell, route)).unwrap()

    def keep(self, code: str) -> None:
        """Run a cell, and wait until what it made is on disk."""
        self.run(code)
        assert self.journal.flush(PATIENCE)

    def piece_of(self, name: str) -> str:
        return next(one.piece for one in self.journal.status().kept if one.name == name)

    def lost(self) -> dict[str, str]:
        return {one.name: one.reason for one in self.journal.status().lost}


Start = Callable[..., Session]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a session on the journal of this test; the one before ends at once, as a killed process does."""
    sessions: list[Session] = []

    def new(**options: Any) -> Session:
        if sessions:
            sessions[-1].journal.close(0.0)
        sessions.append(Session(tmp_path / "journal", **options))
        return sessions[-1]

    yield new
    for one in sessions:
        one.journal.close(0.0)
