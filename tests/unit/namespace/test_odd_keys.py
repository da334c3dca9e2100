"""Keys that are no plain strings stay where code has put them, and nothing is recorded about them."""

from __future__ import annotations

from typing import Any

import pytest

from namespace_kernel.base.cell import Context, Outcome
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.namespace.merge import changes_between


class Unreachable:
    """Cannot be looked up once it is in a dict."""

    raises = False

    def __init__(self, number: int = 7) -> None:
        self.number = number

    def __hash__(self) -> int:
        if self.raises:
            raise RuntimeError("hash")
        return self.number

    def __eq__(self, other: object) -> bool:
        if self.raises:
            raise RuntimeError("eq")
        return self is other


class Name(str):
    """A string, and more."""


def odd_keys() -> list[Any]:
    return [5, None, (1, 2), b"_", float("nan"), int, Name("n"), Unreachable(), frozenset(), ...]


@pytest.mark.parametrize("removed", [[], ["a"], ["b", "_i1"]])
def test_changes_leave_them_out(removed: list[str]) -> None:
    before: dict[Any, Any] = {"_i1": "", "a": 1, "b": 2, **dict.fromkeys(odd_keys()[:5], 1)}
    after = {key: value for key, value in before.items() if key not in removed}
    after |= dict.fromkeys(odd_keys(), 2)
    after["c"] = 3
    for key in after:
        if isinstance(key, Unreachable):
            key.raises = True
    changes = changes_between(before, after)
    assert (changes.added, changes.rebound, changes.deleted) == ({"c": 3}, {}, frozenset(removed))


@pytest.mark.parametrize("context", [Context.MAIN, Context.ASYNC, Context.CALLER, Context.THREAD])
def test_an_execution_may_add_rebind_and_delete_them(context: Context) -> None:
    manager = AsyncNamespaceManager()
    for step in range(3):
        view = manager.open(context, f"cell {step}")
        for key in odd_keys():
            view.namespace[key] = step
        view.namespace[f"name{step}"] = step
        view.namespace["last"] = step
        view.namespace.pop(f"name{step - 1}", None)
        changes = manager.close(view, f"cell {step}", Outcome())
        assert set(changes.added) == {f"name{step}"} | ({"last"} if step == 0 else set())
        assert all(type(name) is str for name in manager.writers())
    assert manager.live["last"] == 2
    assert (5 in manager.live) == (context is not Context.THREAD)


@pytest.mark.parametrize("name", ["_", "_exception", "__builtins__", "mine"])
def test_a_key_that_makes_a_name_unreachable_is_dropped(name: str) -> None:
    manager = AsyncNamespaceManager()
    manager.live["mine"] = 1
    view = manager.open(Context.MAIN, "cell")
    del manager.live[name]  # or the name would be found first
    key = Unreachable(hash(name))
    live: dict[Any, Any] = manager.live
    live[key] = 1
    live[5] = 2
    key.raises = True
    assert manager.look_up(name) is None
    manager.close(view, "cell", Outcome())
    if name != "mine":
        assert name in manager.live
    manager.live["next"] = 1
    manager.remove_user_names()
    assert all(type(one) is str for one in manager.live)


def test_they_can_be_given_to_update_namespace() -> None:
    manager = AsyncNamespaceManager()
    updates: dict[Any, Any] = {5: 1, None: 2, "x": 3, "_": 4, Name("__"): 5, Name("y"): 6}
    refused = manager.update_namespace(updates, "main")
    assert refused == {"_", "__"}
    live: dict[Any, Any] = manager.live
    assert (live[5], live[None], live["x"]) == (1, 2, 3)
    assert manager.provenance("x") is not None


def test_a_string_of_the_user_s_is_not_asked_which_name_it_is() -> None:
    class Liar(str):
        def __str__(self) -> str:
            return "another"

    assert AsyncNamespaceManager().update_namespace({Liar("_"): 1}, "main") == {"_"}
