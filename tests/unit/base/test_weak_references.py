"""Collections that keep nothing alive: what is in them, and what does not run when an object ends."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import namespace_kernel
from namespace_kernel.base.weak_references import WeakKeys, WeakThings, WeakValues


class Thing:
    """Asked for nothing."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    __hash__ = None  # type: ignore[assignment]


def things() -> tuple[Any, Callable[[Thing], None]]:
    collection: WeakThings[Thing] = WeakThings()
    return collection, collection.add


def values() -> tuple[Any, Callable[[Thing], None]]:
    collection: WeakValues[int, Thing] = WeakValues()
    return collection, lambda thing: collection.__setitem__(id(thing), thing)


def keys() -> tuple[Any, Callable[[Thing], None]]:
    collection: WeakKeys[Thing, str] = WeakKeys()
    return collection, lambda thing: collection.__setitem__(thing, "value")


def number(collection: Any) -> int:
    return len(collection.items() if isinstance(collection, WeakKeys) else collection)


KINDS = pytest.mark.parametrize("make", [things, values, keys])


@KINDS
def test_an_object_that_has_ended_is_not_in_it(make: Callable[[], Any]) -> None:
    collection, add = make()
    kept, other = Thing(), Thing()
    for thing in (kept, other, other, kept):
        add(thing)
    assert number(collection) == 2
    del thing, other
    assert number(collection) == 1
    del kept
    assert number(collection) == 0


@KINDS
def test_an_object_that_the_garbage_collector_ends_is_not_in_it(make: Callable[[], Any]) -> None:
    collection, add = make()
    thing: Any = Thing()
    thing.itself = thing
    add(thing)
    del thing
    gc.collect()
    assert number(collection) == 0


@KINDS
def test_no_line_of_python_runs_when_an_object_ends(make: Callable[[], Any]) -> None:
    collection, add = make()
    thing = Thing()
    add(thing)
    called: list[str] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        del thing
    finally:
        sys.setprofile(None)
    assert called == [] and number(collection) == 0


def test_a_set_of_objects() -> None:
    one, two, three = Thing(), Thing(), Thing()
    collection = WeakThings([one, two])
    assert one in collection and three not in collection
    assert [id(thing) for thing in collection] == [id(one), id(two)]
    collection.discard(one)
    collection.discard(three)
    assert one not in collection and len(collection) == 1
    for _ in collection:
        collection.add(three)  # while one goes through it
    assert len(collection) == 2
    collection.clear()
    assert not collection


def test_objects_and_values_are_found() -> None:
    one, two = Thing(), Thing()
    by_name: WeakValues[str, Thing] = WeakValues()
    by_name["it"] = one
    by_name["it"] = two
    del one
    assert by_name.get("it") is two and "it" in by_name and by_name.get("other") is None
    names: WeakKeys[Thing, str] = WeakKeys()
    names[two] = "two"
    assert names.get(two) == "two" and two in names
    assert [(thing is two, name) for thing, name in names.items()] == [(True, "two")]


def test_nothing_of_ours_uses_python_s_own() -> None:
    """Their callbacks are lines of Python, and so would be one that is given to `weakref.ref`."""
    folder = Path(namespace_kernel.__file__).parent
    for path in folder.rglob("*.py"):
        source = path.read_text()
        if path.name != "weak_references.py":
            assert not re.search(r"\bweakref\.Weak|\bimport .*Weak(Set|KeyD|ValueD)|\bref\(\w+,", source), (
                path
            )
