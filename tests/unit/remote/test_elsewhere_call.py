"""Listening to a cell that runs elsewhere: events in order, Stop, and a worker that is lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from namespace_kernel.base.errors import WorkerLostError
from namespace_kernel.remote import executor as elsewhere
from namespace_kernel.remote.executor import ElsewhereCall
from namespace_kernel.remote.transfer.messages import CellRequest, Lost, Printed, Report
from namespace_kernel.remote.transfer.packing import Piece


class FakeRun:
    """Says what it is told to say; `None` in the script lets time pass, or is the wake of a Stop."""

    def __init__(self, script: Iterable[Any], log: list[Any]) -> None:
        self.script: deque[Any] = deque(script)
        self.log = log

    def next_message(self, timeout: float | None = None) -> Any:
        message = self.script[0]
        if callable(message):
            self.script.popleft()
            return message()
        if message is None:
            self.script.popleft()
            assert timeout is not None, "it would wait for ever"
            self.log.append("time passes")
        return message

    def done_with_message(self) -> None:
        self.script.popleft()

    def wake(self) -> None:
        self.log.append("woken")

    def interrupt(self) -> None:
        self.log.append("interrupted")

    def end(self, whole: bool) -> None:
        self.log.append("given back" if whole else "killed")


class FakeSite:
    place = "a test"
    is_here = True

    def __init__(self, *script: Any) -> None:
        self.log: list[Any] = []
        self.script = script

    def start(self, request: CellRequest, pieces: Iterable[Piece]) -> FakeRun:
        self.log.append("started")
        return FakeRun(self.script, self.log)


REQUEST = CellRequest("code", "<cell>", 1)
REPORT = Report(deleted=frozenset("x"))


def texts_of(log: list[Any]) -> Callable[[Any], None]:
    return lambda event: log.append(event.text)


def test_events_are_shown_in_order_and_the_worker_is_given_back() -> None:
    site = FakeSite(Printed("stdout", "a"), Printed("stderr", "b"), REPORT)
    assert ElsewhereCall(site).run(REQUEST, (), texts_of(site.log)) is REPORT
    assert site.log == ["started", "a", "b", "given back"]


def test_a_lost_worker_is_an_error_that_says_why() -> None:
    site = FakeSite(Printed("stdout", "last words"), Lost("was killed by SIGKILL"))
    with pytest.raises(WorkerLostError, match=r"was killed by SIGKILL\. Nothing was merged"):
        ElsewhereCall(site).run(REQUEST, (), texts_of(site.log))
    assert site.log == ["started", "last words", "killed"]


def test_stop_before_it_begins_ends_it_there() -> None:
    site = FakeSite(REPORT)
    call = ElsewhereCall(site)
    call.stop()
    with pytest.raises(KeyboardInterrupt):
        call.run(REQUEST, (), texts_of(site.log))
    assert site.log == []


def test_stop_interrupts_once_and_waits_for_the_report() -> None:
    site = FakeSite(lambda: call.stop(), Printed("stdout", "finally"), REPORT)
    call = ElsewhereCall(site)
    assert call.run(REQUEST, (), texts_of(site.log)) is REPORT
    assert site.log == ["started", "woken", "interrupted", "finally", "given back"]


def test_one_that_does_not_react_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "GRACE", 0.0)
    site = FakeSite(lambda: call.stop(), None, None, None)
    call = ElsewhereCall(site)
    with pytest.raises(KeyboardInterrupt):
        call.run(REQUEST, (), texts_of(site.log))
    assert site.log[:3] == ["started", "woken", "interrupted"]
    assert "so its worker was ended" in site.log[-2] and site.log[-1] == "killed"


def test_a_second_stop_kills_it_at_once() -> None:
    site = FakeSite(lambda: call.stop(), lambda: call.stop(), REPORT)
    call = ElsewhereCall(site)
    with pytest.raises(KeyboardInterrupt):
        call.run(REQUEST, (), texts_of(site.log))
    assert site.log[-1] == "killed"


def test_whatever_showing_raises_ends_the_worker() -> None:
    site = FakeSite(Printed("stdout", "a"), REPORT)

    def show(event: Any) -> None:
        raise OSError("no screen")

    with pytest.raises(OSError, match="no screen"):
        ElsewhereCall(site).run(REQUEST, (), show)
    assert site.log == ["started", "killed"]
