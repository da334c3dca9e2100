"""The bridge inside somebody's asyncio program: cancelled, called at once from everywhere, in any context."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from functools import partial

import pytest

from namespace_kernel import AsyncNamespaceManager, Cell, ExecutionContextBridge
from tests.unit.fakes import run_in_threads

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


async def test_a_cancelled_caller_cancels_the_code(bridge: ExecutionContextBridge) -> None:
    started = asyncio.Event()
    bridge.namespace.update_namespace({"started": started}, "main")
    code = (
        "import asyncio\nstarted.set()\ntry:\n    await asyncio.Event().wait()\nfinally:\n    cleaned = True"
    )
    task = asyncio.create_task(bridge.execute_in_async(code, "waiting"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bridge.namespace.live["cleaned"] is True
    assert isinstance(bridge.namespace.live["_exception"], asyncio.CancelledError)


async def test_a_timeout_of_the_caller_ends_the_code(bridge: ExecutionContextBridge) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await bridge.execute_in_async("import asyncio; await asyncio.Event().wait()", "waiting")
    assert await bridge.execute_in_async("1 + 1", "next") == 2


async def test_code_waits_without_blocking_the_program(bridge: ExecutionContextBridge) -> None:
    gate = asyncio.Event()
    bridge.namespace.update_namespace({"gate": gate}, "main")
    waiting = asyncio.create_task(bridge.execute_in_async("await gate.wait()\n'through'", "waiting"))
    assert await bridge.execute_in_async("'not blocked'", "other") == "not blocked"
    assert bridge.execute_in_thread("'nor this'", "third") == "nor this"
    assert not waiting.done()
    gate.set()
    assert await waiting == "through"


async def test_results_of_overlapping_executions_are_kept_under_their_own_inputs(
    bridge: ExecutionContextBridge,
) -> None:
    gate = asyncio.Event()
    bridge.namespace.update_namespace({"gate": gate}, "main")
    slow = asyncio.create_task(bridge.execute_in_async("await gate.wait()\n'slow'", "slow"))
    await asyncio.sleep(0)
    await bridge.execute_in_async("'quick'", "quick")
    gate.set()
    await slow
    live = bridge.namespace.live
    assert live["In"][1:] == ["await gate.wait()\n'slow'", "'quick'"]
    assert live["Out"] == {1: "slow", 2: "quick"}
    assert (live["_1"], live["_2"]) == ("slow", "quick")
    assert (live["_"], live["__"]) == ("slow", "quick")


async def test_an_engine_name_that_a_running_execution_uses_is_left_to_it_until_it_ends(
    bridge: ExecutionContextBridge,
) -> None:
    gate = asyncio.Event()
    bridge.namespace.update_namespace({"gate": gate}, "main")
    bridge.execute_in_thread("'the result'", "first")
    slow = asyncio.create_task(bridge.execute_in_async("_ = 'mine'\nawait gate.wait()\n_result = _", "slow"))
    await asyncio.sleep(0)
    bridge.execute_in_thread("x = 1", "quick")
    gate.set()
    assert await slow == "mine"
    await bridge.execute_in_async("pass", "last")
    assert bridge.namespace.live["__"] == "the result"


async def test_an_exception_is_kept_while_another_execution_runs(
    bridge: ExecutionContextBridge,
) -> None:
    gate = asyncio.Event()
    bridge.namespace.update_namespace({"gate": gate}, "main")
    slow = asyncio.create_task(bridge.execute_in_async("await gate.wait()", "slow"))
    await asyncio.sleep(0)
    with pytest.raises(ZeroDivisionError) as failure:
        bridge.execute_in_thread("1 / 0", "failing")
    assert bridge.namespace.live["_exception"] is failure.value
    bridge.execute_in_thread("del Out", "attack")
    gate.set()
    await slow
    assert bridge.namespace.live["Out"] == {1: True}


async def test_a_coroutine_that_one_execution_still_uses_is_not_closed_by_the_end_of_another(
    bridge: ExecutionContextBridge,
) -> None:
    gate = asyncio.Event()
    bridge.namespace.update_namespace({"gate": gate}, "main")
    code = "async def f(): return 42\nc = f()\nawait gate.wait()\nawait c"
    slow = asyncio.create_task(bridge.execute_in_async(code, "slow"))
    await asyncio.sleep(0)
    await bridge.execute_in_async("c", "one that looks at it")
    gate.set()
    assert await slow == 42


async def test_code_runs_in_the_callers_context(bridge: ExecutionContextBridge) -> None:
    bridge.namespace.update_namespace({"VARIABLE": VARIABLE}, "main")
    VARIABLE.set("the caller's")
    assert await bridge.execute_in_async("VARIABLE.get()", "async") == "the caller's"
    assert bridge.execute_in_thread("VARIABLE.get()", "thread") == "the caller's"
    await bridge.execute_in_async("VARIABLE.set('the code')", "set")
    assert VARIABLE.get() == "the code"


def test_four_threads_execute_at_once_and_each_gets_its_own_value(bridge: ExecutionContextBridge) -> None:
    def execute(writer: int) -> None:
        for number in range(50):
            code = f"x_{writer} = {number}\n({writer}, x_{writer})"
            assert bridge.execute_in_thread(code, f"thread {writer}") == (writer, number)

    run_in_threads(*(partial(execute, writer) for writer in range(4)))


def test_two_isolated_executions_that_overlap_merge_only_what_each_changed(
    bridge: ExecutionContextBridge,
) -> None:
    manager = bridge.namespace
    both_opened = threading.Barrier(2)
    manager.update_namespace({"a": 0, "b": 0, "both_opened": both_opened}, "main")

    def execute(name: str) -> None:
        bridge.execute_in_thread(f"both_opened.wait(30); {name} += 1", name, isolate=True)

    run_in_threads(partial(execute, "a"), partial(execute, "b"))
    assert (manager.live["a"], manager.live["b"]) == (1, 1)


async def test_one_manager_may_have_two_bridges() -> None:
    manager = AsyncNamespaceManager()
    first, second = ExecutionContextBridge(manager), ExecutionContextBridge(manager)
    first.execute_in_thread("x = 1", "one")
    assert await second.execute_in_async("x + 1", "two") == 2


async def test_a_cell_is_routed_without_a_kernel_too(bridge: ExecutionContextBridge) -> None:
    plain = await bridge.execute(Cell("40 + 2", "plain"))
    awaiting = await bridge.execute(Cell("import asyncio; await asyncio.sleep(0, 42)", "awaiting"))
    assert plain.unwrap() == awaiting.unwrap() == 42


async def test_execution_within_an_execution(bridge: ExecutionContextBridge) -> None:
    bridge.namespace.update_namespace({"bridge": bridge}, "main")
    nested = (
        "await bridge.execute_in_async('y = 20; y', 'inner') + bridge.execute_in_thread('y + 2', 'inner 2')"
    )
    assert await bridge.execute_in_async(nested, "outer") == 42
    assert bridge.namespace.live["y"] == 20
