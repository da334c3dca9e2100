"""Stop: real SIGINTs on the main thread, and whom they hit."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from types import MethodType
from typing import Any

import pytest

from namespace_kernel import Context, Outcome
from namespace_kernel.base.execution import complete
from namespace_kernel.base.patching import Patches
from namespace_kernel.execution.plain_cells import MainThreadExecutor
from namespace_kernel.execution.stop import async_code
from namespace_kernel.execution.stop.interrupts import InterruptController
from namespace_kernel.execution.stop.swallowed import SwallowedStops
from tests.unit.fakes import PATIENCE, LoopUnderTest, SomeLines, SomeTimers, execution_of, run_in_threads


def stop() -> None:
    """As `interrupt_request`, and as Ctrl-C: a signal to the main thread, from whichever thread."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


class Desk:
    """A main thread that runs cells, its user loop, and a controller that says what it does."""

    def __init__(self) -> None:
        self.later = SomeTimers()
        #: One item for each Stop that went to the cells beside the foreground.
        self.strayed: list[None] = []
        #: The comm's callbacks that run.
        self.callbacks: list[str] = []
        #: The files that are cells'.
        self.cells: list[str] = []
        self.controller = InterruptController(
            self,
            SomeLines("in {}", self.cells),
            self.later,
            lambda: self.strayed.append(None),
            lambda: bool(self.callbacks),
        )
        self.home = LoopUnderTest(self.controller)
        self.sync = MainThreadExecutor(self.home.context, self.controller)

    def notice(self, line: str) -> None:
        """See `Notices`."""
        self.home.notice(line)

    def run_sync(self, function: Callable[[], Any]) -> Outcome:
        async def body() -> Outcome:
            try:
                return Outcome(function())
            except BaseException as error:
                return Outcome(error=error)

        return complete(self.sync.run(execution_of(context=Context.MAIN), body()))

    def is_ours(self) -> bool:
        return signal.getsignal(signal.SIGINT) == self.controller._on_sigint


@pytest.fixture
def desk() -> Iterator[Desk]:
    before = signal.getsignal(signal.SIGINT)
    one = Desk()
    one.home.user_loop.start()
    one.controller.install()
    with Patches(
        *SwallowedStops(lambda: True).patches
    ):  # Python's own weak sets have lines where one is lost
        yield one
    one.home.user_loop.close(PATIENCE)
    signal.signal(signal.SIGINT, before)


def stop_soon() -> None:
    threading.Thread(target=lambda: [time.sleep(0.02), stop()]).start()


def test_an_idle_kernel_drops_it(desk: Desk) -> None:
    for _ in range(100):
        signal.raise_signal(signal.SIGINT)
        stop()
    assert desk.run_sync(lambda: 42).unwrap() == 42
    assert desk.home.visit(asyncio.sleep(0, 42)).unwrap() == 42


def test_a_sync_cell_gets_keyboard_interrupt_and_the_next_one_runs(desk: Desk) -> None:
    for _ in range(10):
        outcome = desk.run_sync(lambda: signal.raise_signal(signal.SIGINT))
        assert isinstance(outcome.error, KeyboardInterrupt)
        assert desk.is_ours()
        signal.raise_signal(signal.SIGINT)
    assert desk.run_sync(lambda: 42).unwrap() == 42


@pytest.mark.parametrize("block", [lambda: time.sleep(PATIENCE), threading.Event().wait, lambda: busy()])
def test_it_ends_a_blocking_and_a_busy_line(desk: Desk, block: Callable[[], Any]) -> None:
    stop_soon()
    assert isinstance(desk.run_sync(block).error, KeyboardInterrupt)


def busy() -> None:
    while True:
        pass


def test_python_s_own_handler_is_there_during_a_sync_cell(desk: Desk) -> None:
    """`asyncio.run` and others look for it."""
    assert desk.run_sync(lambda: signal.getsignal(signal.SIGINT)).value is signal.default_int_handler

    async def nested() -> None:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(PATIENCE)

    assert isinstance(desk.run_sync(lambda: asyncio.run(nested())).error, KeyboardInterrupt)
    assert desk.is_ours()


def test_a_handler_that_a_sync_cell_leaves_behind_is_replaced(desk: Desk) -> None:
    caught: list[int] = []

    def own_handler() -> None:
        signal.signal(signal.SIGINT, lambda *details: caught.append(1))
        signal.raise_signal(signal.SIGINT)

    assert desk.run_sync(own_handler).succeeded
    assert caught == [1] and desk.is_ours()
    for handler in (signal.SIG_IGN, signal.SIG_DFL):
        desk.run_sync(lambda handler=handler: signal.signal(signal.SIGINT, handler))  # type: ignore[misc]
        assert desk.is_ours()
    assert isinstance(desk.run_sync(lambda: signal.raise_signal(signal.SIGINT)).error, KeyboardInterrupt)


def test_a_handler_that_an_async_cell_leaves_behind_is_replaced(desk: Desk) -> None:
    async def own_handler() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    desk.home.visit(own_handler()).unwrap()
    assert desk.is_ours()


def test_a_loop_that_a_cell_gives_a_handler_gives_it_back(desk: Desk) -> None:
    """`loop.add_signal_handler` works only while the loop runs here; it must not stay."""
    caught: list[int] = []

    async def own_handler() -> None:
        loop = asyncio.get_running_loop()
        seen = asyncio.Event()
        loop.add_signal_handler(signal.SIGINT, lambda: [caught.append(1), seen.set()])
        signal.raise_signal(signal.SIGINT)
        await seen.wait()
        loop.remove_signal_handler(signal.SIGINT)

    desk.home.visit(own_handler()).unwrap()
    assert caught == [1] and desk.is_ours()


def test_an_async_cell_that_executes_gets_keyboard_interrupt_at_its_line(desk: Desk) -> None:
    async def cell() -> None:
        await asyncio.sleep(0)
        time.sleep(PATIENCE)

    stop_soon()
    execution = execution_of()
    outcome = desk.home.visit(cell(), execution)
    assert isinstance(outcome.error, KeyboardInterrupt)
    assert execution.interrupted
    assert desk.home.visit(asyncio.sleep(0, 42)).unwrap() == 42


def test_an_async_cell_that_waits_is_cancelled(desk: Desk) -> None:
    execution = execution_of()

    async def cell() -> None:
        stop_soon()
        await asyncio.Event().wait()

    outcome = desk.home.visit(cell(), execution)
    assert isinstance(outcome.error, asyncio.CancelledError)
    assert execution.interrupted
    assert desk.home.visit(asyncio.sleep(0, 42)).unwrap() == 42


def test_a_callback_that_happens_to_execute_is_not_hit_in_the_cells_stead(desk: Desk) -> None:
    survived: list[bool] = []

    def callback() -> None:
        signal.raise_signal(signal.SIGINT)
        survived.append(True)

    async def cell() -> None:
        asyncio.get_running_loop().call_later(0.001, callback)
        await asyncio.Event().wait()

    assert isinstance(desk.home.visit(cell()).error, asyncio.CancelledError)
    assert survived == [True] and desk.home.reported == []


@pytest.mark.parametrize("whose", ["the cell's", "an earlier cell's", "a library's"])
def test_a_callback_that_blocks_is_hit_at_once_if_it_is_the_cells_and_an_earlier_one_s_by_the_second_stop(
    desk: Desk, whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_code, "APART", 0.0)
    if whose != "a library's":
        desk.cells.append(__file__)
    survived: list[int] = []

    def callback() -> None:
        signal.raise_signal(signal.SIGINT)
        survived.append(1)
        for explain in list(desk.later):
            run_in_threads(explain)
        signal.raise_signal(signal.SIGINT)
        survived.append(2)

    async def schedule() -> None:
        asyncio.get_running_loop().call_later(0.01, callback)

    async def cell() -> None:
        if whose != "an earlier cell's":
            await schedule()
        await asyncio.Event().wait()

    if whose == "an earlier cell's":
        desk.home.visit(schedule()).unwrap()
    assert isinstance(desk.home.visit(cell()).error, asyncio.CancelledError)
    assert survived == {"the cell's": [], "an earlier cell's": [1], "a library's": [1, 2]}[whose]
    told = [line for line in desk.home.notices if "a callback, which is busy in callback" in line]
    assert len(told) == (whose == "an earlier cell's")
    assert desk.home.visit(asyncio.sleep(0, 42)).unwrap() == 42


@pytest.mark.parametrize("whose", ["the cell's", "the cell's, not noted yet", "an earlier cell's"])
def test_the_end_of_an_async_generator_that_blocks_is_hit(
    desk: Desk, whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its task drives an object in C, whose frame nobody can ask for."""
    monkeypatch.setattr(async_code, "APART", 0.0)
    survived: list[int] = []
    execution = execution_of()

    async def generator() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            signal.raise_signal(signal.SIGINT)
            survived.append(1)
            signal.raise_signal(signal.SIGINT)
            survived.append(2)

    async def cell() -> None:
        numbers = generator()
        await anext(numbers)
        context = None if "not noted" in whose else contextvars.Context()
        task = asyncio.Task(numbers.aclose(), context=context)  # type: ignore[arg-type]
        if whose == "the cell's":
            execution.tasks.add(task)
        await asyncio.wait([task])
        assert isinstance(task.exception(), KeyboardInterrupt)

    outcome = desk.home.visit(cell(), execution)
    assert isinstance(outcome.error, asyncio.CancelledError)
    assert survived == ([1] if whose == "an earlier cell's" else [])


class Signals(asyncio.Future[None]):
    """To iterate over it raises two signals, without a frame of Python's."""

    def __iter__(self) -> Iterator[None]:  # type: ignore[override]
        return map(signal.raise_signal, (signal.SIGINT, signal.SIGINT))


def test_a_callback_that_takes_a_task_s_step_is_not_hit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_code, "APART", 0.0)
    seen: deque[None] = deque()

    async def cell() -> None:
        # As a step in C it has no frame but the handle's.
        asyncio.get_running_loop().call_soon(MethodType(seen.extend, Signals()))
        await asyncio.Event().wait()

    assert isinstance(desk.home.visit(cell()).error, asyncio.CancelledError)
    assert len(seen) == 2


def test_a_task_that_holds_up_a_cell_whose_own_code_is_over_is_hit_and_its_others_end(desk: Desk) -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def child() -> None:
        stop_soon()
        time.sleep(PATIENCE)

    async def cell() -> int:
        tasks.extend(asyncio.create_task(one) for one in (asyncio.Event().wait(), child()))
        return 42

    execution = execution_of()
    assert desk.home.visit(cell(), execution).unwrap() == 42
    assert isinstance(tasks[1].exception(), KeyboardInterrupt) and not execution.interrupted
    desk.home.at_home(asyncio.wait(tasks))
    assert tasks[0].cancelled()


def test_a_comm_s_callback_that_holds_up_the_cell_is_hit_and_the_cell_ends(desk: Desk) -> None:
    hit: list[BaseException] = []

    def callback() -> None:
        desk.callbacks.append("callback")
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as stop:
            hit.append(stop)
        finally:
            desk.callbacks.clear()

    async def cell() -> None:
        asyncio.get_running_loop().call_soon(callback)
        await asyncio.Event().wait()

    assert isinstance(desk.home.visit(cell()).error, asyncio.CancelledError)
    assert len(hit) == 1


@pytest.mark.parametrize("executing", [True, False])
def test_the_tasks_that_the_cell_started_end_with_it(desk: Desk, executing: bool) -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def child() -> None:
        if executing:
            signal.raise_signal(signal.SIGINT)
        await asyncio.Event().wait()

    async def cell() -> None:
        tasks.append(asyncio.create_task(asyncio.Event().wait()))
        tasks.append(asyncio.create_task(child()))
        if not executing:
            stop_soon()
        await asyncio.gather(*tasks)

    outcome = desk.home.visit(cell())
    assert isinstance(outcome.error, asyncio.CancelledError | KeyboardInterrupt)
    desk.home.at_home(asyncio.sleep(0))
    assert all(task.done() for task in tasks)
    assert tasks[0].cancelled()


def test_a_task_that_the_cell_started_and_does_not_wait_for_ends_with_it(desk: Desk) -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def cell() -> None:
        tasks.append(asyncio.create_task(asyncio.Event().wait()))
        signal.raise_signal(signal.SIGINT)

    assert isinstance(desk.home.visit(cell()).error, KeyboardInterrupt)
    desk.home.at_home(asyncio.wait(tasks))
    assert tasks[0].cancelled()


def test_tasks_of_earlier_cells_live_on(desk: Desk) -> None:
    gate = asyncio.Event()

    async def start() -> asyncio.Task[Any]:
        return asyncio.create_task(gate.wait())

    async def cell() -> None:
        signal.raise_signal(signal.SIGINT)

    async def finish() -> Any:
        gate.set()
        return await task

    task = desk.home.visit(start()).unwrap()
    assert isinstance(desk.home.visit(cell()).error, KeyboardInterrupt)
    assert not task.done()
    assert desk.home.visit(finish()).unwrap() is True


@pytest.mark.parametrize("apart", [True, False], ids=["a moment later", "at once"])
def test_a_task_of_an_earlier_cell_that_executes_is_hit_only_by_the_second_a_moment_later(
    desk: Desk, apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_code, "APART", 0.0 if apart else 60.0)
    survived: list[int] = []

    async def foreign() -> None:
        await begin.wait()
        signal.raise_signal(signal.SIGINT)
        survived.append(1)
        signal.raise_signal(signal.SIGINT)
        survived.append(2)

    async def start() -> asyncio.Task[Any]:
        return asyncio.create_task(foreign())

    async def cell() -> None:
        begin.set()
        await asyncio.Event().wait()

    begin = asyncio.Event()
    task = desk.home.visit(start()).unwrap()
    outcome = desk.home.visit(cell())
    assert isinstance(outcome.error, asyncio.CancelledError)
    if apart:
        assert survived == [1]
        assert isinstance(task.exception(), KeyboardInterrupt)
    else:
        assert survived == [1, 2]


def test_who_is_in_the_way_is_told_after_a_while(desk: Desk) -> None:
    async def foreign() -> None:
        await begin.wait()
        signal.raise_signal(signal.SIGINT)
        *_, explain = desk.later
        run_in_threads(explain)  # as the timer's thread does

    async def start() -> asyncio.Task[Any]:
        return asyncio.create_task(foreign())

    async def cell() -> None:
        begin.set()
        await asyncio.Event().wait()

    begin = asyncio.Event()
    task = desk.home.visit(start()).unwrap()
    assert isinstance(desk.home.visit(cell()).error, asyncio.CancelledError)
    assert len(desk.home.notices) == 1
    assert "busy in foreign" in desk.home.notices[0] and "Stop again" in desk.home.notices[0]
    desk.home.at_home(asyncio.wait([task]))
    desk.later[-1]()  # what comes late says nothing
    assert len(desk.home.notices) == 1


@pytest.mark.parametrize("waiting", [True, False])
def test_a_cell_that_swallows_the_first_stop_can_be_stopped_again(desk: Desk, waiting: bool) -> None:
    swallowed: list[BaseException] = []

    async def cell() -> None:
        for _ in range(3):
            try:
                stop_soon()
                if waiting:
                    await asyncio.Event().wait()
                else:
                    time.sleep(PATIENCE)
            except (KeyboardInterrupt, asyncio.CancelledError) as error:
                swallowed.append(error)
                if len(swallowed) == 2:
                    raise

    outcome = desk.home.visit(cell())
    assert isinstance(outcome.error, KeyboardInterrupt | asyncio.CancelledError)
    assert len(swallowed) == 2
    assert desk.home.visit(asyncio.sleep(0, 42)).unwrap() == 42


def test_one_that_was_raised_is_no_cancellation_too_in_a_finally_that_awaits(desk: Desk) -> None:
    reached: list[str] = []

    async def cell() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
            reached.append("its end")
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            reached.append("the end of its finally")

    assert isinstance(desk.home.visit(cell()).error, KeyboardInterrupt)
    assert reached == ["the end of its finally"]
