"""The end of the main thread's service, as the control thread waits for it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from namespace_kernel.kernel import shutdown
from namespace_kernel.kernel.shutdown import Ending


@pytest.fixture
def interrupts(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    sent: list[None] = []
    monkeypatch.setattr(shutdown, "interrupt_main", lambda: sent.append(None))
    return sent


def test_an_idle_main_thread_is_told_and_not_interrupted(interrupts: list[None]) -> None:
    put: list[Any] = []

    def serve(value: None) -> None:
        put.append(value)
        threading.Thread(target=ending.served).start()

    ending = Ending(serve)
    asyncio.run(ending.end_main_thread(3600.0))
    assert put == [None]
    assert interrupts == []


def test_a_running_cell_is_interrupted_until_it_is_over(interrupts: list[None]) -> None:
    ending = Ending(lambda value: None)

    async def end() -> None:
        ended = asyncio.create_task(ending.end_main_thread(3600.0))
        while len(interrupts) < 2:
            await asyncio.sleep(0.001)
        assert not ended.done()
        ending.served()
        await ended

    asyncio.run(end())
    assert len(interrupts) == 2


def test_one_that_is_never_over_is_waited_for_no_longer_than_allowed(interrupts: list[None]) -> None:
    ending = Ending(lambda value: None)
    asyncio.run(ending.end_main_thread(0.05))
    assert interrupts
    ending.served()  # late, and the loop that waited is closed
