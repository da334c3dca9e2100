"""Looking at frames that run changes nothing for them."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from namespace_kernel.base.execution import current_execution
from namespace_kernel.base.started import is_nobodys
from tests.unit.fakes import execution_of


class Big:
    """Stands for what takes much memory."""


@pytest.fixture(autouse=True)
def in_a_cell() -> Iterator[None]:
    token = current_execution.set(execution_of())
    gc.disable()
    yield
    gc.enable()
    current_execution.reset(token)


def start() -> None:
    """Who starts a thread asks on whose behalf; all functions that run are looked at."""
    assert not is_nobodys()


def with_an_argument(size: int) -> bool:
    big = Big()
    is_there = weakref.ref(big)
    start()
    del big
    return is_there() is None


def with_a_default(size: int, times: int = 2) -> bool:
    return all(with_an_argument(size) for _ in range(times))


def with_a_closure(size: int) -> bool:
    big = Big()
    is_there = weakref.ref(big)

    def inner(number: int) -> object:
        start()
        return is_there

    inner(size)
    del big
    return is_there() is None


def argument_is_replaced(big: Any) -> bool:
    is_there = weakref.ref(big)
    start()
    big = None
    return is_there() is None


class Work:
    def method(self, size: int) -> bool:
        return with_an_argument(size)

    def __call__(self, size: int) -> bool:
        big, size = Big(), size
        is_there = weakref.ref(big)
        start()
        big = None  # type: ignore[assignment]
        return is_there() is None


@pytest.mark.parametrize(
    "work",
    [
        lambda: with_an_argument(1),
        lambda: with_a_default(1),
        lambda: with_a_closure(1),
        lambda: argument_is_replaced(Big()),
        lambda: Work().method(1),
        lambda: Work()(1),
    ],
    ids=["an argument", "a default", "a closure", "an argument is replaced", "a method", "a call"],
)
def test_what_a_function_lets_go_after_it_has_started_something_is_let_go(work: Callable[[], bool]) -> None:
    assert work()


def test_what_locals_has_given_stays() -> None:
    def work(size: int) -> dict[str, Any]:
        values = locals()
        start()
        return values

    assert work(3)["size"] == 3


def test_a_debugger_loses_no_variable() -> None:
    def work(size: int) -> int:
        doubled = size * 2
        return doubled

    def trace(frame: Any, event: str, argument: object) -> Any:
        frame.f_locals  # as debuggers do
        start()
        return trace

    sys.settrace(trace)
    try:
        assert work(3) == 6
    finally:
        sys.settrace(None)


def test_what_the_end_of_an_object_starts_is_still_nobodys() -> None:
    found: list[bool] = []

    def ended(reference: weakref.ref[Big]) -> None:
        found.append(is_nobodys())

    big = Big()
    reference = weakref.ref(big, ended)
    del big
    assert found == [True] and reference() is None


def test_a_coroutine_that_starts_something_keeps_nothing() -> None:
    async def work(size: int) -> bool:
        return with_an_argument(size)

    assert asyncio.run(work(1))
