"""A cell is compared with what was before, and lets go of it all the same."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any
from weakref import ref

import pytest

from namespace_kernel import AsyncNamespaceManager, Context, Outcome
from namespace_kernel.namespace.former_values import Former, is_only_an_address, is_other, let_go
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
LIGHT: list[Any] = [10**30, 1.5, 2j, "some text", b"some bytes", (1, ("a", None)), float("nan")]
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


@pytest.mark.parametrize(
    ("source", "is_told"),
    [
        ("for _ in range(2): x = Thing()", True),
        ("x = None; x = Thing()", True),
        ("with open(path) as x: pass", True),
        ("y, (x, *z) = f()", True),
        ("x += [1]", True),
        ("x: list = f()", True),
        ("if y: x = Thing()", False),
        ("import x", False),
        ("x", False),
        ("x.y = x[0] = 1", False),
        ("[x for x in y]", False),
        ("def f():\n    x = 1", False),
        ("x: list", False),
        ("del x; z = f()", False),
    ],
)
def test_one_at_the_same_address_is_another_one_where_the_text_binds_it(
    source: str, is_told: bool, manager: AsyncNamespaceManager
) -> None:
    manager.live["x"] = Thing()
    for failed in (False, True):
        view = begin(manager, source)
        changes = manager.close(view, "In [2]", Outcome(error=ValueError() if failed else None))
        assert ("x" in changes.rebound) is (is_told and not failed)


USERS = """
import functools
def f():
    global x
    del x
def decorated(g):
    def inner(): g()
    return inner
wrapped = decorated(f)
partly = functools.partial(f)
class A:
    def method(self): f()
    @property
    def z(self): f()
class B(A):
    @staticmethod
    def s(): f()
class C:
    @classmethod
    def k(cls): f()
a, b = A(), B()
bound = a.method
"""


@pytest.mark.parametrize(
    "source", ["wrapped()", "partly()", "a.z", "b.method()", "B.s()", "C.k()", "bound()"]
)
def test_what_is_dropped_by_what_the_cell_uses_ends_there(source: str) -> None:
    module = ModuleType("__main__")
    manager = AsyncNamespaceManager(module)
    exec(USERS, manager.live)
    manager.live["x"] = Thing()
    thing = ref(manager.live["x"])
    begin(manager, source)
    del manager.live["x"]
    assert thing() is None


NEW: dict[str, Callable[[], Any]] = {
    "a list": lambda: [1, 2],
    "an empty list": list,
    "a dict": dict,
    "a set": set,
    "an object": Thing,
    "a class": lambda: type("Made", (), {}),
    "a function": lambda: lambda: 1,
    "a text": lambda: " ".join(["some", "text"]),
    "a number": lambda: float("1.5"),
    "a large number": lambda: int("1" * 30),
    "a tuple": lambda: tuple(["a", 1]),
}


@pytest.mark.parametrize("source", ["x", "x = 1", "g()", "print('x')"])
@pytest.mark.parametrize("make", NEW.values(), ids=NEW)
def test_nobody_can_tell_that_a_cell_is_compared(
    make: Callable[[], Any], source: str, manager: AsyncNamespaceManager
) -> None:
    value = manager.live["x"] = make()

    def told() -> tuple[int, int, list[type]]:
        weak = weakref.getweakrefcount(value)
        return sys.getrefcount(value), weak, [type(one) for one in gc.get_referrers(value)]

    gc.collect()
    before = told()
    view = begin(manager, source)
    assert told() == before
    manager.close(view, "In [2]", Outcome())


def test_no_code_of_a_metaclass_runs_for_it(manager: AsyncNamespaceManager) -> None:
    ran: list[str] = []

    class Meta(type):
        def __hash__(cls) -> int:
            ran.append("hash")
            return 1

        def __eq__(cls, other: object) -> bool:
            ran.append("eq")
            return True

    class Odd(metaclass=Meta):
        pass

    manager.live.update(x=Odd(), y=Odd)
    thing = ref(manager.live["x"])
    ran.clear()
    view = begin(manager, "del x; y")
    del manager.live["x"]
    assert thing() is None
    assert manager.close(view, "In [2]", Outcome()).deleted == {"x"}
    assert ran == []


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


@pytest.mark.parametrize("value", LIGHT, ids=str)
def test_a_small_value_that_cannot_change_is_known_by_its_hash(value: Any) -> None:
    base = {"x": value}
    assert let_go(base, ["x", "y"]) == [value] and type(base["x"]) is Former
    assert not is_other(base["x"], value) and not is_only_an_address(base["x"])
    for other in LIGHT:
        assert is_other(base["x"]._replace(value_id=id(other)), other) is (other is not value)
    assert let_go(base, base) == []
