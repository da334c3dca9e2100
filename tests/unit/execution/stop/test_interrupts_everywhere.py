"""A Stop at every single point of a cell's way through the executors.

Python runs a signal handler where a function begins and where a call of C code returns. A profile
function is called at the same points, so one Stop can be sent at the first of them, in the next run at the
second, and so on until a cell has no more. A loop's backward jumps are the only points that are missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import namespace_kernel
from tests.unit.execution.stop.test_interrupts import Desk, desk

__all__ = ["desk"]

OURS = str(Path(namespace_kernel.__file__).parent)
ASYNCIO = str(Path(asyncio.__file__).parent)
MOST = 3_000


class StopAt:
    """Sends one Stop at the given point, counted among those in the given directories."""

    def __init__(self, point: int, *directories: str) -> None:
        self._points_left = point
        self._directories = directories
        self.armed = True
        self.where: str | None = None

    def __enter__(self) -> StopAt:
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *details: object) -> None:
        sys.setprofile(None)

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if not self.armed or event not in ("call", "c_return"):
            return
        if not frame.f_code.co_filename.startswith(self._directories):
            return
        if self._points_left == 0:
            self.where = f"{event} in {frame.f_code.co_qualname}, line {frame.f_lineno}"
            sys.setprofile(None)
            self.send(frame)
        self._points_left -= 1

    def send(self, frame: FrameType) -> None:
        """Send it at `frame`."""
        signal.raise_signal(signal.SIGINT)


def stopped_at_each_point(
    run: Callable[[StopAt], Any],
    check: Callable[[], bool],
    *directories: str,
    kind: type[StopAt] = StopAt,
    least: int = 5,
) -> list[str]:
    """Run with a Stop at each of at least so many points; return where something was wrong afterwards."""
    wrong = []
    gc.collect()  # a Stop in the destructor of another test's loop is not what is looked for
    for point in range(MOST):
        stop = kind(point, *directories)
        with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError), stop:
            assert run(stop) == 42
        if stop.where is None:
            assert point > least, "the profile function saw nothing"
            return wrong
        if not check():
            wrong.append(stop.where)
    raise AssertionError(f"a cell has more than {MOST} points")


def test_a_sync_cell_leaves_our_handler_wherever_a_stop_came(desk: Desk) -> None:
    def is_ours() -> bool:
        ours = desk.is_ours()
        desk.controller.install()
        return ours

    assert stopped_at_each_point(lambda stop: desk.run_sync(lambda: 42).unwrap(), is_ours, OURS) == []
    assert desk.run_sync(lambda: 42).unwrap() == 42


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "after a wait"])
def test_an_async_cell_leaves_the_loop_at_home_wherever_a_stop_came(desk: Desk, waits: bool) -> None:
    async def cell() -> int:
        if waits:
            await asyncio.sleep(0.0001)
        return 42

    def run(stop: StopAt) -> Any:
        coroutine = cell()
        try:
            return desk.home.visit(coroutine).unwrap()
        finally:
            coroutine.close()

    def is_well() -> bool:
        well = desk.is_ours() and desk.controller.target is None and asyncio._get_running_loop() is None
        return well and desk.home.at_home(asyncio.sleep(0, "at home")) == "at home"

    assert stopped_at_each_point(run, is_well, OURS, ASYNCIO) == []
    assert desk.home.notices == [] and desk.home.reported == []


def test_a_task_of_the_cell_is_never_left_neither_done_nor_stepped(desk: Desk) -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def child() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    async def cell(stop: StopAt) -> int:
        # As everywhere in Python, a task can be lost if the Stop comes while it is being made.
        tasks[:] = [asyncio.create_task(child()) for _ in range(2)]
        stop.armed = True
        await asyncio.gather(*tasks)
        return 42

    def run(stop: StopAt) -> Any:
        stop.armed = False
        coroutine = cell(stop)
        try:
            return desk.home.visit(coroutine).unwrap()
        finally:
            coroutine.close()

    async def all_done() -> bool:
        done, pending = await asyncio.wait(tasks, timeout=5) if tasks else (set(), set())
        for task in done:
            task.cancelled() or task.exception()
        tasks.clear()
        return not pending

    assert stopped_at_each_point(run, lambda: desk.home.at_home(all_done()), OURS, ASYNCIO) == []
