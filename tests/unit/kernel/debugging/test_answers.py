"""What a debug request needs is done on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from namespace_kernel.base.threads import HiddenThread
from namespace_kernel.kernel.debugging import answers
from namespace_kernel.kernel.debugging.answers import beside
from tests.unit.fakes import PATIENCE


def test_what_ends_too_late_ends_quietly(capsys: pytest.CaptureFixture[str]) -> None:
    gate, threads = threading.Event(), list[threading.Thread]()

    def late() -> None:
        threads.append(threading.current_thread())
        gate.wait(PATIENCE)

    with pytest.raises(TimeoutError):
        asyncio.run(beside(late, 0.01))
    gate.set()
    threads[0].join(PATIENCE)
    assert not capsys.readouterr().err


class Lingering(HiddenThread):
    """Takes its time to end."""

    def run(self) -> None:
        super().run()
        threading.Event().wait(0.1)


@pytest.mark.parametrize("fails", [False, True], ids=["returns", "fails"])
def test_its_thread_has_ended_when_it_is_answered(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "HiddenThread", Lingering)
    threads = []

    def work() -> int:
        threads.append(threading.current_thread())
        return 1 // (not fails)

    async def ask() -> None:
        with pytest.raises(ZeroDivisionError) if fails else contextlib.nullcontext():
            assert await beside(work, PATIENCE) == 1
        assert not threads[0].is_alive()

    asyncio.run(ask())
