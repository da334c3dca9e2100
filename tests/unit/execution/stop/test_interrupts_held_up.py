"""A Stop just before the loop begins something of the cell's that never returns."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

import pytest

import namespace_kernel
from namespace_kernel.base.asyncio_tasks import asyncio_executes
from namespace_kernel.execution.stop import async_code
from tests.unit.execution.stop.test_interrupts import Desk, desk
from tests.unit.execution.stop.test_interrupts_everywhere import ASYNCIO, StopAt, stopped_at_each_point
from tests.unit.execution.stop.test_interrupts_in_asyncio import StopInFrame

__all__ = ["desk"]

USER_LOOP = str(Path(namespace_kernel.__file__).parent / "execution" / "user_loop")
#: So many seconds something holds up the loop that nobody ends.
LONG = 10.0

Begin = Callable[[Callable[[], object]], object]


def in_a_task(work: Callable[[], object], **options: Any) -> None:
    async def step() -> None:
        work()

    begun.append(asyncio.Task(step(), loop=asyncio.get_running_loop(), **options))


begun: list[asyncio.Task[None]] = []


def when_readable(work: Callable[[], object]) -> None:
    reader, writer = os.pipe()
    loop = asyncio.get_running_loop()

    def read() -> None:
        loop.remove_reader(reader)
        os.close(reader)
        os.close(writer)
        work()

    loop.add_reader(reader, read)
    os.write(writer, b"1")


WAYS: dict[str, Begin] = {
    "called soon": lambda work: asyncio.get_running_loop().call_soon(work),
    "called later": lambda work: asyncio.get_running_loop().call_later(0.001, work),
    "called when readable": when_readable,
    "called behind others": lambda work: [
        asyncio.get_running_loop().call_soon(function) for function in (*[lambda: None] * 3, work)
    ],
    "a task": in_a_task,
    "a task that a callback begins": lambda work: asyncio.get_running_loop().call_soon(in_a_task, work),
}
if sys.version_info >= (3, 12):
    WAYS["an eager task that a callback begins"] = lambda work: asyncio.get_running_loop().call_soon(
        lambda: in_a_task(work, eager_start=True)
    )


PROFILES = {StopAt._profile.__code__, StopInFrame.send.__code__}


def asyncio_executes_below(frame: FrameType | None) -> bool:
    """As `asyncio_executes`, also in what the profile function calls, which is called in asyncio's midst."""
    outer = frame
    while outer is not None:
        frame = outer.f_back if outer.f_code in PROFILES else frame
        outer = outer.f_back
    return asyncio_executes(frame)


class Clock(threading.Thread):
    """Implements `Timers`. In a signal handler it is one call of C, which no other signal enters."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.queue = SimpleQueue[tuple[float, Callable[[], object]] | None]()
        self._waiting: list[tuple[float, Callable[[], object]]] = []

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        self.queue.put((time.monotonic() + seconds, function))

    def run(self) -> None:
        while True:
            until = min((when for when, _ in self._waiting), default=None)
            with contextlib.suppress(Empty):
                one = self.queue.get(timeout=None if until is None else max(0.0, until - time.monotonic()))
                if one is None:
                    return
                self._waiting.append(one)
            for one in [one for one in self._waiting if one[0] <= time.monotonic()]:
                self._waiting.remove(one)
                one[1]()


@pytest.fixture(autouse=True)
def look_soon(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Stop looks again after a moment; the files of tests are cells'."""
    monkeypatch.setattr(async_code, "HELD_UP", 0.03)
    monkeypatch.setattr(async_code, "asyncio_executes", asyncio_executes_below)
    desk.controller.timers = clock = Clock()
    clock.start()
    desk.cells.append(__file__)
    desk.controller.begin_cell()
    yield
    desk.controller.end_cell()
    clock.queue.put(None)
    clock.join()


@pytest.mark.parametrize("way", WAYS)
def test_it_is_ended_wherever_the_stop_came(desk: Desk, way: str) -> None:
    left: list[str] = []

    async def cell(stop: StopAt, over: threading.Event) -> int:
        done, hit = asyncio.Event(), list[BaseException]()

        def work() -> None:
            until = time.monotonic() + LONG
            while stop.where is not None and not hit and not over.is_set():
                if time.monotonic() > until:
                    left.append(stop.where)
                    break
            done.set()

        WAYS[way](work)
        stop.armed = True
        try:
            await done.wait()
        except KeyboardInterrupt as error:
            hit.append(error)  # so what comes after it waits for another Stop
            raise
        stop.armed = False
        return 42

    def run(stop: StopAt) -> Any:
        stop.armed = False
        try:
            return desk.home.visit(cell(stop, over := threading.Event())).unwrap()
        finally:
            over.set()

    assert stopped_at_each_point(run, lambda: True, USER_LOOP, ASYNCIO, kind=StopInFrame) == []
    assert left == []
    begun.clear()


def be_busy() -> None:
    """For as long as a Stop waits before it looks again, several times."""
    until = time.monotonic() + 10 * async_code.HELD_UP
    while time.monotonic() < until:
        pass


@pytest.mark.parametrize("where", ["a task that waited", "a task that was due", "a callback", "the cell"])
def test_what_cleans_up_after_it_is_left_alone(desk: Desk, where: str) -> None:
    cleaned_up: list[str] = []

    def clean_up() -> None:
        before = desk.controller.handled
        be_busy()
        assert desk.controller.handled == before, "what it calls in C should not see another signal"
        cleaned_up.append(where)

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            clean_up()

    async def task() -> None:
        try:
            await (asyncio.sleep(0) if "due" in where else asyncio.Event().wait())
        finally:
            clean_up()

    async def cell() -> None:
        loop = asyncio.get_running_loop()
        if where == "the cell":
            work()
        elif where == "a callback":
            loop.call_soon(work)
        else:
            begun.append(asyncio.create_task(task()))
            loop.call_soon(signal.raise_signal, signal.SIGINT)
        await asyncio.Event().wait()

    assert isinstance(desk.home.visit(cell()).error, KeyboardInterrupt | asyncio.CancelledError)
    desk.home.at_home(asyncio.wait(begun) if begun else asyncio.sleep(0))
    begun.clear()
    assert cleaned_up == [where]


def test_what_is_another_cell_s_is_left_alone_and_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_code, "PATIENCE", 0.03)
    went_on: list[str] = []

    def others() -> None:
        be_busy()
        went_on.append("another's")

    async def before() -> contextvars.Context:
        return contextvars.copy_context()

    async def cell() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(signal.raise_signal, signal.SIGINT)
        loop.call_soon(others, context=context)
        await asyncio.Event().wait()

    context = desk.home.visit(before()).unwrap()
    assert isinstance(desk.home.visit(cell()).error, asyncio.CancelledError)
    assert went_on == ["another's"]
    (told,) = desk.home.notices
    assert "a callback, which is busy in be_busy" in told
