"""Close the coroutines that a cell left bound to names, and put deferred ones in their place.

Only what the cell wrote or mentions is searched, and in it only builtin containers: the heap is
never scanned. A coroutine that anything else refers to as well (an object's attribute, a queue, a
closure, a task) is left alone, for closing it would break that. Its reference count tells.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from types import CoroutineType
from typing import Any, TypeAlias

from ..tasks import coroutines_of_tasks, was_never_started
from .deferred import DeferredCoroutine
from .tracking import Leak, leak_of

#: How many items of containers are looked at after one cell. Of longer lists, the last ones.
_BUDGET = 10_000
_DEPTH = 5

Coro: TypeAlias = "CoroutineType[Any, Any, Any]"
#: Closed coroutines and what takes their place, by the id of the former.
StandIns: TypeAlias = "Mapping[int, tuple[Coro, DeferredCoroutine]]"


class _Search:
    """One walk through values and their builtin containers."""

    def __init__(self, budget: int) -> None:
        self.coroutines: dict[int, Coro] = {}
        self.slots: Counter[int] = Counter()
        self.containers: list[Any] = []
        self._budget = budget
        self._seen: set[int] = set()

    def visit(self, value: Any, depth: int = 0) -> bool:
        """Look at `value`; return whether it is, or holds, a coroutine that was never started."""
        kind = type(value)
        if kind is CoroutineType:
            if not was_never_started(value):
                return False
            self.coroutines[id(value)] = value
            self.slots[id(value)] += 1
            return True
        if kind not in (list, tuple, set, dict) or depth == _DEPTH or id(value) in self._seen:
            return False
        self._seen.add(id(value))
        items = list(value.values()) if kind is dict else list(value)
        items = items[-self._budget :] if self._budget > 0 else []
        self._budget -= len(items)
        found = False
        for item in items:
            found = self.visit(item, depth + 1) or found
        if found:
            self.containers.append(value)
        return found


def close_leaked(
    live: MutableMapping[str, Any],
    names: Iterable[str],
    held: Iterable[Any] = (),
    is_engine_name: Callable[[str], bool] = lambda name: False,
) -> tuple[list[Leak], StandIns]:
    """Close what is bound to `names` in `live`, directly or in builtin containers.

    `held` yields what other places refer to that the caller knows of, once for each reference; it must
    not itself keep the values (a generator). Returns the leaks that only names of the engine were bound
    to (the others are within the user's reach, and nothing is amiss), and the closed coroutines with
    their stand-ins by id, so that the caller can replace them there, too.

    Thread: the one that runs the cell, under the namespace's lock.
    """
    search = _Search(_BUDGET)
    roots = {name: live[name] for name in names if name in live}
    holding = [name for name, value in roots.items() if not is_engine_name(name) and search.visit(value)]
    reachable = set(search.coroutines)
    holding += [name for name, value in roots.items() if is_engine_name(name) and search.visit(value)]
    expected = search.slots
    if not search.coroutines:
        return [], {}
    # Names that are not roots may be bound to the same coroutine, and the caller's holders.
    expected.subtract(id(value) for value in roots.values() if id(value) in search.coroutines)
    for values in (list(live.values()), list(roots.values()), held):
        expected.update(id(value) for value in values if id(value) in search.coroutines)
    values = []  # it refers to the coroutines, too
    scheduled = coroutines_of_tasks()
    leaks = []
    stand_ins: dict[int, tuple[Coro, DeferredCoroutine]] = {}
    for key in list(search.coroutines):
        # Two more references are ours: the search's dict and getrefcount's own argument.
        if key in scheduled or sys.getrefcount(search.coroutines[key]) > expected[key] + 2:
            continue
        coroutine = search.coroutines[key]
        deferred = DeferredCoroutine.in_place_of(coroutine)
        if deferred is not None:
            if key not in reachable:
                leaks.append(leak_of(coroutine))
            coroutine.close()
            stand_ins[key] = (coroutine, deferred)
    for container in search.containers:
        _replace_in(container, stand_ins)
    for name in holding:
        live[name] = replaced(roots[name], stand_ins)
    return leaks, stand_ins


def replaced(value: Any, stand_ins: StandIns) -> Any:
    """Return `value`, or its stand-in, or a tuple with stand-ins in it."""
    if id(value) in stand_ins:
        return stand_ins[id(value)][1]
    if type(value) is tuple and any(id(item) in stand_ins or type(item) is tuple for item in value):
        return tuple(replaced(item, stand_ins) for item in value)
    return value


def _replace_in(container: Any, stand_ins: StandIns) -> None:
    if type(container) is list:
        for index, item in enumerate(container):
            container[index] = replaced(item, stand_ins)
    elif type(container) is dict:
        for key, item in list(container.items()):
            container[key] = replaced(item, stand_ins)
    elif type(container) is set:
        for item in [item for item in container if id(item) in stand_ins]:
            container.discard(item)
            container.add(stand_ins[id(item)][1])
