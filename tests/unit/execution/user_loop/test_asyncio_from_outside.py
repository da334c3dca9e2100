"""asyncio's functions where no loop runs, while the user loop runs at the same time."""

from __future__ import annotations

import asyncio
import inspect
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from namespace_kernel.base.patching import Patches
from namespace_kernel.execution.user_loop.asyncio_names import STILL
from namespace_kernel.execution.user_loop.asyncio_patch import AsyncioFront
from namespace_kernel.execution.user_loop.signal_patch import SignalFront
from tests.unit.execution.user_loop.policies import DefaultEventLoopPolicy, may_set_policies
from tests.unit.fakes import PATIENCE, LoopUnderTest, run_in_threads, whereabouts

pytestmark = may_set_policies


@pytest.fixture
def front(home: LoopUnderTest) -> Iterator[AsyncioFront]:
    one = AsyncioFront(home.loop, lambda: threading.current_thread() is threading.main_thread())
    with Patches(*one.patches):
        yield one
    asyncio.set_event_loop_policy(None)


@pytest.fixture(params=[False, True], ids=["at rest", "busy"])
def busy(request: pytest.FixtureRequest, home: LoopUnderTest, front: AsyncioFront) -> Iterator[LoopUnderTest]:
    """A user loop that rests in between, or one with a task that never waits for long."""
    over = not request.param
    interval = sys.getswitchinterval()
    if request.param:
        sys.setswitchinterval(1e-6)  # the threads take turns all the time

    async def spin() -> None:
        while not over:
            await asyncio.sleep(0)

    task = home.loop.create_task(spin())
    yield home
    over = True
    home.loop.run_until_complete(task)
    sys.setswitchinterval(interval)
    assert home.notices == [] and home.reported == []


async def soon(value: Any = None) -> Any:
    if isinstance(value, int) and value % 2:
        await asyncio.sleep(0)
    return value


def run(home: LoopUnderTest, coroutine: Any) -> Any:
    return home.loop.run_until_complete(coroutine)


def storm_gather(home: LoopUnderTest) -> None:
    async def wait(future: Any) -> Any:
        return await future

    assert run(home, wait(asyncio.gather(*map(soon, range(5))))) == list(range(5))


def storm_shield(home: LoopUnderTest) -> None:
    async def wait(future: Any) -> Any:
        return await future

    assert run(home, wait(asyncio.shield(soon(1)))) == 1


def storm_as_completed(home: LoopUnderTest) -> None:
    found = [run(home, one) for one in asyncio.as_completed([soon(number) for number in range(50)])]
    assert sorted(found) == list(range(50))


def storm_wait(home: LoopUnderTest) -> None:
    done, waiting = run(home, asyncio.wait([asyncio.ensure_future(soon()) for _ in range(3)]))
    assert len(done) == 3 and not waiting


def storm_wait_for(home: LoopUnderTest) -> None:
    assert run(home, asyncio.wait_for(soon(1), PATIENCE)) == 1


def storm_wrap_future(home: LoopUnderTest) -> None:
    async def wait(future: Any) -> Any:
        return await future

    future: Any = asyncio.run_coroutine_threadsafe(soon(1), home.loop)
    assert run(home, wait(asyncio.wrap_future(future))) == 1


def storm_queue(home: LoopUnderTest) -> None:
    async def take() -> list[int]:
        return [await queue.get() for _ in range(50)]

    queue: asyncio.Queue[int] = asyncio.Queue()
    task = asyncio.create_task(take())
    for number in range(50):
        queue.put_nowait(number)
    assert run(home, task) == list(range(50))
    for _ in range(50):
        queue.task_done()
    run(home, queue.join())


def storm_event(home: LoopUnderTest) -> None:
    event = asyncio.Event()
    tasks = [asyncio.create_task(event.wait()) for _ in range(30)]
    event.set()
    assert [run(home, task) for task in tasks] == [True] * 30
    event.clear()


def storm_semaphore(home: LoopUnderTest) -> None:
    async def enter() -> None:
        await semaphore.acquire()

    semaphore = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(enter()) for _ in range(30)]
    for _ in range(30):
        semaphore.release()
    for task in tasks:
        run(home, task)
    assert semaphore.locked()


def storm_lock(home: LoopUnderTest) -> None:
    lock = asyncio.Lock()
    run(home, lock.acquire())
    task = asyncio.create_task(lock.acquire())
    lock.release()
    assert run(home, task)


def storm_condition(home: LoopUnderTest) -> None:
    async def wait() -> None:
        async with condition:
            waits.set()
            await condition.wait()

    condition, waits = asyncio.Condition(), asyncio.Event()
    task = asyncio.create_task(wait())
    run(home, waits.wait())
    run(home, condition.acquire())
    condition.notify()
    condition.release()
    run(home, task)


def storm_barrier(home: LoopUnderTest) -> None:
    async def wait() -> None:
        await barrier.wait()

    barrier = asyncio.Barrier(3)
    for task in [asyncio.create_task(wait()) for _ in range(3)]:
        run(home, task)


def storm_task_group(home: LoopUnderTest) -> None:
    async def hold() -> None:
        async with group:
            entered.set()
            await go.wait()

    group, entered, go = asyncio.TaskGroup(), asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(hold())
    run(home, entered.wait())
    tasks = [group.create_task(soon(number)) for number in range(30)]
    go.set()
    run(home, task)
    assert [task.result() for task in tasks] == list(range(30))


def storm_streams(home: LoopUnderTest) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(3))
        writer.close()

    server = run(home, asyncio.start_server(echo, "127.0.0.1", 0))
    reader, writer = run(home, asyncio.open_connection(*server.sockets[0].getsockname()))
    for letter in (b"a", b"b", b"c"):
        writer.write(letter)
    assert run(home, reader.read()) == b"abc"
    writer.close()
    server.close()


def storm_timers_and_callbacks(home: LoopUnderTest) -> None:
    future = home.loop.create_future()
    home.loop.call_later(0, lambda: home.loop.call_soon(future.set_result, 1))
    assert run(home, future) == 1
    stopped: Any = home.loop.create_future()
    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        run(home, stopped)


def storm_all_tasks(home: LoopUnderTest) -> None:
    task = asyncio.create_task(soon())
    assert task in asyncio.all_tasks() or run(home, task) is None
    run(home, task)


STORMS = {
    name.removeprefix("storm_"): one for name, one in list(globals().items()) if name.startswith("storm_")
}


@pytest.mark.parametrize("name", STORMS)
def test_a_storm_of_calls_loses_nothing(name: str, busy: LoopUnderTest) -> None:
    for _ in range(5 if name == "streams" else 50):
        STORMS[name](busy)


def test_a_value_set_at_the_moment_when_a_task_begins_to_wait_is_not_lost(busy: LoopUnderTest) -> None:
    """The task has looked, and has not yet said that it waits: nobody may get in between."""
    for _ in range(300):
        event = asyncio.Event()
        task = asyncio.create_task(event.wait())
        event.set()
        assert run(busy, asyncio.wait_for(task, PATIENCE)) is True


@pytest.mark.usefixtures("front")
def test_a_loop_that_is_blocked_holds_up_nobody_for_ever(home: LoopUnderTest) -> None:
    blocked, go = threading.Event(), threading.Event()

    def block() -> None:
        blocked.set()
        assert go.wait(PATIENCE)

    home.loop.call_soon(block)
    assert blocked.wait(PATIENCE)
    queue: asyncio.Queue[int] = asyncio.Queue()
    queue.put_nowait(1)  # what blocks may wait for what comes next here
    go.set()
    assert run(home, queue.get()) == 1


# In front of Python's functions


def test_what_stands_in_front_of_a_function_looks_like_it(home: LoopUnderTest) -> None:
    front = AsyncioFront(home.loop, lambda: True)
    signals = SignalFront(lambda: None, lambda: None)
    patched = [
        (one.owner, one.name, getattr(one.owner, one.name))
        for one in (*front.patches, *signals.patches)
        if hasattr(one.owner, one.name)
    ]
    with Patches(*front.patches, *signals.patches):
        pairs = [(original, getattr(owner, name)) for owner, name, original in patched]
        assert len(pairs) > 3 * len(STILL)
        for original, stands in pairs:
            assert stands is not original
            for name in ("__name__", "__qualname__", "__doc__"):
                assert getattr(stands, name) == getattr(original, name), original
            if isinstance(original, types.BuiltinFunctionType):  # for pickle, which looks there
                assert getattr(sys.modules[stands.__module__], stands.__name__) is stands
            else:
                assert stands.__module__ == original.__module__
            assert inspect.signature(stands) == inspect.signature(original)
    assert all(getattr(owner, name) is original for owner, name, original in patched)


@pytest.mark.usefixtures("front")
@pytest.mark.parametrize("policy", [object(), 1, "policy", DefaultEventLoopPolicy])
def test_what_is_no_policy_is_refused(policy: Any, home: LoopUnderTest) -> None:
    with pytest.raises((TypeError, AssertionError)):
        asyncio.set_event_loop_policy(policy)
    assert asyncio.get_event_loop() is home.loop


@pytest.mark.usefixtures("front")
@pytest.mark.parametrize(
    "call",
    [
        lambda: asyncio.gather(1),
        lambda: asyncio.shield(1),
        lambda: asyncio.ensure_future(1),
        lambda: list(asyncio.as_completed(1)),
        lambda: asyncio.create_task(1),
        lambda: asyncio.Lock().release(),
        lambda: asyncio.Queue().get_nowait(),
        lambda: asyncio.Condition().notify(),
    ],
)
def test_errors_are_pythons_own(call: Callable[[], Any]) -> None:
    with pytest.raises(Exception) as here:
        call()
    assert type(here.value) in (TypeError, RuntimeError, asyncio.QueueEmpty, AssertionError)
    assert "namespace_kernel" not in str(here.value)


# Waiting for the loop to stop


def test_run_forever_waits_until_what_runs_stops_the_loop(home: LoopUnderTest) -> None:
    seen: list[int] = []
    for stop_soon in (
        lambda: home.loop.call_later(0.01, home.loop.stop),
        lambda: home.loop.call_soon(home.loop.stop),
        lambda: home.loop.create_task(stop_in(home)),
        lambda: home.loop.stop(),
        lambda: threading.Timer(0.01, home.loop.call_soon_threadsafe, (home.loop.stop,)).start(),
    ):
        stop_soon()
        home.loop.run_forever()
        seen.append(run(home, whereabouts()))
    assert seen == [home.user_loop.home_ident] * 5
    home.at_home(asyncio.sleep(0.2))
    assert home.notices == []


async def stop_in(home: LoopUnderTest) -> None:
    await asyncio.sleep(0.01)
    home.loop.stop()


def test_run_forever_of_several_threads_ends_for_all(home: LoopUnderTest) -> None:
    home.loop.call_later(0.2, home.loop.stop)
    run_in_threads(home.loop.run_forever, home.loop.run_forever)
    assert home.visit(whereabouts()).unwrap() == threading.get_ident()


def test_a_stop_ends_the_wait_of_run_forever(home: LoopUnderTest) -> None:
    came = threading.Event()

    def press() -> None:
        """Again and again, as the kernel does: a signal just before the wait does not end it."""
        while not came.wait(0.02):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def stop(*_: object) -> None:
        if not came.is_set():
            came.set()
            raise KeyboardInterrupt

    presser = threading.Thread(target=press)
    before = signal.signal(signal.SIGINT, stop)
    try:
        home.loop.call_soon(presser.start)
        with pytest.raises(KeyboardInterrupt):
            home.loop.run_forever()
        presser.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert home.visit(asyncio.sleep(0, 42)).unwrap() == 42


@pytest.mark.usefixtures("front")
def test_tornados_loop_starts_and_stops(home: LoopUnderTest) -> None:
    from tornado.ioloop import IOLoop

    loop = IOLoop.current()
    loop.call_later(0.01, loop.stop)
    loop.start()
    assert home.notices == []


# Signals


def test_a_handler_can_be_asked_for_at_home(home: LoopUnderTest) -> None:
    async def ask() -> None:
        home.loop.add_signal_handler(signal.SIGUSR1, called.set)

    async def forget() -> bool:
        return bool(home.loop.remove_signal_handler(signal.SIGUSR1))

    asked, called = threading.Event(), threading.Event()
    front = SignalFront(lambda: home.user_loop.home_ident, asked.set)
    with Patches(*front.patches):
        home.at_home(ask())
        assert asked.wait(PATIENCE)
        front.apply()
        signal.raise_signal(signal.SIGUSR1)
        assert called.wait(PATIENCE)
        assert home.at_home(forget()) and not home.at_home(forget())
        front.apply()
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


@pytest.mark.parametrize(
    ("number", "callback", "error"),
    [
        (signal.SIGKILL, print, RuntimeError),
        ("1", print, TypeError),
        (1000, print, ValueError),
        (signal.SIGUSR1, soon, TypeError),
    ],
)
def test_what_is_no_handler_is_refused_everywhere(
    number: Any, callback: Any, error: type[Exception], home: LoopUnderTest
) -> None:
    async def ask() -> None:
        home.loop.add_signal_handler(number, callback)

    front = SignalFront(lambda: home.user_loop.home_ident, lambda: None)
    with Patches(*front.patches):
        with pytest.raises(error):
            home.at_home(ask())
        with pytest.raises(error):
            home.visit(ask()).unwrap()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
