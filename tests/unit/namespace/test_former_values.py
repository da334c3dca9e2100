"""A cell is compared with what was before, and lets go of it all the same."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest

from namespace_kernel import AsyncNamespaceManager, Context, Outcome
from namespace_kernel.namespace.former_values import Former, id_of, is_other, let_go
from namespace_kernel.namespace.writers import View


class Thing:
    """What ends with a name."""


class InSlots:
    """Of which no weak reference can be made."""

    __slots__ = ("thing",)

    def __init__(self) -> None:
        self.thing = Thing()


CONTAINERS: dict[str, Callable[[Thing], Any]] = {
    "itself": lambda thing: thing,
    "a list": lambda thing: [thing],
    "a tuple in a list": lambda thing: [[(1, thing)]],
    "a dict": lambda thing: {"a": thing},
    "a function": lambda thing: lambda: thing,
}
SOURCES = [
    "del x",
    "x = 1",
    "exec('del x')",
    "%xdel x",
    "globals().pop('x')",
    "for x in f(): pass",
    "g()",
    "h()",
]


@pytest.fixture
def manager() -> AsyncNamespaceManager:
    one = AsyncNamespaceManager()
    exec(
        "def g():\n    global x\n    del x\ndef h():\n    def inner():\n        g()\n    inner()",
        one.live,
    )
    return one


def begin(manager: AsyncNamespaceManager, source: str, execution_id: str = "In [2]") -> View:
    return manager.open(Context.MAIN, execution_id, source)


@pytest.mark.parametrize("contain", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("source", SOURCES)
def test_what_a_cell_deletes_ends_there(
    source: str, contain: Callable[[Thing], Any], manager: AsyncNamespaceManager
) -> None:
    thing = ref(manager.live.setdefault("thing", Thing()))
    manager.live["x"] = contain(manager.live.pop("thing"))
    view = begin(manager, source)
    assert thing() is not None
    del manager.live["x"]
    assert thing() is None
    assert manager.close(view, "In [2]", Outcome()).deleted == {"x"}


@pytest.mark.parametrize("contain", CONTAINERS.values(), ids=CONTAINERS)
def test_what_a_cell_binds_anew_ends_there_and_is_told(
    contain: Callable[[Thing], Any], manager: AsyncNamespaceManager
) -> None:
    manager.live.update(x=contain(thing := Thing()), y=contain(thing), z=[Thing(), thing])
    old = ref(thing)
    view = begin(manager, "x = y = 1; z")
    manager.live.update(x=1, y=1)
    del thing
    assert old() is not None
    manager.live["z"].pop()
    assert old() is None
    changes = manager.close(view, "In [2]", Outcome())
    assert changes.rebound == {"x": 1, "y": 1} and not changes.added and not changes.deleted


def test_what_a_cell_only_mentions_is_unchanged(manager: AsyncNamespaceManager) -> None:
    manager.live.update({f"x{i}": contain(Thing()) for i, contain in enumerate(CONTAINERS.values())})
    manager.live.update(a=InSlots(), b="x" * 1000, c=12345678, d=[1, 2], e=None, f=bytearray(5), t=Thing)
    view = begin(manager, " ".join(manager.live))
    gc.collect()
    assert manager.close(view, "In [2]", Outcome()).written == {}
    assert manager.writers() == {}


def test_one_that_got_the_same_address_is_another_one(manager: AsyncNamespaceManager) -> None:
    view = begin(manager, "x")
    assert "x" not in view.base
    former = Former(Thing())
    new = Thing()
    former.value_id = id(new)
    assert former.is_other(new) and is_other(former, new) and id_of(former) == id(new)
    assert not is_other(Former(new), new) and is_other(new, Thing()) and id_of(new) == id(new)


def test_a_cell_that_still_runs_keeps_nothing_that_another_one_drops(manager: AsyncNamespaceManager) -> None:
    manager.live.update(x=Thing(), y=Thing())
    x, y = ref(manager.live["x"]), ref(manager.live["y"])
    long = begin(manager, "train()", "In [1]")
    short = begin(manager, "del x")
    del manager.live["x"]
    assert x() is None and y() is not None
    assert manager.close(short, "In [2]", Outcome()).deleted == {"x"}
    assert manager.close(long, "In [1]", Outcome()).deleted == {"x"}


def test_a_reset_ends_all_values_there(manager: AsyncNamespaceManager) -> None:
    manager.live.update(x=Thing(), y=[Thing()])
    x, y = ref(manager.live["x"]), ref(manager.live["y"][0])
    view = begin(manager, "%reset -f")
    manager.remove_user_names()
    assert x() is None and y() is None
    assert manager.close(view, "In [2]", Outcome()).deleted >= {"x", "y"}


def test_what_ends_may_use_the_namespace(manager: AsyncNamespaceManager) -> None:
    """It ends without the lock, so that another thread's use of the namespace cannot lock both up."""
    locked: list[bool] = []

    class Last:
        def __del__(self) -> None:
            locked.append(manager.lock._is_owned())  # type: ignore[attr-defined]

    manager.live["x"] = Last()
    long = begin(manager, "train()", "In [1]")
    manager.live["x"] = 1  # by a thread, say: the view has the only reference now
    assert not locked
    begin(manager, "x")
    assert locked == [False] and is_other(long.base["x"], 1)


def test_a_copy_keeps_what_it_was_made_of(manager: AsyncNamespaceManager) -> None:
    manager.live["x"] = Thing()
    view = manager.open(Context.ISOLATED, "In [2]", "del x")
    assert type(view.base["x"]) is Thing and view.namespace["x"] is view.base["x"]


def test_light_values_stay_as_they_are() -> None:
    base = {"a": 1, "b": "text", "c": (1, [2.0, None]), "d": [1] * 1000, "e": [[[[1]]]]}
    assert len(let_go(base, ["a", "b", "c", "d", "e", "f"])) == 2
    assert [type(base[name]) is Former for name in "abcde"] == [False, False, False, True, True]
    assert let_go(base, base) == []
