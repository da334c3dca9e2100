"""`Patches`: what is put in the place of others' names, and taken away again."""

from __future__ import annotations

import inspect
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from namespace_kernel.base.patching import Patch, Patches


class Base:
    def inherited(self, one: int, *, two: str = "") -> str:
        """Theirs."""
        return f"{one}{two}"


class Theirs(Base):
    def own(self) -> str:
        return "own"


def louder(original: Callable[..., str]) -> Callable[..., str]:
    return lambda *args, **options: original(*args, **options) + "!"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A library, `theirs`, with a class `Kind`, a function `function` and the module `theirs.late`."""
    library, late = ModuleType("theirs"), ModuleType("theirs.late")
    exec("class Kind:\n    class Inner:\n        value = 1\ndef function(): return 'done'", vars(library))
    exec("value = 1", vars(late))
    vars(library)["late"] = late
    monkeypatch.setitem(sys.modules, "theirs", library)
    yield library


def test_they_are_put_there_in_order_and_taken_away_in_reverse() -> None:
    order: list[str] = []
    first, second = (
        Patch(Theirs, "own", louder, undone=lambda name=name: order.append(name))  # type: ignore[misc]
        for name in ("first", "second")
    )
    original = Theirs.own
    with Patches(first, second):
        assert Theirs().own() == "own!!"
    assert Theirs.own is original and order == ["second", "first"]


def test_what_was_inherited_is_inherited_again() -> None:
    with Patches(Patch(Theirs, "inherited", louder)):
        assert (Theirs().inherited(1), Base().inherited(1)) == ("1!", "1")
    assert "inherited" not in vars(Theirs) and Theirs().inherited(1) == "1"


def test_a_function_looks_like_the_original() -> None:
    original = Theirs.inherited
    with Patches(Patch(Theirs, "inherited", louder)):
        ours = Theirs.inherited
        for name in ("__name__", "__qualname__", "__module__", "__doc__"):
            assert getattr(ours, name) == getattr(original, name)
        assert inspect.signature(ours) == inspect.signature(original)


def test_pickle_finds_it_also_where_the_original_is_from_another_module() -> None:
    assert os.getcwd.__module__ != "os"
    with Patches(Patch(os, "getcwd", lambda original: lambda: original())):
        assert pickle.loads(pickle.dumps(os.getcwd)) is os.getcwd
        assert os.getcwd.__module__ == "os"


def test_what_is_no_function_stays_as_it_is(module: ModuleType) -> None:
    class Ours:
        """Ours."""

    with Patches(Patch(module, "Kind", lambda _: Ours), Patch(module, "function", lambda _: print)):
        assert (module.Kind, module.function) == (Ours, print)
        assert (Ours.__name__, Ours.__module__, print.__module__) == ("Ours", __name__, "builtins")


def test_installed_twice_they_are_there_once() -> None:
    patches = Patches(Patch(Theirs, "own", louder))
    for _ in range(2):
        patches.install()
        patches.install()
        assert patches.are_installed and Theirs().own() == "own!"
        patches.undo()
        patches.undo()
        assert not patches.are_installed and Theirs().own() == "own"


def test_who_came_after_us_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    undone: list[int] = []
    patches = Patches(Patch(Theirs, "own", louder, undone=lambda: undone.append(1)))
    monkeypatch.setattr(Theirs, "own", Theirs.own)
    patches.install()
    ours = Theirs.own

    def later(self: Theirs) -> str:
        return ours(self) + "?"

    Theirs.own = later  # type: ignore[method-assign]
    patches.undo()
    assert Theirs.own is later and Theirs().own() == "own!?" and undone == [1]


def test_what_somebody_took_away_is_not_put_back(module: ModuleType) -> None:
    patches = Patches(Patch(module, "function", louder))
    patches.install()
    del module.function
    patches.undo()
    assert not hasattr(module, "function")


@pytest.mark.parametrize("owner", ["theirs.Kind.Inner", "theirs.late"])
def test_an_owner_that_is_named_is_found(owner: str, module: ModuleType) -> None:
    inner: Any = module.late if owner == "theirs.late" else module.Kind.Inner
    with Patches(Patch(owner, "value", lambda value: value + 1)):
        assert inner.value == 2
    assert inner.value == 1


def test_what_is_imported_later_is_patched_later(monkeypatch: pytest.MonkeyPatch) -> None:
    patches = Patches(Patch("theirs_later.Kind", "value", lambda value: value + 1))
    patches.install()
    assert "theirs_later" not in sys.modules and not patches.are_installed
    patches.undo()
    later = ModuleType("theirs_later")
    exec("class Kind:\n    value = 1", vars(later))
    monkeypatch.setitem(sys.modules, "theirs_later", later)
    patches.install()
    assert later.Kind.value == 2
    patches.undo()
    assert later.Kind.value == 1


def test_a_name_that_is_not_there_is_left_out_unless_it_is_added(module: ModuleType) -> None:
    missing, added = Patch(module, "no_more", louder), Patch(module, "new", lambda _: 5, adds=True)
    nowhere = Patch("theirs.NoMore.Inner", "value", louder)
    with Patches(missing, nowhere, added):
        assert not hasattr(module, "no_more") and module.new == 5
    assert not hasattr(module, "new")


def test_a_patch_may_let_the_original_be(module: ModuleType) -> None:
    original = module.function
    with Patches(Patch(module, "function", lambda it: it)):
        assert module.function is original and not hasattr(original, "__wrapped__")
