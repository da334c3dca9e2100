"""`DeferredCoroutine`: awaitable once, in every way that asyncio knows, with the same arguments."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from namespace_kernel import DeferredCoroutine
from namespace_kernel.base.errors import DeferredCoroutineError, NamespaceKernelError
from tests.unit.fakes import PATIENCE, answer, is_closed


def deferred(coroutine: Any) -> DeferredCoroutine:
    one = DeferredCoroutine.in_place_of(coroutine)
    assert one is not None
    coroutine.close()
    return one


async def waiting(value: Any = 42) -> Any:
    await asyncio.sleep(0)
    return value


async def by_await(one: Awaitable[Any]) -> Any:
    return await one


async def by_gather(one: Awaitable[Any]) -> Any:
    return (await asyncio.gather(waiting(), one))[1]


async def by_create_task(one: Coroutine[Any, Any, Any]) -> Any:
    return await asyncio.create_task(one)


async def by_ensure_future(one: Awaitable[Any]) -> Any:
    return await asyncio.ensure_future(one)


async def by_task_group(one: Coroutine[Any, Any, Any]) -> Any:
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return task.result()


async def by_wait_for(one: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(one, PATIENCE)


async def by_shield(one: Awaitable[Any]) -> Any:
    return await asyncio.shield(one)


async def by_as_completed(one: Awaitable[Any]) -> Any:
    (future,) = asyncio.as_completed([one])
    return await future


WAYS = [
    by_await,
    by_gather,
    by_create_task,
    by_ensure_future,
    by_task_group,
    by_wait_for,
    by_shield,
    by_as_completed,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("function", [answer, waiting], ids=["at once", "after a wait"])
async def test_it_can_be_awaited_in_every_way(
    way: Callable[[Any], Coroutine[Any, Any, Any]], function: Callable[..., Coroutine[Any, Any, Any]]
) -> None:
    one = deferred(function("value"))
    assert await way(one) == "value"
    with pytest.raises(DeferredCoroutineError, match="again"):
        await way(one)


def test_asyncio_run_takes_it() -> None:
    one = deferred(waiting("value"))
    assert asyncio.run(one) == "value"
    with pytest.raises(DeferredCoroutineError):
        asyncio.run(one)


def test_a_loop_takes_it() -> None:
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(deferred(waiting("value"))) == "value"
    loop.close()


async def test_run_coroutine_threadsafe_takes_it() -> None:
    loop = asyncio.get_running_loop()
    one = deferred(waiting("value"))

    def elsewhere() -> Any:
        return asyncio.run_coroutine_threadsafe(one, loop).result(PATIENCE)

    assert await asyncio.to_thread(elsewhere) == "value"


def test_it_counts_as_awaitable_and_looks_like_a_coroutine() -> None:
    one = deferred(waiting())
    assert inspect.isawaitable(one) and asyncio.iscoroutine(one)
    assert isinstance(one, Coroutine)
    assert (one.__name__, one.__qualname__) == ("waiting", "waiting")
    assert "waiting" in repr(one) and "not awaited yet" in repr(one)
    asyncio.run(one)
    assert "not awaited" not in repr(one)


async def test_its_task_can_be_shown() -> None:
    task = asyncio.create_task(deferred(waiting()))
    assert "waiting" in repr(task)
    assert task.get_coro().__qualname__ == "waiting"  # type: ignore[union-attr]
    task.get_stack()
    await task
    assert "waiting" in repr(task)


async def test_each_await_calls_the_function_once() -> None:
    calls: list[int] = []

    async def count(number: int) -> None:
        calls.append(number)

    one = deferred(count(1))
    assert calls == []
    await one
    with pytest.raises(DeferredCoroutineError) as refusal:
        await one
    assert calls == [1]
    assert isinstance(refusal.value, NamespaceKernelError)
    assert "count(...)" in str(refusal.value)


class Holder:
    def __init__(self, value: int) -> None:
        self.value = value

    async def method(self, other: int) -> int:
        return self.value + other

    @classmethod
    async def class_method(cls, other: int) -> tuple[str, int]:
        return cls.__name__, other

    @staticmethod
    async def static_method(other: int) -> int:
        return other

    async def __call__(self, *others: int) -> tuple[int, ...]:
        return (self.value, *others)


async def plain(a: int, b: int = 2, /, c: int = 3, *rest: int, d: int, e: int = 5, **others: int) -> Any:
    return a, b, c, rest, d, e, others


def closure(captured: int) -> Callable[[int], Coroutine[Any, Any, Any]]:
    async def inner(argument: int, *more: int, key: int = 0) -> Any:
        def deeper() -> tuple[Any, ...]:  # makes cells of the arguments
            return captured, argument, more, key

        return deeper()

    return inner


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return "wrapped", await function(*args, **kwargs)

    return wrapper


CALLS: dict[str, tuple[Callable[[], Any], Any]] = {
    "all kinds": (lambda: plain(1, 2, 3, 4, 5, d=6, z=7), (1, 2, 3, (4, 5), 6, 5, {"z": 7})),
    "defaults": (lambda: plain(1, d=6), (1, 2, 3, (), 6, 5, {})),
    "c by keyword": (lambda: plain(1, c=9, d=6, e=7), (1, 2, 9, (), 6, 7, {})),
    "names of ours": (lambda: plain(1, d=6, function=1, args=2, self=3), None),
    "bound method": (lambda: Holder(40).method(2), 42),
    "class method": (lambda: Holder.class_method(2), ("Holder", 2)),
    "static method": (lambda: Holder.static_method(2), 2),
    "callable object": (lambda: Holder(1)(2, 3), (1, 2, 3)),
    "closure": (lambda: closure(1)(2, 3, key=4), (1, 2, (3,), 4)),
    "partial": (lambda: functools.partial(plain, 1, d=2)(8), (1, 8, 3, (), 2, 5, {})),
    "decorated": (lambda: decorated(plain)(1, d=2), ("wrapped", (1, 2, 3, (), 2, 5, {}))),
    "library": (lambda: asyncio.sleep(0, "slept"), "slept"),
}


@pytest.mark.parametrize("call", CALLS)
async def test_it_is_called_again_with_the_same_arguments(call: str) -> None:
    make, expected = CALLS[call]
    plain_answer = await make()
    assert expected is None or plain_answer == expected
    assert await deferred(make()) == plain_answer


async def test_arguments_are_the_very_same_objects() -> None:
    argument: list[int] = []
    one = deferred(answer(argument))
    argument.append(1)
    assert await one is argument


async def test_a_method_sees_its_object_as_it_is_when_awaited() -> None:
    holder = Holder(0)
    one = deferred(holder.method(2))
    holder.value = 40
    assert await one == 42


async def test_what_the_coroutine_raises_is_raised() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("x")

    with pytest.raises(KeyError):
        await deferred(fail())
    with pytest.raises(KeyError):
        await asyncio.create_task(deferred(fail()))


async def test_a_task_of_it_can_be_cancelled_before_and_amid_its_work() -> None:
    cancelled: list[str] = []
    started = asyncio.Event()

    async def wait_for_ever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("amid")
            raise

    for wait_first in (False, True):
        task = asyncio.create_task(deferred(wait_for_ever()))
        if wait_first:
            await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert cancelled == ["amid"]


def test_dropping_it_or_closing_it_warns_of_nothing() -> None:
    one, other = deferred(waiting()), deferred(waiting())
    other.close()
    with pytest.raises(DeferredCoroutineError):
        asyncio.run(other)
    del one
    gc.collect()  # a warning would be an error here


def test_closing_it_amid_its_work_closes_the_coroutine() -> None:
    cleaned: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            cleaned.append(True)

    one = deferred(work())
    one.send(None)
    one.close()
    assert cleaned == [True]


@pytest.mark.parametrize("state", ["closed", "finished", "suspended"])
def test_there_is_none_for_a_coroutine_that_has_begun(state: str) -> None:
    coroutine = waiting()
    if state != "closed":
        coroutine.send(None)
    if state == "finished":
        with pytest.raises(StopIteration):
            coroutine.send(None)
    if state != "suspended":
        coroutine.close()
        assert DeferredCoroutine.in_place_of(coroutine) is None
        assert is_closed(coroutine)
    coroutine.close()
