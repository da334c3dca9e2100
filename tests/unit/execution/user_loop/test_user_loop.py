"""The user loop: at home on its own thread, on this one for a cell, and ended in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
import threading
import time
from collections.abc import AsyncGenerator
from types import ModuleType
from typing import Any

import pytest

from namespace_kernel.execution.user_loop import user_loop as user_loop_module
from namespace_kernel.execution.user_loop.tasks import FailedTasks
from tests.unit.fakes import PATIENCE, LoopUnderTest, execution_of, user_loop_running, whereabouts


def test_a_cell_runs_on_this_thread_and_everything_else_at_home(home: LoopUnderTest) -> None:
    assert home.at_home(whereabouts()) == home.user_loop.home_ident
    assert home.visit(whereabouts()).unwrap() == threading.get_ident()
    assert home.at_home(whereabouts()) == home.user_loop.home_ident
    assert home.notices == []


def test_no_loop_runs_in_this_thread_between_cells(home: LoopUnderTest) -> None:
    home.visit(asyncio.sleep(0))
    assert asyncio._get_running_loop() is None
    assert asyncio.run(whereabouts()) == threading.get_ident()


def test_a_task_goes_on_at_home_and_on_this_thread(home: LoopUnderTest) -> None:
    async def start() -> asyncio.Task[None]:
        return asyncio.create_task(work())

    async def work() -> None:
        while len(seen) < 2:
            seen.add(threading.get_ident())
            await asyncio.sleep(0)

    async def wait() -> None:
        await task

    seen: set[int] = set()
    task = home.visit(start()).unwrap()
    home.at_home(asyncio.sleep(0))
    home.visit(wait()).unwrap()
    assert seen == {home.user_loop.home_ident, threading.get_ident()}


def test_a_thousand_moves_under_load_lose_nothing(home: LoopUnderTest) -> None:
    ticks = 0
    echoed = 0
    over = asyncio.Event()
    one, other = socket.socketpair()

    async def tick() -> None:
        nonlocal ticks
        while not over.is_set():
            ticks += 1
            await asyncio.sleep(0)

    async def echo() -> None:
        nonlocal echoed
        reader, writer = await asyncio.open_connection(sock=one)
        while not over.is_set():
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            echoed += 1
        writer.close()
        await writer.wait_closed()

    async def serve() -> None:
        reader, writer = await asyncio.open_connection(sock=other)
        while data := await reader.read(10):
            writer.write(data)
        writer.close()
        await writer.wait_closed()

    async def start() -> list[asyncio.Task[None]]:
        return [asyncio.create_task(work()) for work in (tick, tick, echo, serve)]

    async def finish() -> None:
        over.set()
        await asyncio.gather(*tasks)

    tasks = home.visit(start()).unwrap()
    for number in range(1000):
        before = ticks
        assert home.visit(asyncio.sleep(0, number)).unwrap() == number
        assert ticks > before, "the tasks stood still while the cell waited"
    home.visit(finish()).unwrap()
    assert echoed > 100
    assert home.notices == [] and home.reported == []


def test_a_loop_that_code_stops_at_home_runs_again_and_says_so(home: LoopUnderTest) -> None:
    home.loop.call_soon_threadsafe(home.loop.stop)
    assert "running again" in home.wait_for_notice()
    assert home.at_home(whereabouts()) == home.user_loop.home_ident
    assert home.visit(whereabouts()).unwrap() == threading.get_ident()
    assert len(home.notices) == 1


def test_a_cell_that_stops_the_loop_is_run_to_its_end(home: LoopUnderTest) -> None:
    async def stop_twice() -> str:
        for _ in range(2):
            asyncio.get_running_loop().stop()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return "the end"

    assert home.visit(stop_twice()).unwrap() == "the end"
    assert len(home.notices) == 2 and "running again" in home.notices[0]
    assert home.at_home(whereabouts()) == home.user_loop.home_ident


def test_a_cell_that_cancels_every_task_ends_as_cancelled_and_the_next_one_runs(home: LoopUnderTest) -> None:
    async def cancel_all() -> None:
        for task in asyncio.all_tasks():
            task.cancel()
        await asyncio.sleep(0)

    assert isinstance(home.visit(cancel_all()).error, asyncio.CancelledError)
    assert home.visit(whereabouts()).unwrap() == threading.get_ident()


def test_a_cell_waits_for_a_loop_that_is_busy_and_says_with_what(home: LoopUnderTest) -> None:
    blocked, release = threading.Event(), threading.Event()

    def block_the_loop() -> None:
        blocked.set()
        release.wait(PATIENCE)

    home.loop.call_soon(block_the_loop)
    assert blocked.wait(PATIENCE)

    def let_go() -> None:
        home.wait_for_notice()
        release.set()

    helper = threading.Thread(target=let_go)
    helper.start()
    assert home.visit(whereabouts()).unwrap() == threading.get_ident()
    helper.join()
    assert len(home.notices) == 1
    assert "busy in" in home.notices[0] and "Stop" in home.notices[0]


@pytest.mark.parametrize(
    "module", [asyncio.selector_events, asyncio.base_events, selectors, user_loop_module]
)
def test_a_loop_whose_own_code_is_slow_is_not_called_busy(module: ModuleType, home: LoopUnderTest) -> None:
    blocked, release = threading.Event(), threading.Lock()
    code = "def work():\n    blocked.set()\n    release.acquire()"
    release.acquire()
    for filename, is_told in (("<a callback>", True), (str(module.__file__), False)):
        names: dict[str, Any] = {"blocked": blocked, "release": release}
        exec(compile(code, filename, "exec"), names)
        blocked.clear()
        home.loop.call_soon_threadsafe(names["work"])
        assert blocked.wait(PATIENCE)
        until = time.monotonic() + PATIENCE  # it has still to leave `set`
        while bool(home.user_loop._whereabouts()) is not is_told and time.monotonic() < until:
            time.sleep(0)
        assert bool(home.user_loop._whereabouts()) is is_told
        release.release()


def test_tasks_belong_to_the_cell_that_started_them(home: LoopUnderTest) -> None:
    async def start() -> None:
        await asyncio.create_task(start_another())

    async def start_another() -> None:
        tasks.append(asyncio.create_task(asyncio.Event().wait()))

    tasks: list[asyncio.Task[Any]] = []
    first, second = execution_of(name="first"), execution_of(name="second")
    home.visit(start(), first).unwrap()
    home.visit(asyncio.sleep(0), second).unwrap()
    assert set(first.tasks) >= set(tasks) and not set(second.tasks)
    home.loop.call_soon(tasks[0].cancel)


def test_close_ends_the_tasks_and_the_thread() -> None:
    cleaned = threading.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    async def start() -> asyncio.Task[None]:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        return task

    with user_loop_running() as home:
        task = home.visit(start()).unwrap()
    assert cleaned.is_set() and task.cancelled() and home.loop.is_closed()
    home.user_loop.close(PATIENCE)  # a second time is no error


def test_close_ends_async_generators_that_were_left() -> None:
    cleaned: list[int] = []
    kept: list[AsyncGenerator[int, None]] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            cleaned.append(threading.get_ident())

    async def start() -> int:
        kept.append(numbers())
        return await anext(kept[0])

    with user_loop_running() as home:
        assert home.visit(start()).unwrap() == 1
        ident = home.user_loop.home_ident
    assert cleaned == [ident]


def test_close_does_not_wait_for_ever_for_a_task_that_will_not_end() -> None:
    async def stubborn() -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    release = threading.Event()
    with user_loop_running() as home:
        home.loop.create_task(stubborn())
        home.at_home(asyncio.sleep(0))
        start = time.monotonic()
        home.user_loop.close(0.05)
        assert time.monotonic() - start < PATIENCE / 3
        assert home.loop.is_closed()
        for task in asyncio.all_tasks(home.loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_close_does_not_wait_for_ever_for_a_callback_that_blocks_the_loop() -> None:
    blocked, release = threading.Event(), threading.Event()

    def block_the_loop() -> None:
        blocked.set()
        release.wait(PATIENCE)

    home = LoopUnderTest()
    home.user_loop.start()
    thread = home.thread
    home.loop.call_soon(block_the_loop)
    assert blocked.wait(PATIENCE)
    start = time.monotonic()
    home.user_loop.close(0.05)
    assert time.monotonic() - start < PATIENCE / 3
    release.set()
    thread.join(PATIENCE)
    for _ in range(3):  # what `close` has begun, and nobody waits for
        home.loop.call_soon(home.loop.stop)
        home.loop.run_forever()
    home.loop.close()


async def fail(message: str = "x") -> None:
    raise KeyError(message)


def test_a_task_that_fails_at_home_is_reported_as_its_cells(home: LoopUnderTest) -> None:
    async def start() -> None:
        home.loop.call_later(0.001, lambda: tasks.append(asyncio.create_task(fail("late"))))

    tasks: list[asyncio.Task[None]] = []
    execution = execution_of()
    home.visit(start(), execution).unwrap()
    assert home.was_reported.acquire(timeout=PATIENCE)
    ((owner, error),) = home.reported
    assert owner is execution and isinstance(error, KeyError) and not execution.find(FailedTasks)
    tasks[0].exception()


def test_a_task_that_fails_during_its_cell_waits_for_the_cells_end(home: LoopUnderTest) -> None:
    async def start() -> None:
        tasks.extend([asyncio.create_task(fail()), asyncio.create_task(fail())])
        await asyncio.wait(tasks)
        tasks[0].exception()  # this one is retrieved

    tasks: list[asyncio.Task[None]] = []
    execution = execution_of()
    home.visit(start(), execution).unwrap()
    assert execution.find(FailedTasks) == tasks and home.reported == []
    for task in tasks:
        home.user_loop.tasks.report_failure(task)
    assert len(home.reported) == 1


def test_a_failure_that_someone_awaits_in_time_is_not_reported(home: LoopUnderTest) -> None:
    async def start() -> asyncio.Task[None]:
        return asyncio.create_task(later())

    async def later() -> None:
        await gate.wait()
        await fail()

    async def retrieve() -> None:
        gate.set()
        with contextlib.suppress(KeyError):
            await task

    gate = asyncio.Event()
    task = home.visit(start()).unwrap()
    home.at_home(retrieve())
    home.at_home(asyncio.sleep(0.1))
    assert home.reported == []


def test_a_callback_that_fails_is_reported_as_its_cells(home: LoopUnderTest) -> None:
    async def start() -> None:
        asyncio.get_running_loop().call_later(0.001, lambda: 1 / 0)

    execution = execution_of()
    home.visit(start(), execution).unwrap()
    assert home.was_reported.acquire(timeout=PATIENCE)
    ((owner, error),) = home.reported
    assert owner is execution and isinstance(error, ZeroDivisionError)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_task_cannot_end_the_home_thread(home: LoopUnderTest, error: type[BaseException]) -> None:
    async def end() -> None:
        raise error

    async def start() -> asyncio.Task[None]:
        return asyncio.create_task(end())

    task = home.at_home(start())
    assert error.__name__ in home.wait_for_notice()
    assert home.at_home(whereabouts()) == home.user_loop.home_ident
    assert isinstance(task.exception(), error)


# At rest


def wait_until_it_rests(home: LoopUnderTest) -> None:
    if not home.loop.can_rest:
        pytest.skip("this system's loops cannot rest")
    deadline = time.monotonic() + PATIENCE
    while not (home.loop.rests and home.user_loop._rests):
        assert time.monotonic() < deadline, "the loop does not rest"
        time.sleep(0.001)


def test_a_cell_takes_a_loop_at_rest_without_its_home_thread(home: LoopUnderTest) -> None:
    home.visit(asyncio.sleep(0))
    wait_until_it_rests(home)
    runs: list[int] = []
    home.user_loop.news.comes_home.append(lambda: runs.append(1))
    for _ in range(20):
        home.visit(asyncio.sleep(0.001))
    assert (runs, home.loop.rests) == ([], True)
    home.at_home(asyncio.sleep(0))
    assert runs == [1]


def test_a_loop_at_rest_runs_for_all_that_its_users_can_tell(home: LoopUnderTest) -> None:
    wait_until_it_rests(home)
    assert home.loop.is_running()
    home.loop.close()
    assert not home.loop.is_closed()
    assert home.loop.run_until_complete(whereabouts()) == home.user_loop.home_ident
    wait_until_it_rests(home)
    home.visit(asyncio.sleep(0))
    assert home.loop.is_running()


def test_a_loop_at_rest_is_woken_by_a_cell_s_timer_if_that_comes_first(home: LoopUnderTest) -> None:
    async def start(seconds: float, name: str) -> None:
        home.loop.call_later(seconds, lambda: (rung.append(name), done.release()))

    rung: list[str] = []
    done = threading.Semaphore(0)
    home.at_home(start(1000, "at home"))
    wait_until_it_rests(home)
    runs: list[int] = []
    home.user_loop.news.comes_home.append(lambda: runs.append(1))
    home.visit(start(2000, "later")).unwrap()
    assert runs == []
    for name in ("one", "two"):
        home.visit(start(0.02, name)).unwrap()
        assert done.acquire(timeout=PATIENCE)
        assert rung.pop() == name
        wait_until_it_rests(home)


def test_what_a_cell_leaves_ready_goes_on_after_a_rest(home: LoopUnderTest) -> None:
    async def leave() -> None:
        asyncio.current_task().add_done_callback(lambda _: home.loop.call_soon(home.loop.call_soon, gone.set))  # type: ignore[union-attr]

    for _ in range(20):
        gone = threading.Event()
        wait_until_it_rests(home)
        home.visit(leave()).unwrap()
        assert gone.wait(PATIENCE)


def test_a_callback_that_takes_turns_itself_does_so_till_it_is_done(home: LoopUnderTest) -> None:
    async def wait() -> bool:
        future = home.loop.create_future()
        home.loop.call_later(0.05, future.set_result, None)
        while not future.done():  # as nest_asyncio does
            home.loop._run_once()
            assert not home.loop._stopping
        return True

    assert home.at_home(wait())
    wait_until_it_rests(home)
    assert home.notices == []


def test_socket_events_of_a_cell_and_of_tasks_reach_each_through_many_rests(home: LoopUnderTest) -> None:
    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(sock=one)

    async def ask(number: int) -> bytes:
        writer.write(b"%d\n" % number)
        return await reader.readline()

    async def echo() -> None:
        theirs, back = await asyncio.open_connection(sock=other)
        while line := await theirs.readline():
            back.write(line)
        back.close()

    one, other = socket.socketpair()
    reader, writer = home.at_home(connect())
    task = asyncio.run_coroutine_threadsafe(echo(), home.loop)
    for number in range(100):
        if number % 10 == 0:
            wait_until_it_rests(home)
        answer = home.at_home(ask(number)) if number % 2 else home.visit(ask(number)).unwrap()
        assert answer == b"%d\n" % number
    home.loop.call_soon(writer.close)
    task.result(PATIENCE)
