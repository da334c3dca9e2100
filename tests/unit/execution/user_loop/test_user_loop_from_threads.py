"""The user loop, used from threads where it is not running."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from types import FrameType
from typing import Any

import pytest

from namespace_kernel.execution.user_loop.anchors import Anchors
from tests.unit.fakes import PATIENCE, LoopUnderTest, run_in_threads, whereabouts

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


async def until(event: threading.Event) -> None:
    """Let the loop go on until a thread sets the event."""
    await asyncio.get_running_loop().run_in_executor(None, event.wait, PATIENCE)


def test_timers_and_callbacks_from_other_threads_wake_a_sleeping_loop(home: LoopUnderTest) -> None:
    seen: list[tuple[str, int]] = []
    done = threading.Barrier(4)

    def note(what: str) -> None:
        seen.append((what, threading.get_ident()))
        threading.Thread(target=done.wait, args=(PATIENCE,)).start()

    home.at_home(asyncio.sleep(0))  # it waits for events now
    home.loop.call_soon(note, "soon")
    home.loop.call_later(0.001, note, "later")
    home.loop.call_at(home.loop.time() + 0.002, note, "at")
    home.loop.call_later(0.001, note, "never").cancel()
    done.wait(PATIENCE)
    assert sorted(seen) == sorted((what, home.user_loop.home_ident) for what in ("soon", "later", "at"))


def test_a_timer_set_elsewhere_can_be_cancelled_as_long_as_it_has_not_come(home: LoopUnderTest) -> None:
    timer = home.loop.call_later(3600, pytest.fail)
    home.at_home(asyncio.sleep(0))
    assert timer.when() > home.loop.time()
    timer.cancel()
    assert timer.cancelled()
    assert home.at_home(asyncio.sleep(0.001, "others come")) == "others come"


def test_callbacks_run_in_the_context_they_were_given_or_made_in(home: LoopUnderTest) -> None:
    seen: list[str] = []
    done = threading.Event()
    given = contextvars.copy_context()
    given.run(VARIABLE.set, "given")
    contextvars.copy_context().run(
        lambda: [VARIABLE.set("made in"), home.loop.call_later(0.001, lambda: seen.append(VARIABLE.get()))]
    )
    home.loop.call_later(0.002, lambda: seen.append(VARIABLE.get()), context=given)
    home.loop.call_later(0.003, done.set)
    assert done.wait(PATIENCE)
    assert seen == ["made in", "given"]


def test_tasks_and_futures_can_be_used_from_another_thread(home: LoopUnderTest) -> None:
    future = home.loop.create_future()
    task = home.loop.create_task(_await_future(future), name="made elsewhere")
    assert task.get_name() == "made elsewhere"
    run_in_threads(lambda: future.set_result("set elsewhere"))
    assert home.at_home(_await_future(task)) == "set elsewhere"


async def _await_future(future: asyncio.Future[Any]) -> Any:
    return await future


def test_four_threads_at_once_lose_no_callback_while_the_loop_moves(home: LoopUnderTest) -> None:
    called: list[int] = []
    threads = 4

    def use() -> None:
        for number in range(500):
            home.loop.call_soon(called.append, number)
            home.loop.call_later(0, called.append, number)

    workers = [threading.Thread(target=use) for _ in range(threads)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        home.visit(asyncio.sleep(0)).unwrap()
    home.at_home(asyncio.sleep(0.001))
    assert len(called) == threads * 500 * 2


async def fail() -> None:
    await asyncio.sleep(0)
    raise KeyError("x")


def test_run_until_complete_waits_from_any_thread(home: LoopUnderTest) -> None:
    def use() -> None:
        assert home.loop.run_until_complete(whereabouts()) == home.user_loop.home_ident
        future = home.loop.create_future()
        home.loop.call_later(0.001, future.set_result, "a future's")
        assert home.loop.run_until_complete(future) == "a future's"
        with pytest.raises(KeyError):
            home.loop.run_until_complete(fail())

    use()
    run_in_threads(use, use)


def test_run_until_complete_of_what_is_cancelled_raises_asyncios_error(home: LoopUnderTest) -> None:
    cancelled = home.loop.create_future()
    home.loop.call_soon(cancelled.cancel)
    with pytest.raises(asyncio.CancelledError):
        home.loop.run_until_complete(cancelled)


def test_a_thread_that_gives_up_waiting_cancels_what_it_waited_for(home: LoopUnderTest) -> None:
    class GivenUp(BaseException):
        pass

    def give_up_if_waiting(number: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code is Anchors.wait.__code__:
            raise GivenUp

    async def wait_for_ever() -> None:
        try:
            while True:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                await asyncio.sleep(0.001)
        finally:
            ended.set()

    ended = threading.Event()
    before = signal.signal(signal.SIGUSR1, give_up_if_waiting)
    try:
        with pytest.raises(GivenUp):
            home.loop.run_until_complete(wait_for_ever())
        assert ended.wait(PATIENCE)
    finally:
        signal.signal(signal.SIGUSR1, before)


class Awaitable:
    def __await__(self) -> Any:
        return asyncio.sleep(0, "awaited").__await__()


def test_run_until_complete_takes_what_asyncio_takes_and_refuses_the_rest(home: LoopUnderTest) -> None:
    assert home.loop.run_until_complete(Awaitable()) == "awaited"
    with pytest.raises(TypeError, match="awaitable is required"):
        home.loop.run_until_complete(3)


def test_run_until_complete_inside_the_loop_is_refused_as_ever(home: LoopUnderTest) -> None:
    async def nested() -> None:
        coroutine = asyncio.sleep(0)
        try:
            home.loop.run_until_complete(coroutine)
        finally:
            coroutine.close()

    for run in (home.at_home, lambda coroutine: home.visit(coroutine).unwrap()):
        with pytest.raises(RuntimeError, match="already running"):
            run(nested())


def test_a_thread_gets_its_answer_also_while_the_loop_is_away_from_home(home: LoopUnderTest) -> None:
    done = threading.Event()
    answers: list[int] = []

    def use() -> None:
        answers.append(home.loop.run_until_complete(whereabouts()))
        done.set()

    async def cell() -> None:
        threading.Thread(target=use).start()
        await until(done)

    home.visit(cell()).unwrap()
    assert answers == [threading.get_ident()]
