"""Our `dataclass` makes what Python's makes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import weakref
from dataclasses import field
from typing import Any

import pytest

from namespace_kernel.values import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A value."""

    x: int
    y: int = 2
    names: tuple[str, ...] = ()
    when: float = field(default=0.0, compare=False)
    _made: list[int] = field(default_factory=list, compare=False)


@dataclass(slots=True)
class Open:
    """Not frozen."""

    x: int
    found: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False, weakref_slot=True)
class Thing:
    """Compared by identity."""

    x: int


@dataclass(frozen=True, slots=True)
class Signal:
    """Says all by its class."""


def test_one_without_fields() -> None:
    assert Signal() == Signal() != Open(1)
    assert len({Signal(), Signal()}) == 1
    assert repr(Signal()) == "Signal()"
    assert pickle.loads(pickle.dumps(Signal())) == Signal()


def test_arguments_and_defaults() -> None:
    assert Point(1) == Point(x=1, y=2, names=()) == Point(1, 2)
    assert Point(1).names == () and Point(1)._made == []
    assert Point(1)._made is not Point(1)._made
    assert Open(1).found is not Open(1).found
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        Point(1, z=3)  # type: ignore[call-arg]
    assert list(inspect.signature(Point).parameters) == ["x", "y", "names", "when", "_made"]


def test_equality_and_hash_leave_out_what_is_not_compared() -> None:
    assert Point(1, when=3.0) == Point(1, when=4.0)
    assert hash(Point(1, when=3.0)) == hash(Point(1, when=4.0))
    assert Point(1) != Point(2)
    assert Point(1) != (1, 2, ())
    assert len({Point(1), Point(1), Point(2)}) == 2
    assert Open(1, [2]) == Open(1, [2]) != Open(1, [3])
    with pytest.raises(TypeError, match="unhashable"):
        hash(Open(1))
    thing = Thing(1)
    assert thing != Thing(1) and thing in {thing}
    assert weakref.ref(thing)() is thing


@pytest.mark.parametrize("name", ["x", "new"])
def test_a_frozen_one_refuses(name: str) -> None:
    point: Any = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to field '{name}'"):
        setattr(point, name, 3)
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot delete field '{name}'"):
        delattr(point, name)
    assert point.x == 1


def test_slots() -> None:
    opened: Any = Open(1)
    opened.x = 3
    assert opened == Open(3)
    with pytest.raises(AttributeError):
        opened.new = 1
    assert not hasattr(opened, "__dict__") and not hasattr(Point(1), "__dict__")


@pytest.mark.parametrize("value", [Point(1, names=("a",), when=5.0), Open(1, [2])])
def test_copies_and_pickles_are_equal(value: Any) -> None:
    made = [copy.copy(value), copy.deepcopy(value), dataclasses.replace(value)]
    made += [
        pickle.loads(pickle.dumps(value, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    ]
    for one in made:
        assert one == value and one is not value
        assert dataclasses.asdict(one) == dataclasses.asdict(value)


def test_replace_repr_and_patterns() -> None:
    assert dataclasses.replace(Point(1), y=5) == Point(1, 5)
    assert repr(Open(1, [2])) == "Open(x=1, found=[2])"
    match Point(7):
        case Point(x, y):
            assert (x, y) == (7, 2)
