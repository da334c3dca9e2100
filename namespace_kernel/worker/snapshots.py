"""Whether plain containers are what they were, without pickling them: item by item, by identity.

An item that cannot be changed in place is the same if it is the same object. So dicts, lists, tuples and sets
of such items, and of each other, are compared with copies of themselves. No change can be missed: whatever is
not of exactly these types makes that impossible for the whole.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from operator import is_
from types import ModuleType

#: What cannot be changed in place. Exact types: a subclass may have attributes.
IMMUTABLE = frozenset(
    (
        int,
        float,
        complex,
        bool,
        str,
        bytes,
        type(None),
        range,
        type(...),
        ModuleType,
        datetime.date,
        datetime.timedelta,
    )
)
#: So many containers at most: beyond it, pickling is no slower.
_MOST = 10_000


class Snapshot:
    """The items of `values`, and of the containers in them, as they are now.

    Thread: the one that runs cells.
    """

    def __init__(self, kept: list[tuple[Collection[object], Collection[object]]]) -> None:
        self._kept = kept

    def holds(self) -> bool:
        """Whether nothing has changed."""
        try:
            return all(_same(one, before) for one, before in self._kept)
        except RuntimeError:  # a thread that the cell has left behind changes it just now
            return False


def take(values: Iterable[object]) -> Snapshot | None:
    """A snapshot of `values`; `None` if something among them may change in other ways."""
    kept: list[tuple[Collection[object], Collection[object]]] = []
    waiting = [one for one in values if type(one) not in IMMUTABLE]
    seen = set()
    while waiting:
        one = waiting.pop()
        kind = type(one)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if len(kept) > _MOST:
            return None
        if kind is dict:
            kept.append((one, one.copy()))  # type: ignore[attr-defined, arg-type]
            waiting += _open(one.values())  # type: ignore[attr-defined]
        elif kind is list or kind is set:
            kept.append((one, tuple(one)))  # type: ignore[arg-type]
        elif kind is not tuple and kind is not frozenset:
            return None
        waiting += _open(one)  # type: ignore[arg-type]
    return Snapshot(kept)


def _open(items: Collection[object]) -> list[object]:
    """Those of `items` that may hold something that changes."""
    if IMMUTABLE.issuperset(map(type, items)):
        return []
    return [one for one in items if type(one) not in IMMUTABLE]


def _same(one: Collection[object], before: Collection[object]) -> bool:
    if len(one) != len(before) or not all(map(is_, one, before)):
        return False
    return not isinstance(before, dict) or all(map(is_, one.values(), before.values()))  # type: ignore[attr-defined]
