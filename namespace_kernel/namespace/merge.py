"""What changed between two states of a namespace, by identity and never by `==`.

A numpy array, a pandas frame or an object whose `__eq__` raises is compared like any other value.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import is_
from typing import Any

from ..cell import CellChanges
from .engine_names import MISSING


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> CellChanges:
    """Return which names `after` added, rebound and deleted against `before`.

    Both must be snapshots that nobody writes to. The usual case, nothing changed, is decided in C.
    """
    if (
        len(before) == len(after)
        and all(map(is_, before, after))
        and all(map(is_, before.values(), after.values()))
    ):
        return CellChanges()
    added = {}
    rebound = {}
    for name, value in after.items():
        old = before.get(name, MISSING)
        if old is MISSING:
            added[name] = value
        elif old is not value:
            rebound[name] = value
    return CellChanges(added, rebound, frozenset(before.keys() - after.keys()))
