"""The end of the main thread's service, as the control thread waits for it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from namespace_kernel.kernel import shutdown
from namespace_kernel.kernel.shutdown import Ending, children_that_live


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
        ended = asyncio.create_task(ending.end_main_thread(2.0))
        while len(interrupts) < 2:
            await asyncio.sleep(0.001)
        assert not ended.done()
        ending.served()
        await ended

    asyncio.run(end())
    assert len(interrupts) == 2


def test_one_that_was_stopped_just_before_has_time_for_its_finally(interrupts: list[None]) -> None:
    ending = Ending(lambda value: None, stopped_lately=lambda: True)

    async def end() -> None:
        ended = asyncio.create_task(ending.end_main_thread(3600.0))
        asyncio.get_running_loop().call_later(2 * shutdown._GRACE, ending.served)
        await ended

    asyncio.run(end())
    assert interrupts == []


def test_a_stop_that_is_noted_late_is_one_too(interrupts: list[None]) -> None:
    noted: list[bool] = []  # at first it is still on its way to the main thread
    ending = Ending(lambda value: None, stopped_lately=lambda: bool(noted))

    async def end() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(shutdown._GRACE / 2, noted.append, True)
        loop.call_later(2 * shutdown._GRACE, ending.served)
        await ending.end_main_thread(3600.0)

    asyncio.run(end())
    assert noted and interrupts == []


def test_one_that_is_never_over_is_waited_for_no_longer_than_allowed(interrupts: list[None]) -> None:
    ending = Ending(lambda value: None)
    asyncio.run(ending.end_main_thread(0.05))
    assert interrupts
    ending.served()  # late, and the loop that waited is closed


class Asked(threading.Event):
    """Writes down for how long it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        return self.is_set()


def test_after_exit_the_process_stays_until_the_frontend_asks_for_its_end(interrupts: list[None]) -> None:
    ending = Ending(lambda value: ending.served())
    ending._frontend_asked = asked = Asked()
    ending.linger()
    assert not asked.is_set() and len(asked.waited) == 1 and 0 < (asked.waited[0] or 0) < 60
    asyncio.run(ending.end_main_thread(3600.0))
    assert asked.is_set()


def child(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)


def test_a_child_that_has_ended_does_not_live_though_nobody_waited_for_it() -> None:
    dead, alive = child("pass"), child("input()")
    processes = [psutil.Process(one.pid) for one in (dead, alive)]
    try:
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays what it is
        assert children_that_live(lambda: processes) == processes[1:]
        dead.wait()
        assert children_that_live(lambda: processes) == processes[1:]
    finally:
        for one in (dead, alive):
            one.communicate(b"\n")


@pytest.mark.parametrize("daemon", [True, False])
def test_the_daemons_of_multiprocessing_are_left_to_it(daemon: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    process = child("input()")
    started = SimpleNamespace(pid=process.pid, daemon=daemon)
    monkeypatch.setattr(multiprocessing, "active_children", lambda: [started])
    try:
        own = psutil.Process(process.pid)
        assert children_that_live(lambda: [own]) == [own] * (not daemon)
    finally:
        process.communicate(b"\n")


def test_where_there_are_no_children_nobody_looks_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_child(*args: object) -> None:
        raise ChildProcessError

    monkeypatch.setattr(os, "waitid", no_child)
    assert children_that_live(lambda: pytest.fail("psutil was asked")) == []
