"""What is told of a stop at a breakpoint."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

pytest.importorskip("debugpy")

from namespace_kernel.kernel.debugging.debugger import NamespaceDebugger

MAIN, OTHER = 1, 2


class Desk:
    """A debugger whose client writes down what it is told; `meanwhile` is called while debugpy is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[str] = []
        nothing: Any = None
        self.debugger = NamespaceDebugger(
            logging.getLogger("test"), nothing, lambda event: self.told.append(event["event"]), None, None, []
        )
        self.meanwhile = lambda: None
        monkeypatch.setattr(self.debugger, "_forward_message", self._ask)

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        assert message["command"] == "threads"
        self.meanwhile()
        return {"body": {"threads": [{"id": MAIN, "name": "MainThread"}, {"id": OTHER, "name": "Thread-1"}]}}

    def happens(self, event: str, thread: int = MAIN) -> None:
        body = {"threadId": thread, "allThreadsContinued": False, "allThreadsStopped": True}
        self.debugger._handle_event({"type": "event", "event": event, "body": body})

    def handle_stop(self) -> None:
        asyncio.run(self.debugger.handle_stopped_event())


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def test_a_stop_is_told_with_the_threads_that_stand(desk: Desk) -> None:
    desk.happens("stopped")
    desk.handle_stop()
    assert desk.told == ["stopped"]
    assert {MAIN, OTHER} <= desk.debugger.stopped_threads


def test_a_stop_that_is_over_before_it_is_told_is_not_told(desk: Desk) -> None:
    """Else the client would show a cell at a breakpoint that it has left, and debug nothing any more."""
    desk.happens("stopped")
    desk.meanwhile = lambda: desk.happens("continued")
    desk.handle_stop()
    assert "stopped" not in desk.told
    assert MAIN not in desk.debugger.stopped_threads


def test_a_thread_that_is_not_known_to_stand_may_go_on(desk: Desk) -> None:
    desk.happens("continued", OTHER)
    assert desk.told == ["continued"] and desk.debugger.stopped_threads == set()


def test_a_debugger_that_does_not_answer_is_no_reason_to_tell_nothing(desk: Desk) -> None:
    def fail() -> None:
        raise RuntimeError("no answer")

    desk.happens("stopped")
    desk.meanwhile = fail
    desk.handle_stop()
    assert desk.told == ["stopped"] and desk.debugger.stopped_threads == {MAIN}
