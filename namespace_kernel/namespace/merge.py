"""What changed between two states of a namespace, by identity and never by `==`.

A numpy array, a pandas frame or an object whose `__eq__` raises is compared like any other value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import compress, filterfalse, islice, repeat
from operator import is_, is_not

from namespace_kernel.base.cell import CellChanges, Namespace

from .former_values import is_only_an_address, is_other
from .reserved_names import ANNOTATING_NAMES, MISSING, has_odd_keys, is_numbered_input, only_names

#: So many names from the end on, the last cell's `_iN` is looked for.
_NEAR = 64
#: Says of a name whether it has been bound meanwhile, perhaps to what it was bound to.
Bound = Callable[[str], bool]


def changes_between(before: Namespace, after: Namespace, bound: Bound = lambda name: False) -> CellChanges:
    """Return which names `after` added, rebound and deleted against `before`.

    Left out are keys that are no plain strings, and what the compiler binds for annotations.
    Nobody may add or delete names meanwhile: with a `RuntimeError` or a `KeyError` somebody did. All passes
    over the names are in C: with 100,000 of them 2 ms instead of 26.
    """
    more = len(after) - len(before)
    if more >= 0 and _begins_with(before, after, more):
        # Nothing was deleted; what was added stands at the end, so that it is found from there.
        new = list(islice(reversed(after), more))
        added = {name: after[name] for name in reversed(new) if _is_users(name)}
        changed = compress(after, map(is_not, before.values(), after.values()))
        changes = CellChanges(added, _others(changed, before, after, bound))
    elif has_odd_keys(before) or has_odd_keys(after):
        return changes_between(only_names(before), only_names(after), bound)
    else:
        added = {name: after[name] for name in filterfalse(before.__contains__, after) if _is_users(name)}
        changed = compress(after, map(is_not, map(before.get, after, repeat(MISSING)), after.values()))
        rebound = _others((name for name in changed if name not in added), before, after, bound)
        changes = CellChanges(added, rebound, frozenset(before.keys() - after.keys()))
    if len(after) - len(before) != more:
        raise RuntimeError("The namespace changed while it was compared: compare a copy of it.")
    return changes


def changes_among(
    names: Iterable[str], before: Namespace, after: Namespace, bound: Bound = lambda name: False
) -> CellChanges:
    """Return which of `names` `after` added, rebound and deleted against `before`.

    Others may add and delete names meanwhile.
    """
    now = part_of(after, names)
    return CellChanges(
        {name: value for name, value in now.items() if name not in before},
        _others(now.keys() & before.keys(), before, now, bound),
        frozenset(before.keys() - now.keys()),
    )


def part_of(names: Namespace, chosen: Iterable[str]) -> Namespace:
    """Those of `names` that are `chosen`. Others may add and delete names meanwhile."""
    return {name: value for name in chosen if (value := names.get(name, MISSING)) is not MISSING}


def _others(changed: Iterable[str], before: Namespace, after: Namespace, bound: Bound) -> Namespace:
    return {
        name: after[name]
        for name in changed
        if _is_users(name)
        and (is_other(before[name], after[name]) or (is_only_an_address(before[name]) and bound(name)))
    }


def _is_users(name: object) -> bool:
    return type(name) is str and name not in ANNOTATING_NAMES


def _begins_with(before: Namespace, after: Namespace, more: int) -> bool:
    """Whether the names of `after` are those of `before` and then `more`.

    A dict keeps its names in the order in which they came, and one that was deleted and came back stands
    at the end. So if one name stands where it stood, all before it do: one missing would have moved it. It
    must be one that nobody deleted and bound again, and nobody does that with an `_iN`, which is near the
    end, because IPython adds one with each cell; where the kernel puts one back, its key is another object.
    So the last few names stand for all; only if none of them is an `_iN`, there is a pass over all names
    (1.5 ms of 100,000).
    """
    ends = zip(reversed(before), islice(reversed(after), more, None), strict=False)
    for mine, theirs in islice(ends, _NEAR):
        if mine is not theirs:
            return False
        if type(mine) is str and is_numbered_input(mine):
            return True
    return all(map(is_, before, after))
