"""The watchdog of the user loop, with a clock and a timer that the tests turn by hand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from namespace_kernel.base.execution import Execution
from namespace_kernel.reports import watchdog
from namespace_kernel.reports.receipt import Kind, Remark
from namespace_kernel.reports.watchdog import LoopWatchdog
from tests.unit.fakes import PATIENCE, LoopUnderTest, SomeLines, SomeTimers, execution_of, user_loop_running


class Notes:
    """Implements what the watchdog uses of `receipt.Receipts`."""

    def __init__(self) -> None:
        self.sources: dict[object, Callable[[], Remark]] = {}
        self.executions: list[Execution] = []
        self.shown: list[str] = []

    def note(self, execution: Execution, kind: Kind, source: Callable[[], Remark], key: object) -> None:
        assert kind is Kind.BLOCKING
        self.executions.append(execution)
        self.sources[key] = source

    def show(self, execution: Execution) -> None:
        self.shown.append(" | ".join(source().sentence for source in self.sources.values()))


class Watch:
    """A watchdog over a user loop at home. It looks when the test says so, and time is what the test says."""

    def __init__(self, home: LoopUnderTest) -> None:
        self.home = home
        self.now = 0.0
        self.limit = 2.0
        self.running: set[Execution] = set()
        self.notes = Notes()
        self.due = SomeTimers()
        self.watchdog = LoopWatchdog(
            home.user_loop,
            self.notes,  # type: ignore[arg-type]
            self.running,
            SomeLines("at line 1 of {}: code()"),
            lambda: self.limit,
            self.due,
        )

    @property
    def is_armed(self) -> bool:
        return bool(self.due)

    def look_after(self, seconds: float) -> None:
        self.now += seconds
        self.due.pop()()

    @contextlib.contextmanager
    def blocked(self, execution: Execution | None = None) -> Iterator[None]:
        """While entered, a callback of `execution` blocks the loop."""
        entered, release = threading.Event(), threading.Event()

        def block() -> None:
            entered.set()
            release.wait(PATIENCE)

        context = self.home.context.copy()
        if execution is not None:
            execution.begin(context)
        self.home.loop.call_soon_threadsafe(block, context=context)
        assert entered.wait(PATIENCE)
        try:
            yield
        finally:
            release.set()
            self.home.at_home(asyncio.sleep(0))


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    with user_loop_running() as home:
        one = Watch(home)
        monkeypatch.setattr(watchdog, "monotonic", lambda: one.now)
        yield one


@pytest.fixture
def waiting(watch: Watch) -> Iterator[Watch]:
    """The same, and two tasks that would like to run at any time."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(0)

    tasks = [asyncio.run_coroutine_threadsafe(tick(), watch.home.loop) for _ in range(2)]
    watch.home.at_home(asyncio.sleep(0))  # they have begun
    yield watch
    for task in tasks:
        task.cancel()


def test_a_kernel_without_tasks_is_not_watched(watch: Watch) -> None:
    assert not watch.is_armed
    watch.watchdog.arm()
    assert watch.is_armed
    watch.look_after(0.5)
    assert not watch.is_armed, "no task, no cell: nothing wakes up for it again"


def test_it_watches_as_long_as_tasks_or_cells_run(watch: Watch) -> None:
    task = asyncio.run_coroutine_threadsafe(asyncio.sleep(3600), watch.home.loop)
    watch.home.at_home(asyncio.sleep(0))
    watch.watchdog.arm()
    watch.look_after(0.5)
    assert watch.is_armed
    execution = execution_of()
    watch.running.add(execution)
    task.cancel()
    watch.home.at_home(asyncio.sleep(0))
    watch.look_after(0.5)
    assert watch.is_armed
    watch.running.discard(execution)
    watch.home.at_home(asyncio.sleep(0))
    watch.look_after(0.5)
    assert not watch.is_armed


def test_a_task_that_begins_while_it_looks_for_the_last_time_is_watched(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_yet() -> list[Any]:
        watch.watchdog.arm()  # the task is there a moment after the look at all tasks
        return []

    watch.watchdog.arm()
    monkeypatch.setattr(watch.watchdog, "_tasks", none_yet)
    watch.look_after(0.5)
    assert watch.is_armed


def test_a_stop_while_it_is_armed_does_not_end_the_watch_for_good(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(watch.watchdog, "_later", stopped)
        watch.watchdog.arm()
    watch.now += watch.limit
    watch.watchdog.arm()
    assert watch.is_armed


def test_it_is_armed_once(watch: Watch) -> None:
    for _ in range(3):
        watch.watchdog.arm()
    assert len(watch.due) == 1


def test_it_is_never_armed_when_it_is_switched_off(waiting: Watch) -> None:
    waiting.limit = 0
    waiting.watchdog.arm()
    assert not waiting.is_armed
    waiting.limit = 2
    waiting.watchdog.arm()
    waiting.limit = 0
    waiting.look_after(0.5)
    assert not waiting.is_armed, "switched off meanwhile"


def test_a_block_is_told_once_and_again_when_it_is_over(waiting: Watch) -> None:
    execution = execution_of()
    waiting.watchdog.arm()
    with waiting.blocked(execution):
        waiting.look_after(0.5)
        waiting.look_after(1.9)
        assert waiting.notes.shown == []
        waiting.look_after(0.1)
        (said,) = waiting.notes.shown
        assert (
            "has been blocking the user loop for 2 s while tasks wait: `code()`; let a thread do it" in said
        )
        waiting.look_after(5)
        waiting.look_after(5)
        assert len(waiting.notes.shown) == 1
    waiting.look_after(1)
    assert len(waiting.notes.shown) == 2
    assert "blocked the user loop for 13 s" in waiting.notes.shown[1]
    assert waiting.notes.executions == [execution]


def test_a_block_after_the_cell_is_told_without_the_remedy_for_cells(waiting: Watch) -> None:
    execution = execution_of()
    execution.finished = True
    waiting.watchdog.arm()
    with waiting.blocked(execution):
        waiting.look_after(0.5)
        waiting.look_after(2)
    (said, *_) = waiting.notes.shown
    assert "let a thread do it" in said and "remove `await`" not in said


def test_two_blocks_are_two(waiting: Watch) -> None:
    waiting.watchdog.arm()
    for _ in range(2):
        with waiting.blocked(execution_of()):
            waiting.look_after(0.5)
            waiting.look_after(2)
        waiting.look_after(0.5)
    assert len(waiting.notes.executions) == 2


def test_a_busy_loop_of_short_callbacks_is_no_block(waiting: Watch) -> None:
    waiting.watchdog.arm()
    for _ in range(5):
        waiting.look_after(2)
        waiting.home.at_home(asyncio.sleep(0))  # at least one turn
    assert waiting.notes.shown == []


def test_a_block_that_keeps_nobody_waiting_is_not_told(watch: Watch) -> None:
    task = asyncio.run_coroutine_threadsafe(asyncio.sleep(3600), watch.home.loop)
    watch.home.at_home(asyncio.sleep(0))
    watch.watchdog.arm()
    with watch.blocked(execution_of()):
        watch.look_after(0.5)
        watch.look_after(10)
    task.cancel()
    assert watch.notes.shown == []


def test_a_block_that_is_no_cell_s_is_not_told(waiting: Watch) -> None:
    waiting.watchdog.arm()
    with waiting.blocked():
        waiting.look_after(0.5)
        waiting.look_after(10)
    assert waiting.notes.shown == []


def test_whether_a_descriptor_is_a_server_is_found_out_without_keeping_any(tmp_path: Path) -> None:
    def lowest_free() -> int:
        copy = os.dup(0)
        os.close(copy)
        return copy

    with socket.create_server(("127.0.0.1", 0)) as server, (tmp_path / "file").open("w") as file:
        free = lowest_free()
        assert watchdog._is_server(server.fileno())
        assert not watchdog._is_server(file.fileno())
        assert not watchdog._is_server(free)
        assert lowest_free() == free
