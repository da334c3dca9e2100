"""A Stop that comes while a cell begins, ends, or waits for the user loop."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
import threading
from types import FrameType
from typing import Any

import pytest

from namespace_kernel.execution.stop import interrupts
from tests.unit.execution.stop.test_interrupts import Desk, desk, stop
from tests.unit.fakes import PATIENCE, execution_of

__all__ = ["desk"]


class SignalModule:
    """The `signal` module as the controller sees it, with a Stop just after a handler was set."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self.stops = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(signal, name)

    def signal(self, number: int, handler: Any) -> Any:
        previous = signal.signal(number, handler)
        if handler == self._handler and not self.stops:
            self.stops += 1
            signal.raise_signal(number)
        return previous


class Storm:
    """Stops as fast as they can be sent; one that comes out where none may is in `strayed`."""

    def __init__(self, desk: Desk) -> None:
        self.sent = 0
        self.strayed: list[KeyboardInterrupt] = []
        self._desk = desk
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_stopping)

    def _keep_stopping(self) -> None:
        while not self._over.wait(0.0005):
            stop()
            self.sent += 1

    def __enter__(self) -> Storm:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        while self._thread.is_alive():
            try:
                self._desk.controller.install()
                self._over.set()
                self._thread.join()
            except KeyboardInterrupt as stray:
                self.strayed.append(stray)
        if isinstance(error, KeyboardInterrupt):
            self.strayed.append(error)
        return isinstance(error, KeyboardInterrupt)


def test_a_stop_as_a_sync_cell_begins_ends_it_and_leaves_our_handler(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = SignalModule(signal.default_int_handler)
    monkeypatch.setattr(interrupts, "signal", module)
    with pytest.raises(KeyboardInterrupt):
        desk.run_sync(lambda: 42).unwrap()
    assert module.stops == 1
    assert desk.is_ours(), "an idle kernel would get the next Stop"
    signal.raise_signal(signal.SIGINT)


def test_a_stop_as_a_sync_cell_ends_is_dropped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    module = SignalModule(desk.controller._on_sigint)
    monkeypatch.setattr(interrupts, "signal", module)
    assert desk.run_sync(lambda: 42).unwrap() == 42
    assert module.stops == 1 and desk.is_ours()


def test_a_stop_after_the_cells_task_is_done_is_dropped(desk: Desk) -> None:
    async def cell() -> int:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda task: signal.raise_signal(signal.SIGINT))
        return 42

    assert desk.home.visit(cell()).unwrap() == 42


def test_a_stop_between_a_cell_s_begin_and_its_code_is_kept_for_it(desk: Desk) -> None:
    begun: list[str] = []

    async def cell() -> None:
        begun.append("async")
        await asyncio.Event().wait()

    desk.controller.begin_cell()
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        desk.run_sync(lambda: begun.append("sync"))
    desk.controller.end_cell()
    desk.controller.begin_cell()
    signal.raise_signal(signal.SIGINT)
    execution, coroutine = execution_of(), cell()
    with pytest.raises((KeyboardInterrupt, asyncio.CancelledError)):
        desk.home.visit(coroutine, execution).unwrap()
    coroutine.close()
    assert execution.interrupted
    assert "sync" not in begun and desk.is_ours()


@pytest.mark.parametrize("before", ["while it waited for the loop", "before its code", "not at all"])
def test_a_stop_before_an_async_cell_s_code_cancels_it_as_it_begins(desk: Desk, before: str) -> None:
    execution = execution_of()
    execution.interrupted = before == "while it waited for the loop"

    async def cell() -> bool:
        task = asyncio.create_task(asyncio.Event().wait())
        with desk.controller.async_code(execution, task, asyncio.get_running_loop()):
            for _ in range(3):
                await asyncio.sleep(0)
        ended = task.cancelled()
        task.cancel()
        return ended

    if before == "before its code":
        desk.controller.begin_cell()
        signal.raise_signal(signal.SIGINT)
    assert asyncio.run(cell()) is execution.interrupted is (before != "not at all")
    desk.controller.end_cell()


@pytest.mark.parametrize("arrives", ["before the task is there", "before its first step"])
def test_a_stop_before_an_async_cell_that_never_waits_keeps_it_from_beginning(
    desk: Desk, arrives: str
) -> None:
    execution, begun = execution_of(), list[bool]()

    async def busy() -> None:
        begun.append(True)

    async def cell() -> asyncio.Task[None]:
        if arrives == "before the task is there":
            desk.controller.pending = True
        task = asyncio.create_task(busy())
        with desk.controller.async_code(execution, task, desk.home.loop):
            if arrives == "before its first step":
                signal.raise_signal(signal.SIGINT)
            await asyncio.wait([task])
        return task

    task = desk.home.visit(cell()).unwrap()
    desk.controller.pending = False
    assert task.cancelled() and begun == [] and execution.interrupted


@pytest.mark.parametrize(
    "kind", ["has slept", "is woken", "waits for its task", "waits for its task's begin"]
)
def test_a_stop_before_a_step_that_is_due_ends_the_cell_there_and_once(desk: Desk, kind: str) -> None:
    execution, went_on, cleaned_up = execution_of(), list[bool](), list[bool]()

    async def busy(woken: asyncio.Event) -> None:
        try:
            await (woken.wait() if kind == "is woken" else asyncio.sleep(0))
        except asyncio.CancelledError:
            for _ in range(3):
                await asyncio.sleep(0)
            cleaned_up.append(True)
            raise
        went_on.append(True)

    async def cell() -> None:
        task = asyncio.create_task(busy(woken := asyncio.Event()))
        if "its task" in kind:
            execution.tasks.add(task)
        if kind != "waits for its task's begin":
            await asyncio.sleep(0)
        woken.set()
        own = asyncio.create_task(asyncio.wait([task])) if "its task" in kind else task
        with desk.controller.async_code(execution, own, desk.home.loop):
            signal.raise_signal(signal.SIGINT)
            await asyncio.wait([own, task])
        assert own.cancelled() and task.cancelled()

    desk.home.visit(cell()).unwrap()
    assert went_on == [] and cleaned_up == [True] * (kind != "waits for its task's begin")


@pytest.mark.parametrize("begins_again", [False, True])
def test_a_stop_that_came_for_one_cell_is_not_kept_for_the_next(desk: Desk, begins_again: bool) -> None:
    desk.controller.begin_cell()
    signal.raise_signal(signal.SIGINT)
    desk.controller.end_cell()
    if begins_again:
        desk.controller.begin_cell()
    assert desk.run_sync(lambda: 42).unwrap() == 42
    assert desk.home.visit(asyncio.sleep(0, 42)).unwrap() == 42


def test_a_stop_with_no_cell_in_the_foreground_goes_to_the_side_cells(desk: Desk) -> None:
    signal.raise_signal(signal.SIGINT)
    assert len(desk.strayed) == 1
    desk.controller.begin_cell()
    signal.raise_signal(signal.SIGINT)
    desk.controller.end_cell()
    assert len(desk.strayed) == 1


def test_a_stop_for_a_cell_that_then_goes_on_beside_the_foreground_goes_there_too(desk: Desk) -> None:
    desk.controller.begin_cell()
    desk.controller.hand_over()
    assert desk.strayed == []
    desk.controller.begin_cell()
    signal.raise_signal(signal.SIGINT)
    assert desk.strayed == [], "it is not known yet whose it is"
    desk.controller.hand_over()
    assert len(desk.strayed) == 1


def test_a_stop_at_any_line_of_the_handing_over_is_not_lost(desk: Desk) -> None:
    """The cell has begun beside the foreground by then, and may have told so."""
    kind = interrupts.InterruptController
    code = {kind.hand_over.__code__, kind.end_cell.__code__}
    lines, at = 0, 0

    def interrupt(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if frame.f_code not in code:
            return None
        lines += event == "line"
        if lines == at:
            sys.settrace(None)
            signal.raise_signal(signal.SIGINT)
        return interrupt

    for at in itertools.count(1):
        desk.controller.begin_cell()
        lines, before = 0, len(desk.strayed)
        sys.settrace(interrupt)
        try:
            desk.controller.hand_over()
        finally:
            sys.settrace(None)
        if lines < at:
            break
        assert len(desk.strayed) == before + 1, at
    assert at > 5


def test_a_stop_before_a_call_that_waits_ends_it_and_one_after_it_does_not(desk: Desk) -> None:
    stops: list[None] = []
    desk.controller.begin_cell()
    signal.raise_signal(signal.SIGINT)
    with desk.controller.calling(lambda: stops.append(None)):
        assert len(stops) == 1
        signal.raise_signal(signal.SIGINT)
        assert len(stops) == 2
    desk.controller.end_cell()
    signal.raise_signal(signal.SIGINT)
    assert (len(stops), len(desk.strayed)) == (2, 1)
    with desk.controller.calling(lambda: stops.append(None)):
        assert len(stops) == 2


def test_what_ended_a_cell_does_not_end_the_showing_of_its_error(desk: Desk) -> None:
    desk.controller.begin_cell()
    signal.raise_signal(signal.SIGINT)
    assert desk.controller.run_ending(lambda: 42) == 42
    with pytest.raises(KeyboardInterrupt):
        desk.controller.run_ending(lambda: signal.raise_signal(signal.SIGINT))
    desk.controller.end_cell()


def test_a_stop_ends_the_wait_for_a_busy_loop(desk: Desk) -> None:
    blocked, release = threading.Event(), threading.Event()

    def block_the_loop() -> None:
        blocked.set()
        release.wait(PATIENCE)

    def stop_when_it_is_said() -> None:
        desk.home.wait_for_notice()
        stop()

    desk.home.loop.call_soon(block_the_loop)
    assert blocked.wait(PATIENCE)
    helper = threading.Thread(target=stop_when_it_is_said)
    helper.start()
    begun: list[bool] = []

    async def cell() -> None:
        begun.append(True)

    coroutine = cell()
    with pytest.raises(KeyboardInterrupt):
        desk.home.visit(coroutine)
    coroutine.close()
    helper.join()
    release.set()
    assert begun == []
    assert desk.home.at_home(asyncio.sleep(0, "at home")) == "at home"
    assert desk.home.visit(asyncio.sleep(0, 42)).unwrap() == 42


def test_a_forked_child_has_python_s_own_handler(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "getpid", lambda: -1)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_storm_of_stops_hits_nothing_but_cells(desk: Desk, kind: str) -> None:
    """Those that come while the executor begins or ends a cell are raised by it; none comes later."""
    ended = {"stopped": 0, "finished": 0}

    async def steps() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
            sum(range(100))

    def run_cell() -> None:
        if kind == "sync":
            desk.run_sync(lambda: sum(range(2_000))).unwrap()
        else:
            desk.home.visit(steps()).unwrap()

    with Storm(desk) as storm:
        while storm.sent < 300:
            try:
                run_cell()
                ended["finished"] += 1
            except (KeyboardInterrupt, asyncio.CancelledError):
                ended["stopped"] += 1
            assert desk.is_ours() and desk.controller.target is None
    assert storm.strayed == []
    assert ended["finished"] and ended["stopped"]
    assert desk.home.notices == []
