"""A receipt's surroundings, without a kernel."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from namespace_kernel.base.cell import CellChanges, Outcome
from namespace_kernel.base.execution import Execution
from namespace_kernel.base.lines import Leak, Place
from namespace_kernel.base.started import Started
from namespace_kernel.coroutines.origins import Origins, OriginTracking
from namespace_kernel.execution.hooks import Settling
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.reports.hooks import CollectLeaks, ShowReceipt
from namespace_kernel.reports.receipt import Kind
from namespace_kernel.reports.remarks import CellReceipts
from tests.unit.fakes import SomeLines, SomeTimers

LEAK = Leak("f", "cell", 3)


class Shown:
    """Takes what receipts publish, and the calls that are for later."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, str], bool]] = []
        self.later = SomeTimers()
        self.wanted = set(Kind)
        arguments: Any = (
            lambda *shown: self.published.append(shown),
            lambda kind: kind in self.wanted,
        )
        self.receipts = CellReceipts(*arguments, self.later, SomeLines())

    def catch_up(self) -> None:
        while self.later:
            self.later.pop(0)()

    @property
    def texts(self) -> list[str]:
        return [data["text/plain"] for _, data, _ in self.published]


def settle(shown: Shown, execution: Execution, *leaks: Leak, overwritten: str = "") -> None:
    """What happens at the end of a cell."""
    changes = CellChanges(overwritten=frozenset(overwritten.split()))
    settling = Settling(AsyncNamespaceManager(), execution, Outcome(), changes, list(leaks))
    CollectLeaks(_NoHook(), ORIGINS)(settling)  # type: ignore[arg-type]
    ShowReceipt(shown.receipts)(settling)


#: No cell of these tests has a file.
ORIGINS = Origins(OriginTracking(), {}.get, SomeLines())


class _NoHook:
    def drain(self) -> list[Leak]:
        return []


def job(execution: Execution, name: str = "work()", line: int = 1) -> Future[None]:
    """A job that the cell started, which runs."""
    future: Future[None] = Future()
    started = Started(execution, Place("cell", line), name)
    future._namespace_kernel_started = started  # type: ignore[attr-defined]
    execution.jobs.add(future)
    return future
