"""What is known of objects as long as they live, without keeping them alive.

As `weakref.WeakSet` and its like, with two differences. The objects are told apart by identity, so none is
asked for anything. And no line of Python runs when one ends: there Python ignores an exception, and a Stop
that such a line takes is lost. Called is `dict.pop`, with a key and, as its default, the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Generic, TypeVar
from weakref import ReferenceType, ref

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")


class WeakValues(Generic[K, V]):
    """Objects by key. Thread: any."""

    def __init__(self) -> None:
        self._references: dict[K, ReferenceType[V]] = {}

    def get(self, key: K) -> V | None:
        """What `key` stands for, if it is there still."""
        reference = self._references.get(key)
        return None if reference is None else reference()

    def __setitem__(self, key: K, thing: V) -> None:
        self._references[key] = ref(thing, partial(self._references.pop, key))

    def __contains__(self, key: K) -> bool:
        return self.get(key) is not None

    def pop(self, key: K) -> None:
        """Forget what `key` stands for, if anything."""
        self._references.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._references.clear()

    def __len__(self) -> int:
        return len(self._references)

    def values(self) -> list[V]:
        """The objects that are there still."""
        there = (reference() for reference in list(self._references.values()))
        return [thing for thing in there if thing is not None]


class WeakThings(Generic[T]):
    """A set of objects; in the order in which they were added. Thread: any, also while others add to it."""

    def __init__(self, things: Iterable[T] = ()) -> None:
        self._by_id: WeakValues[int, T] = WeakValues()
        self.update(things)

    def add(self, thing: T) -> None:
        """Add `thing`, if it is not there."""
        self._by_id[id(thing)] = thing

    def update(self, things: Iterable[T]) -> None:
        """Add each."""
        for thing in things:
            self.add(thing)

    def discard(self, thing: T) -> None:
        """Take `thing` out, if it is there."""
        self._by_id.pop(id(thing))

    def clear(self) -> None:
        """Take all out."""
        self._by_id.clear()

    def __contains__(self, thing: object) -> bool:
        return id(thing) in self._by_id

    def __iter__(self) -> Iterator[T]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)


class WeakKeys(Generic[T, V]):
    """Values by object; a value that refers to its object keeps it. Thread: any."""

    def __init__(self) -> None:
        self._values: dict[int, tuple[ReferenceType[T], V]] = {}

    def get(self, thing: T) -> V | None:
        """What stands for `thing`, if anything does."""
        known = self._values.get(id(thing))
        return None if known is None else known[1]

    def __setitem__(self, thing: T, value: V) -> None:
        key = id(thing)
        self._values[key] = ref(thing, partial(self._values.pop, key)), value

    def __contains__(self, thing: T) -> bool:
        return id(thing) in self._values

    def items(self) -> list[tuple[T, V]]:
        """The objects that are there still, with their values."""
        known = ((reference(), value) for reference, value in list(self._values.values()))
        return [(thing, value) for thing, value in known if thing is not None]
