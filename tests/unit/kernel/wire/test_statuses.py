"""Busy and idle: a cell is announced again only where a frontend would take it for idle."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from namespace_kernel.kernel.wire.iopub import DirectSocket, IOPub, QueueSocket

COMPLETION, CELL = {"header": "completion"}, {"header": "cell"}


class Client:
    """Reads what is published; `seen` is called when it has left."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.seen = lambda: None
        thread: Any = SimpleNamespace(send_now=self._send_now)
        session: Any = SimpleNamespace(send=self._send)
        self.iopub = IOPub(session, thread, str.encode)

    def _send(self, socket: QueueSocket, kind: str, content: dict[str, Any], **options: Any) -> None:
        self.sent.append((content["execution_state"], options["parent"]["header"]))
        if isinstance(socket, DirectSocket):
            self.seen()

    def _send_now(self) -> None:
        self.seen()


@pytest.fixture
def client() -> Client:
    return Client()


def test_a_cell_that_runs_is_announced_again(client: Client) -> None:
    client.iopub.busy_with_cell(CELL, in_foreground=True)
    client.iopub.idle(COMPLETION)
    assert client.sent == [("busy", "cell"), ("idle", "completion"), ("busy", "cell")]


def test_a_cell_that_begins_when_the_idle_was_seen_is_not_announced_twice(client: Client) -> None:
    def send_cell() -> None:
        client.seen = lambda: None
        client.iopub._running = CELL  # as the main thread does it when the lock is free

    client.seen = send_cell
    client.iopub.idle(COMPLETION)
    assert client.sent == [("idle", "completion")]


def test_the_idle_of_a_cell_is_the_last_word(client: Client) -> None:
    client.iopub.busy_with_cell(CELL, in_foreground=True)
    client.iopub.idle(CELL, of_cell=True)
    client.iopub.idle(COMPLETION)
    assert client.sent == [("busy", "cell"), ("idle", "cell"), ("idle", "completion")]


def test_a_cell_of_a_subshell_is_not_announced_again(client: Client) -> None:
    client.iopub.busy_with_cell(CELL, in_foreground=False)
    client.iopub.idle(COMPLETION)
    assert client.sent == [("busy", "cell"), ("idle", "completion")]
