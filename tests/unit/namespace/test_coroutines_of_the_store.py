"""Async functions as they are; coroutines tracked weakly, and closed on request."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
from types import CoroutineType
from typing import Any

import pytest

from namespace_kernel import AsyncNamespaceManager, ExecutionContextBridge
from namespace_kernel.namespace.history import ResultHistory
from tests.unit.fakes import answer, is_closed


def test_an_async_function_is_stored_as_it_is(manager: AsyncNamespaceManager) -> None:
    manager.update_namespace({"f": answer}, "main")
    assert manager.live["f"] is answer
    assert inspect.iscoroutinefunction(manager.namespace["f"])


async def test_an_async_function_that_a_cell_defines_stays_one(bridge: ExecutionContextBridge) -> None:
    await bridge.execute_in_async("async def f(): return 7", "define")
    assert inspect.iscoroutinefunction(bridge.namespace.live["f"])
    bridge.execute_in_thread("async def g(): return 8", "define", isolate=True)
    assert inspect.iscoroutinefunction(bridge.namespace.live["g"])
    assert await bridge.execute_in_async("await f() + await g()", "call") == 15


def test_ten_abandoned_coroutines_are_closed_once(manager: AsyncNamespaceManager) -> None:
    coroutines = {f"c{number}": answer(number) for number in range(10)}
    manager.update_namespace(coroutines, "async")
    assert all(manager.live[name] is coroutine for name, coroutine in coroutines.items())
    assert manager.cleanup_coroutines() == 10
    assert all(map(is_closed, coroutines.values()))
    assert manager.coroutines == [] and len(manager._coroutines) == 0
    assert manager.cleanup_coroutines() == 0


def test_one_coroutine_under_two_names_counts_once(manager: AsyncNamespaceManager) -> None:
    coroutine = answer()
    manager.update_namespace({"a": coroutine, "b": coroutine}, "async")
    manager.update_namespace({"c": coroutine}, "main")
    assert manager.cleanup_coroutines() == 1


def test_a_merged_copy_brings_its_coroutines(manager: AsyncNamespaceManager) -> None:
    base, copy = manager.namespace, manager.get_for_execution("thread")
    copy["c"] = answer()
    manager.merge_thread_results(copy, base)
    assert manager.coroutines == [copy["c"]]
    assert manager.cleanup_coroutines() == 1


def test_tracking_keeps_no_coroutine_alive(manager: AsyncNamespaceManager) -> None:
    coroutine: CoroutineType[Any, Any, Any] = answer()
    manager.track(coroutine)
    assert len(manager._coroutines) == 1
    coroutine.close()
    del coroutine
    gc.collect()
    assert len(manager._coroutines) == 0


async def test_what_was_awaited_is_not_counted(manager: AsyncNamespaceManager) -> None:
    coroutine = answer(3)
    manager.update_namespace({"c": coroutine}, "async")
    assert await coroutine == 3
    assert manager.coroutines == []
    assert manager.cleanup_coroutines() == 0


async def test_a_coroutine_that_a_task_is_about_to_start_is_not_closed(
    manager: AsyncNamespaceManager,
) -> None:
    coroutine = answer(3)
    manager.update_namespace({"c": coroutine}, "async")
    task = asyncio.create_task(coroutine)
    assert manager.cleanup_coroutines() == 0
    assert await task == 3


async def test_a_coroutine_that_is_waiting_is_not_closed(manager: AsyncNamespaceManager) -> None:
    gate = asyncio.Event()
    coroutine = gate.wait()
    manager.update_namespace({"c": coroutine}, "async")
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0)
    assert manager.cleanup_coroutines() == 0
    gate.set()
    assert await task is True


def test_a_task_of_another_thread_s_loop_is_not_disturbed(manager: AsyncNamespaceManager) -> None:
    loop = asyncio.new_event_loop()
    coroutine = answer(3)
    manager.update_namespace({"c": coroutine}, "async")
    task = loop.create_task(coroutine)
    assert manager.cleanup_coroutines() == 0
    assert loop.run_until_complete(task) == 3
    loop.close()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a closed coroutine keeps its arguments since 3.12")
def test_a_coroutine_whose_arguments_come_back_to_the_manager_as_they_die_is_no_deadlock(
    manager: AsyncNamespaceManager,
) -> None:
    class Returning:
        def __del__(self) -> None:
            manager.update_namespace({"said": "goodbye"}, "main")

    manager.update_namespace({"c": answer(Returning())}, "async")
    assert manager.cleanup_coroutines() == 1
    assert manager.live["said"] == "goodbye"


def test_a_value_that_comes_back_to_the_manager_as_it_is_replaced_is_no_deadlock(
    manager: AsyncNamespaceManager,
) -> None:
    class Returning:
        def __del__(self) -> None:
            manager.update_namespace({"said": manager.namespace["x"]}, "main")

    manager.update_namespace({"x": Returning()}, "main")
    manager.update_namespace({"x": "the new one"}, "main")
    assert manager.live["said"] == "the new one"


def test_a_result_is_not_asked_whether_it_is_the_one_to_be_replaced() -> None:
    class Unequal:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None  # type: ignore[assignment]

    history, old = ResultHistory(), object()
    for number, value in enumerate([Unequal(), old, Unequal(), old], 1):
        history.record_result(value, number)
    history.replace(old, "new")
    assert (history.outputs[2], history.outputs[4], history.results()[0]) == ("new", "new", "new")
