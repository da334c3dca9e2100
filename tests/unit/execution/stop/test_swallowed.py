"""A Stop that comes where Python ignores exceptions: it comes again, in the cell's own code."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from namespace_kernel.base.patching import Patches
from namespace_kernel.execution.stop.swallowed import SwallowedStops
from namespace_kernel.execution.stop.thread_stop import ThreadStop
from tests.unit.execution.stop.test_interrupts import Desk, desk

__all__ = ["desk"]


class Thing:
    """Something that ends."""


def del_method(stop: Callable[[], object]) -> None:
    type("Ending", (), {"__del__": lambda self: stop()})()


def weak_callback(stop: Callable[[], object]) -> None:
    thing = Thing()
    reference = weakref.ref(thing, lambda reference: stop())
    del thing
    assert reference() is None


def finalizer(stop: Callable[[], object]) -> None:
    thing = Thing()
    weakref.finalize(thing, stop)
    del thing


def weak_set(stop: Callable[[], object]) -> None:
    """Python's own have a callback that is written in Python."""

    class Stopping(weakref.WeakSet[Thing]):
        def __init__(self) -> None:
            super().__init__()
            remove = self._remove  # type: ignore[has-type]
            self._remove = lambda reference: [remove(reference), stop()]

    known, thing = Stopping(), Thing()
    known.add(thing)
    del thing


def ended_generator(stop: Callable[[], object]) -> None:
    def generate() -> Iterator[None]:
        try:
            yield
        finally:
            stop()

    generator = generate()
    next(generator)
    del generator


def collector_callback(stop: Callable[[], object]) -> None:
    def callback(phase: str, facts: dict[str, int]) -> None:
        gc.callbacks.remove(callback)
        stop()

    gc.callbacks.append(callback)
    gc.collect()


def callback_of_c(stop: Callable[[], object]) -> None:
    ctypes.CFUNCTYPE(None)(stop)()


def several(stop: Callable[[], object]) -> None:
    """One after another, before the cell's next line."""
    things = [type("Ending", (), {"__del__": lambda self: stop()})() for _ in range(20)]
    del things


PLACES = pytest.mark.parametrize(
    "end",
    [
        del_method,
        weak_callback,
        finalizer,
        weak_set,
        ended_generator,
        collector_callback,
        callback_of_c,
        several,
    ],
)


class Hook(list[Any]):
    """Takes the place of Python's, and notes what it was given."""

    cell_runs = True

    def __call__(self, unraisable: Any) -> None:
        self.append(unraisable.exc_type)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    told = Hook()
    monkeypatch.setattr(sys, "unraisablehook", told)
    with Patches(*SwallowedStops(lambda: told.cell_runs).patches):
        yield told


def sigint() -> None:
    signal.raise_signal(signal.SIGINT)


def forever() -> None:
    while True:
        pass


@PLACES
def test_it_comes_again_in_a_plain_cell(end: Callable[..., None], desk: Desk, hook: Hook) -> None:
    def cell() -> None:
        end(sigint)
        forever()

    for _ in range(8):
        assert isinstance(desk.run_sync(cell).error, KeyboardInterrupt)
    assert desk.run_sync(lambda: 42).unwrap() == 42
    assert hook == []


@PLACES
def test_it_comes_again_in_an_awaiting_cell(end: Callable[..., None], desk: Desk, hook: Hook) -> None:
    async def cell() -> None:
        await asyncio.sleep(0)
        end(sigint)
        forever()

    for _ in range(8):
        assert isinstance(desk.home.visit(cell()).error, KeyboardInterrupt)
    assert desk.home.visit(asyncio.sleep(0, 42)).unwrap() == 42
    assert hook == []


@PLACES
def test_it_comes_again_in_another_thread(end: Callable[..., None], hook: Hook) -> None:
    ended: list[object] = []

    def work() -> None:
        outer = ThreadStop()
        stop = ThreadStop()
        try:
            end(stop.stop)
            forever()
        except KeyboardInterrupt:
            ended.append(stop.close())
        assert ThreadStop.of_caller() is outer
        outer.close()
        ended.append(ThreadStop.of_caller())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [False, None] and hook == []


def test_one_that_comes_when_no_cell_runs_is_told_as_ever(desk: Desk, hook: Hook) -> None:
    hook.cell_runs = False

    def leave() -> None:
        raise KeyboardInterrupt

    del_method(leave)
    thread = threading.Thread(target=del_method, args=(leave,))
    thread.start()
    thread.join()
    assert hook == [KeyboardInterrupt, KeyboardInterrupt]


@pytest.mark.parametrize("error", [ValueError, SystemExit, GeneratorExit])
def test_other_exceptions_are_told_as_ever(error: type[BaseException], desk: Desk, hook: Hook) -> None:
    def fail() -> None:
        raise error

    assert desk.run_sync(lambda: del_method(fail)).succeeded
    assert hook == [error]


def test_a_hook_of_the_user_s_is_kept_and_gets_it(desk: Desk, hook: Hook) -> None:
    own = Hook()

    @contextmanager
    def set_by_the_user() -> Iterator[None]:
        ours, sys.unraisablehook = sys.unraisablehook, own
        yield
        assert sys.unraisablehook is own
        sys.unraisablehook = ours

    with set_by_the_user(), suppress(KeyboardInterrupt):
        assert desk.run_sync(lambda: del_method(sigint)).succeeded
    assert own == [KeyboardInterrupt] and hook == []
