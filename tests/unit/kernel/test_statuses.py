"""Busy and idle: a cell is announced again only where a frontend would take it for idle."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from namespace_kernel.kernel.shell_channel import MessageHandlers

COMPLETION, CELL = {"header": "completion"}, {"header": "cell"}


class Statuses(MessageHandlers):
    """Writes down what is published; `seen` is called when it has left."""

    def __init__(self) -> None:
        self.session = True
        self.running = None
        self._status_lock = threading.Lock()
        self.sent: list[tuple[str, Any]] = []
        self.seen = lambda: None
        self.iopub_thread: Any = SimpleNamespace(send_now=lambda: self.seen())

    def publish_with_next(self, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> None:
        self.sent.append((content["execution_state"], parent["header"]))

    def publish_now(self, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> None:
        self.publish_with_next(kind, content, parent)
        self.seen()


def test_a_cell_that_runs_is_announced_again() -> None:
    statuses = Statuses()
    statuses.running = CELL
    statuses.publish_idle(COMPLETION, of_cell=False)
    assert statuses.sent == [("idle", "completion"), ("busy", "cell")]


def test_a_cell_that_begins_when_the_idle_was_seen_is_not_announced_twice() -> None:
    statuses = Statuses()

    def send_cell() -> None:
        statuses.running = CELL

    statuses.seen = send_cell
    statuses.publish_idle(COMPLETION, of_cell=False)
    assert statuses.sent == [("idle", "completion")]


def test_the_idle_of_a_cell_is_the_last_word() -> None:
    statuses = Statuses()
    statuses.running = CELL
    statuses.publish_idle(CELL)
    assert (statuses.sent, statuses.running) == ([("idle", "cell")], None)


def test_the_idle_of_a_subshells_cell_announces_nothing() -> None:
    statuses = Statuses()
    statuses.running = CELL
    statuses.publish_idle(COMPLETION, of_cell=True)
    assert statuses.sent == [("idle", "completion")]
