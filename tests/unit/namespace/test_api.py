"""What other programs rely on in `AsyncNamespaceManager`: merging, results, and the end of coroutines."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from namespace_kernel import AsyncNamespaceManager, ExecutionContextBridge
from namespace_kernel.namespace.history import ResultHistory

RESULTS = ("_", "__", "___")


def results(manager: AsyncNamespaceManager) -> tuple[Any, ...]:
    namespace = manager.namespace
    return tuple(namespace[name] for name in RESULTS)


def test_merging_preserves_the_engine_s_names() -> None:
    manager = AsyncNamespaceManager()
    before = {name: manager.namespace[name] for name in (*RESULTS, "_exit_code", "_exception", "Out")}
    manager.update_namespace({"x": 1, "y": 2})
    manager.update_namespace({"x": 3}, source_context="async")
    manager.update_namespace({name: "mine" for name in before}, "thread")
    assert (manager.namespace["x"], manager.namespace["y"]) == (3, 2)
    assert {name: manager.namespace[name] for name in before} == before


def test_results_shift_across_async_and_thread_contexts() -> None:
    manager = AsyncNamespaceManager()
    assert results(manager) == (None, None, None)
    manager.update_namespace({"_result": 1}, "async")
    assert results(manager) == (1, None, None)
    manager.update_namespace({"__result__": 2}, "thread")
    manager.update_namespace({"_result": 3}, "async")
    assert results(manager) == (3, 2, 1)


async def test_coroutines_are_cleaned_up() -> None:
    manager = AsyncNamespaceManager()

    async def answer() -> int:
        return 42

    coroutine = answer()
    manager.update_namespace({"coroutine": coroutine}, "async")
    assert len(manager.coroutines) == 1
    manager.cleanup_coroutines()
    assert len(manager.coroutines) == 0
    with pytest.raises(RuntimeError):
        await coroutine


@pytest.mark.parametrize("context", ["main", "unknown", "isolated", "engine", "Async"])
def test_a_name_like_that_is_no_result_of_other_contexts(
    manager: AsyncNamespaceManager, context: str
) -> None:
    manager.update_namespace({"_result": 1, "__result__": 2}, context)
    assert results(manager) == (None, None, None)
    assert manager.namespace["_result"] == 1


@pytest.mark.parametrize("value", [0, "", [], float("nan"), False])
@pytest.mark.parametrize("name", ["_result", "__result__"])
def test_everything_but_none_is_a_result(manager: AsyncNamespaceManager, name: str, value: Any) -> None:
    manager.update_namespace({name: "earlier"}, "thread")
    manager.update_namespace({name: value}, "thread")
    manager.update_namespace({name: None, "other": 1}, "async")
    manager.update_namespace({"other": 2}, "async")
    assert manager.live["_"] is value and manager.live["__"] == "earlier"


def test_results_of_updates_and_of_executed_code_are_one_row(bridge: ExecutionContextBridge) -> None:
    bridge.execute_in_thread("6 * 7", "first")
    bridge.namespace.update_namespace({"_result": "updated"}, "async")
    bridge.execute_in_thread("_ + '!'", "second")
    assert results(bridge.namespace) == ("updated!", "updated", 42)
    bridge.execute_in_thread("del _, __", "third")
    assert results(bridge.namespace) == ("updated!", "updated", 42)


def test_the_results_of_a_shell_follow_too(manager: AsyncNamespaceManager) -> None:
    shell = ResultHistory()
    shell.accept({"_": "shown", "__": ""})
    manager.attach_engine(shell)
    manager.update_namespace({"_result": 1}, "async")
    assert results(manager) == (1, "shown", "")
    assert shell.values()["_"] == 1


def test_the_result_s_name_is_left_to_gettext(
    manager: AsyncNamespaceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtins, "_", str.upper, raising=False)
    manager.restore_engine_names()
    manager.update_namespace({"_result": 1}, "async")
    assert "_" not in manager.live
