"""Merging by identity, provenance, and the dict that lives as long as the manager."""

from __future__ import annotations

import random
import sys
import types
from typing import Any

import numpy as np
import pandas as pd
import pytest

from namespace_kernel import AsyncNamespaceManager, Context, ExecutionContextBridge, Outcome
from namespace_kernel.namespace.assignments import by_products
from namespace_kernel.namespace.merge import changes_between
from namespace_kernel.namespace.provenance import Provenance

COPYING = [Context.THREAD, Context.ISOLATED, Context.DASK]
IN_PROCESS = [context for context in Context if context not in COPYING]


class Hostile:
    """Everything that a comparison could call raises."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    __ne__ = __eq__
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise AssertionError("asked for its truth")

    def __repr__(self) -> str:
        raise AssertionError("shown")


def hard_values() -> list[Any]:
    return [np.zeros(3), pd.DataFrame({"a": [1, 2]}), pd.Series([1]), Hostile(), float("nan"), [Hostile()]]


@pytest.mark.parametrize("index", range(len(hard_values())))
def test_what_cannot_be_compared_is_added_rebound_and_left_alone(
    manager: AsyncNamespaceManager, index: int
) -> None:
    kept, old, new, added = (hard_values()[index] for _ in range(4))
    manager.update_namespace({"kept": kept, "rebound": old, "gone": old}, "main")
    base = manager.namespace
    copy = manager.get_for_execution("thread")
    copy["rebound"], copy["added"] = new, added
    del copy["gone"]
    changes = manager.merge_thread_results(copy, base)
    assert (list(changes.added), list(changes.rebound), changes.deleted) == (["added"], ["rebound"], {"gone"})
    live = manager.live
    assert live["kept"] is kept and live["rebound"] is new and live["added"] is added
    assert "gone" not in live


def test_an_equal_object_is_a_rebinding(manager: AsyncNamespaceManager) -> None:
    first, second = [1], [1]
    manager.update_namespace({"x": first}, "main")
    base, copy = manager.namespace, manager.get_for_execution("thread")
    copy["x"] = second
    assert "x" in manager.merge_thread_results(copy, base).rebound
    assert manager.live["x"] is second


def test_a_name_that_the_copy_left_alone_keeps_what_others_gave_it(manager: AsyncNamespaceManager) -> None:
    manager.update_namespace({"x": 1, "y": 1}, "main")
    base, copy = manager.namespace, manager.get_for_execution("thread")
    manager.update_namespace({"x": 2, "z": 3}, "main")
    copy["y"] = 4
    manager.merge_thread_results(copy, base)
    assert [manager.live[name] for name in "xyz"] == [2, 4, 3]


def test_deleting_what_another_already_deleted_is_no_error(manager: AsyncNamespaceManager) -> None:
    manager.update_namespace({"x": 1}, "main")
    base, copy = manager.namespace, manager.get_for_execution("thread")
    del copy["x"]
    del manager.live["x"]
    assert manager.merge_thread_results(copy, base).deleted == {"x"}


def test_a_copy_cannot_take_an_engine_name_away(manager: AsyncNamespaceManager) -> None:
    base, copy = manager.namespace, manager.get_for_execution("thread")
    copy["_"], copy["x"] = "mine", 1
    del copy["Out"]
    changes = manager.merge_thread_results(copy, base)
    assert manager.live["_"] is None and manager.live["Out"] == {} and manager.live["x"] == 1
    assert "_" in changes.rebound and "Out" in changes.deleted


def test_engine_names_that_a_live_cell_overwrote_are_named(bridge: ExecutionContextBridge) -> None:
    manager = bridge.namespace
    view = manager.open(Context.MAIN)
    exec("_ = 3\ndel Out\nx = 1", view.namespace)
    changes = manager.close(view, "cell", Outcome())
    assert changes.overwritten == {"_", "Out"}
    view = manager.open(Context.MAIN)
    exec("y = 2", view.namespace)
    assert manager.close(view, "cell", Outcome()).overwritten == frozenset()


def test_changes_are_found_though_their_number_is_the_same() -> None:
    one = object()
    changes = changes_between({"a": one, "b": 1}, {"a": one, "c": 1})
    assert (dict(changes.added), changes.deleted) == ({"c": 1}, {"b"})
    assert changes_between({"a": one, "b": 1}, {"b": 1, "a": one}).written == {}


@pytest.mark.parametrize("numbered", [(), (0,), (9,), (3, 10)], ids=str)
def test_whatever_a_cell_deletes_and_binds_its_changes_are_those_that_a_look_at_every_name_finds(
    numbered: tuple[int, ...],
) -> None:
    # Few names and few values, so that a deleted name's neighbour often has the value that it had.
    chance = random.Random(7)
    kept_in_order = 0
    for _ in range(20_000):
        names = [f"_i{place}" if place in numbered else f"n{place}" for place in range(11)]
        before: dict[str, Any] = {name: chance.randrange(2) for name in names}
        after = before.copy()
        for _ in range(chance.randrange(6)):
            name = chance.choice(["n0", "n1", "n5", "n8", "n9", "n10", "new", "newer"])
            if chance.random() < 0.5:
                after.pop(name, None)
            else:
                after[name] = chance.randrange(3)
        changes = changes_between(before, after)
        assert changes.added == {name: after[name] for name in after.keys() - before.keys()}
        assert changes.rebound == {
            name: value for name, value in after.items() if name in before and before[name] is not value
        }
        assert changes.deleted == before.keys() - after.keys()
        kept_in_order += not changes.deleted
    assert 1_000 < kept_in_order < 19_000


@pytest.mark.parametrize("size", [65, 200])
def test_an_early_deletion_and_an_addition_are_found_among_many_names(size: int) -> None:
    """The last names stand where they stood, and no input says that they speak for all."""
    before = {f"x{number}": number for number in range(size)}
    after = before.copy()
    del after["x0"]
    after = {"new": 1, **after}
    changes = changes_between(before, after)
    assert (changes.added, changes.rebound, changes.deleted) == ({"new": 1}, {}, {"x0"})


def test_a_namespace_that_grows_while_it_is_compared_is_told() -> None:
    class Growing(dict[str, int]):
        def __getitem__(self, name: str) -> int:
            self["later"] = 1
            return super().__getitem__(name)

    with pytest.raises(RuntimeError, match="changed while it was compared"):
        changes_between({"a": 1}, Growing(a=1, b=2))


def test_changes_are_found_whether_or_not_an_input_stands_near_the_end() -> None:
    names = {f"n{number}": number for number in range(1_000)}
    for before in ({**names, "_i1": "x = 1"}, {"_i1": "x = 1", **names}):
        after = before | {"n5": None, "new": 1}
        changes = changes_between(before, after)
        assert (changes.added, changes.rebound, changes.deleted) == ({"new": 1}, {"n5": None}, set())


@pytest.mark.parametrize(
    "code", ["x: int = 1", "if y:\n    x: int = 1", "x: int = 1\ndel y", "x: str\nx = y"]
)
def test_what_the_compiler_binds_for_annotations_is_no_change(code: str) -> None:
    before: dict[Any, Any] = {"y": 5, "x": 0, "__builtins__": __builtins__}
    for _ in range(2):  # the second time they are rebound
        after = before.copy()
        exec(compile(code, "cell", "exec", dont_inherit=True), after)
        changes = changes_between(before, after)
        assert set(changes.written) - {"__annotations__"} == {"x"}
        before = {**after, "y": 5, "x": 0}


def test_the_dict_is_one_for_life(bridge: ExecutionContextBridge) -> None:
    manager = bridge.namespace
    live = manager.live
    manager.update_namespace({"x": 1}, "main")
    bridge.execute_in_thread("globals().clear()", "one")
    bridge.execute_in_thread("y = 1", "two", isolate=True)
    manager.remove_user_names()
    assert manager.live is live is manager.module.__dict__ is manager.get_for_execution("main")


def test_a_module_can_be_the_store() -> None:
    module = types.ModuleType("__main__")
    module.x = 1  # type: ignore[attr-defined]
    manager = AsyncNamespaceManager(module)
    assert manager.live is vars(module)
    assert ExecutionContextBridge(manager).execute_in_thread("x + 1", "one") == 2


def test_two_managers_share_nothing_and_the_program_s_main_is_not_touched() -> None:
    first, second = AsyncNamespaceManager(), AsyncNamespaceManager()
    first.update_namespace({"x": 1}, "main")
    assert "x" not in second.namespace
    assert vars(sys.modules["__main__"]) is not first.live


@pytest.mark.parametrize("context", IN_PROCESS)
def test_code_in_this_process_gets_the_live_dict(manager: AsyncNamespaceManager, context: Context) -> None:
    assert manager.get_for_execution(context) is manager.get_for_execution(str(context)) is manager.live


@pytest.mark.parametrize("context", COPYING)
def test_code_that_runs_elsewhere_gets_a_copy(manager: AsyncNamespaceManager, context: Context) -> None:
    copy = manager.get_for_execution(str(context))
    assert copy is not manager.live
    assert copy == manager.namespace
    copy["x"] = 1
    assert "x" not in manager.live


@pytest.mark.parametrize("context", ["", "Async", "threads", "dask!", "unknown", "a job of mine"])
def test_a_context_of_any_other_word_is_merged_and_gets_the_live_dict(
    manager: AsyncNamespaceManager, context: str
) -> None:
    assert manager.get_for_execution(context) is manager.live
    assert manager.update_namespace({"x": 1, "_": 2}, context) == {"_"}
    assert manager.live["x"] == 1 and manager.live["_"] is None
    assert manager.provenance("x") == Provenance(f"update from {context}", context)


def test_a_snapshot_is_nobody_else_s(manager: AsyncNamespaceManager) -> None:
    snapshot = manager.namespace
    snapshot["x"] = 1
    assert "x" not in manager.namespace


def test_provenance_says_who_wrote_a_name_last(bridge: ExecutionContextBridge) -> None:
    manager = bridge.namespace
    bridge.execute_in_thread("x = y = 1", "first")
    bridge.execute_in_thread("y = 2", "second", isolate=True)
    manager.update_namespace({"z": 1}, "async")
    written = {name: manager.provenance(name) for name in "xyz"}
    assert [one and one.execution_id for one in written.values()] == ["first", "second", "update from async"]
    assert [one and one.context for one in written.values()] == [
        Context.CALLER,
        Context.THREAD,
        Context.ASYNC,
    ]


async def test_provenance_of_an_async_cell(bridge: ExecutionContextBridge) -> None:
    await bridge.execute_in_async("import asyncio; await asyncio.sleep(0); x = 1", "an async cell")
    assert bridge.namespace.provenance("x") == Provenance("an async cell", Context.ASYNC)


def test_provenance_forgets_what_was_deleted_and_what_failed_on_a_copy(
    bridge: ExecutionContextBridge,
) -> None:
    manager = bridge.namespace
    bridge.execute_in_thread("x = y = 1", "first")
    bridge.execute_in_thread("del x", "second")
    with pytest.raises(ZeroDivisionError):
        bridge.execute_in_thread("y = 2; z = 3; 1 / 0", "third", isolate=True)
    assert manager.provenance("x") is None and manager.provenance("z") is None
    assert manager.provenance("y") == Provenance("first", Context.CALLER)
    assert manager.provenance("never") is None and manager.provenance("_") is None


def test_nobody_wrote_an_engine_name_however_often_it_was_attacked(bridge: ExecutionContextBridge) -> None:
    bridge.execute_in_thread("_ = 3; Out = 4", "attack")
    assert bridge.namespace.provenance("_") is None
    assert bridge.namespace.provenance("Out") is None


def test_a_cell_is_not_taken_for_the_writer_of_what_others_wrote_meanwhile(
    bridge: ExecutionContextBridge,
) -> None:
    manager = bridge.namespace
    view = manager.open(Context.ASYNC)
    bridge.execute_in_thread("x = 1", "the writer")
    exec("y = 2", view.namespace)
    manager.close(view, "the other", Outcome())
    writers = [Provenance("the writer", Context.CALLER), Provenance("the other", Context.ASYNC)]
    assert [manager.provenance(name) for name in "xy"] == writers


def test_removing_the_users_names_leaves_the_engines_and_the_modules(bridge: ExecutionContextBridge) -> None:
    manager = bridge.namespace
    fresh = AsyncNamespaceManager().namespace.keys()
    bridge.execute_in_thread("x = 1\nx", "one")
    manager.remove_user_names()
    assert manager.namespace.keys() == fresh
    assert manager.provenance("x") is None
    assert bridge.execute_in_thread("_", "two") == 1


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("with a as b: pass", "b"),
        ("with a as (b, c), d as e: pass", "b c e"),
        ("for i, (j, k) in x: y = 1", "i j k"),
        ("async with a as b: pass", "b"),
        ("with a as b: pass\nb = 1", ""),
        ("for i in x: i += 1", ""),
        ("x = 1; y, z = 2, 3", ""),
        ("y = = 1", ""),
    ],
)
def test_what_a_cell_binds_only_by_the_way(source: str, names: str) -> None:
    assert by_products(source) == set(names.split())
