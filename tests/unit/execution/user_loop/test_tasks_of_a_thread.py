"""Tasks whose steps belong to one thread, while the loop moves between two."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from namespace_kernel import on_main
from namespace_kernel.base.asyncio_tasks import frames_of
from namespace_kernel.execution.stop import async_code, step_on_main
from namespace_kernel.execution.stop.interrupts import InterruptController
from tests.unit.fakes import (
    PATIENCE,
    LoopUnderTest,
    NoNotices,
    SomeLines,
    SomeTimers,
    execution_of,
    user_loop_running,
)

greenlet = pytest.importorskip("greenlet")


async def spawn(function: Callable[[Callable[[Any], Any]], Any]) -> Any:
    """Runs `function` in a greenlet; what it is given awaits. So does SQLAlchemy's asyncio."""
    own = greenlet.getcurrent()
    inner = greenlet.greenlet(function, own)
    awaitable = inner.switch(own.switch)
    while not inner.dead:
        awaitable = inner.switch(await awaitable)
    return awaitable


def ask(wait: Callable[[Any], Any]) -> int:
    """Suspended three times; the thread, which must be the same each time."""
    for _ in range(3):
        wait(asyncio.sleep(0.001))
    return threading.get_ident()


async def rows() -> AsyncIterator[int]:
    yield await spawn(ask)
    yield await spawn(ask)


async def directly() -> set[int]:
    return {await spawn(ask)}


async def of_a_generator() -> set[int]:
    return {ident async for ident in rows()}


async def nested() -> set[int]:
    return {await spawn(lambda wait: [ask(wait), wait(spawn(ask))][1])}


async def in_a_task() -> set[int]:
    return set().union(*await asyncio.gather(directly(), nested()))


class Waiting:
    """`await Waiting()`: an awaitable whose iterator is a wrapper."""

    def __await__(self) -> Any:
        return directly().__await__()


async def of_an_awaitable() -> Any:
    return await Waiting()


@pytest.mark.parametrize("query", [directly, of_a_generator, nested, in_a_task, of_an_awaitable])
def test_a_suspended_greenlet_is_resumed_where_it_was_made(home: LoopUnderTest, query: Any) -> None:
    async def poll() -> None:
        while not over:
            found.update(await query())

    async def start() -> list[asyncio.Task[None]]:
        return [asyncio.create_task(poll()) for _ in range(2)]

    async def finish() -> None:
        await asyncio.wait(tasks)

    found: set[int] = set()
    over = False
    tasks = [*home.visit(start()).unwrap(), *home.at_home(start())]
    for _ in range(50):
        home.visit(asyncio.sleep(0.002)).unwrap()
        home.loop.run_until_complete(asyncio.sleep(0.002))
    over = True
    home.loop.run_until_complete(finish())
    assert [task.exception() for task in tasks] == [None] * 4
    assert found == {threading.get_ident(), home.user_loop.home_ident}
    assert home.notices == []


def test_looking_for_greenlets_keeps_nothing_alive(home: LoopUnderTest) -> None:
    class Big:
        def __del__(self) -> None:
            gone.set()

    async def hold() -> None:
        big = Big()
        await first.wait()
        del big
        await second.wait()

    async def start() -> asyncio.Task[None]:
        return asyncio.create_task(hold())

    gone = threading.Event()
    first, second = asyncio.Event(), asyncio.Event()
    task = home.visit(start()).unwrap()
    home.at_home(asyncio.sleep(0))
    home.visit(asyncio.sleep(0))
    home.loop.call_soon(first.set)
    assert gone.wait(PATIENCE) and frames_of(task.get_coro())
    home.loop.call_soon(second.set)
    home.loop.run_until_complete(task)


def idle(home: LoopUnderTest, until: SimpleQueue[Any]) -> None:
    """The main thread waits for a cell, as it does between two."""
    while home.user_loop.anchors.wait(until.get, lambda: until.put(None)) is None:
        pass


async def watch(seen: list[int], over: SimpleQueue[Any], steps: int) -> None:
    for _ in range(steps):
        seen.append(threading.get_ident())
        await asyncio.sleep(0)
    over.put("over")


def test_what_stays_on_main_is_never_stepped_elsewhere(home: LoopUnderTest) -> None:
    seen: list[int] = []
    over: SimpleQueue[Any] = SimpleQueue()
    task = home.loop.create_task(on_main(watch(seen, over, 200)))
    for _ in range(20):
        home.visit(asyncio.sleep(0)).unwrap()
    idle(home, over)
    home.loop.run_until_complete(task)
    assert len(seen) == 200 and set(seen) == {threading.get_ident()}


def test_what_stays_on_main_waits_while_main_is_busy(home: LoopUnderTest) -> None:
    seen: list[int] = []
    over: SimpleQueue[Any] = SimpleQueue()
    home.loop.create_task(on_main(watch(seen, over, 3)))
    for _ in range(20):
        home.at_home(asyncio.sleep(0.001))  # the loop goes on, and this thread has no time
    assert seen == []
    idle(home, over)
    assert seen == [threading.get_ident()] * 3


def test_only_what_is_awaited_inside_stays_on_main(home: LoopUnderTest) -> None:
    async def body() -> list[int]:
        there = threading.get_ident()
        await on_main(watch(seen, over, 2))
        await asyncio.sleep(0)
        return [there, threading.get_ident()]

    seen: list[int] = []
    over: SimpleQueue[Any] = SimpleQueue()
    assert home.loop.run_until_complete(body()) == [home.user_loop.home_ident] * 2
    assert seen == [threading.get_ident()] * 2


def test_what_stays_on_main_has_its_result_and_can_be_cancelled(home: LoopUnderTest) -> None:
    async def one() -> int:
        return 1

    assert home.loop.run_until_complete(on_main(one())) == 1
    assert asyncio.run(on_main(one())) == 1
    task = home.loop.create_task(on_main(asyncio.sleep(3600)))
    home.at_home(asyncio.sleep(0.001))
    home.loop.call_soon_threadsafe(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        home.loop.run_until_complete(task)


@pytest.fixture
def stoppable(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LoopUnderTest, InterruptController]]:
    """A user loop with a controller for which every second Stop is one."""
    monkeypatch.setattr(async_code, "APART", 0.0)
    monkeypatch.setattr(step_on_main, "APART", 0.0)
    controller = InterruptController(NoNotices(), SomeLines(), SomeTimers())
    before = signal.getsignal(signal.SIGINT)
    with user_loop_running(controller) as home:
        home.user_loop.anchors._guard = controller.step_of
        controller.install()
        yield home, controller
        signal.signal(signal.SIGINT, before)


def test_stop_twice_ends_a_step_that_the_home_thread_takes_for_the_cell(
    stoppable: tuple[LoopUnderTest, InterruptController],
) -> None:
    def block(wait: Callable[[Any], Any]) -> None:
        suspended.set()
        wait(go.wait())
        threading.Thread(target=press_stop).start()
        try:
            while True:
                pass
        finally:
            ended.set()

    def press_stop() -> None:
        while not ended.wait(0.02):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    async def cell() -> None:
        go.set()
        await asyncio.Event().wait()

    home, _ = stoppable
    suspended, ended, go = threading.Event(), threading.Event(), asyncio.Event()
    task = home.loop.create_task(spawn(block))  # begins at home
    assert suspended.wait(PATIENCE)
    execution = execution_of()
    outcome = home.visit(cell(), execution)
    assert isinstance(outcome.error, asyncio.CancelledError) and execution.interrupted
    assert isinstance(task.exception(), KeyboardInterrupt)
    assert home.visit(asyncio.sleep(0, 42)).unwrap() == 42


@pytest.mark.parametrize("stops", [1, 2])
def test_a_stop_that_comes_while_a_plain_cell_waits_does_not_hit_another_s_step(
    stoppable: tuple[LoopUnderTest, InterruptController], stops: int
) -> None:
    async def foreign() -> None:
        for _ in range(stops):
            signal.raise_signal(signal.SIGINT)
            survived.append(threading.get_ident())

    def wait() -> None:
        home.loop.create_task(on_main(foreign()))
        home.loop.run_until_complete(asyncio.Event().wait())

    home, controller = stoppable
    survived: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        controller.run_sync(wait)
    assert survived == [threading.get_ident()]
    assert controller.target is None
    assert home.visit(asyncio.sleep(0, 42)).unwrap() == 42
