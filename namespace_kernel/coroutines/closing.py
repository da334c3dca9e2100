"""Close the coroutines that a cell left bound to names, and put deferred ones in their place.

Only what the cell wrote or mentions is searched, and in it only builtin containers: the heap is
never scanned. A coroutine that anything else refers to as well (an object's attribute, a queue, a
closure, a task) is left alone, for closing it would break that. Its reference count tells: every
reference must be one that was found. The same holds for a tuple around it, which cannot be changed
and is therefore replaced.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from types import CoroutineType
from typing import Any, TypeAlias

from namespace_kernel.base.asyncio_tasks import was_never_started
from namespace_kernel.base.cell import Namespace
from namespace_kernel.base.lines import Leak, leak_of

from .deferred import DeferredCoroutine

#: How many items of containers are looked at after one cell. Of longer lists, the last ones.
_BUDGET = 10_000
_DEPTH = 5

#: What was replaced and by what, by the id of the former: coroutines, and tuples with some in them.
Replacements: TypeAlias = "dict[int, tuple[Any, Any]]"


class _Search:
    """One walk through values and their builtin containers.

    `found` are the unstarted coroutines, and the tuples that hold some, by id; `slots` counts the
    places where each was met; `holders` are the lists, dicts and sets that hold some; `around` are,
    for each coroutine, the tuples that it is in.
    """

    def __init__(self) -> None:
        self.found: dict[int, Any] = {}
        self.slots: Counter[int] = Counter()
        self.holders: list[Any] = []
        self.around: dict[int, set[int]] = {}
        self._budget = _BUDGET
        self._inside: dict[int, set[int]] = {}

    def visit(self, value: object, depth: int = 0) -> set[int]:
        """Look at `value`; return the ids of the unstarted coroutines in it."""
        kind, key = type(value), id(value)
        if kind is CoroutineType:
            if not was_never_started(value):
                return set()
            self.found[key] = value
            self.around.setdefault(key, set())
            self.slots[key] += 1
            return {key}
        if kind not in (list, tuple, set, dict) or depth == _DEPTH:
            return set()
        if key not in self._inside:
            self._inside[key] = set()  # a container that holds itself adds nothing
            self._inside[key] = self._visit_items(value, depth)
        inside = self._inside[key]
        if inside and kind is tuple:
            self.found[key] = value
            self.slots[key] += 1
        return inside

    def _visit_items(self, container: Any, depth: int) -> set[int]:
        items = _last(container, self._budget) if self._budget > 0 else []
        self._budget -= len(items)
        inside: set[int] = set()
        for item in items:
            inside |= self.visit(item, depth + 1)
        if inside and type(container) is tuple:
            for key in inside:
                self.around[key].add(id(container))
        elif inside:
            self.holders.append(container)
        return inside


def _last(container: Any, count: int) -> list[Any]:
    """The last `count` items. All are not copied: a cell that fills a container may have taken the memory."""
    if type(container) is dict:
        return list(islice(reversed(container.values()), count))
    return list(islice(container, count)) if type(container) is set else list(container[-count:])


def close_leaked(
    live: Namespace,
    names: Iterable[str],
    held: Iterable[object] = (),
    is_engine_name: Callable[[str], bool] = lambda name: False,
) -> tuple[list[Leak], Replacements]:
    """Close what is bound to `names` in `live`, directly or in builtin containers.

    `held` yields what other places refer to that the caller knows of, once for each reference; it must
    not itself keep the values (a generator). Returns the leaks that only names of the engine were bound
    to (the others are within the user's reach, and nothing is amiss), and what was replaced in `live`,
    so that the caller can replace it in those other places, too.

    Thread: the one that runs the cell, under the namespace's lock.
    """
    search = _Search()
    roots = {name: live[name] for name in names if name in live}
    reachable: set[int] = set()
    for name, value in roots.items():
        if not is_engine_name(name):
            reachable |= search.visit(value)
    for name, value in roots.items():
        if is_engine_name(name):
            search.visit(value)
    if not search.found:
        return [], {}
    # A root was counted as one slot; it is counted with all of `live` instead.
    search.slots.subtract(id(value) for value in roots.values() if id(value) in search.found)
    del roots, name, value
    known = search.slots
    known.update(key for key in map(id, list(live.values())) if key in search.found)
    known.update(key for key in map(id, held) if key in search.found)
    # Two references are ours: the search's dict, and getrefcount's own argument.
    free = {key for key in search.found if sys.getrefcount(search.found[key]) <= known[key] + 2}
    leaks = []
    replacements: Replacements = {}
    for key, around in search.around.items():
        if key in free and around <= free:  # a task's reference was not found
            coroutine = search.found[key]
            deferred = DeferredCoroutine.in_place_of(coroutine)
            if deferred is not None:
                if key not in reachable:
                    leaks.append(leak_of(coroutine))
                coroutine.close()
                replacements[key] = (coroutine, deferred)
    _replace_found(live, search, replacements)
    return leaks, replacements


def _replace_found(live: Namespace, search: _Search, replacements: Replacements) -> None:
    """Put what was replaced into the containers and names that `search` has found it in."""
    for holder in search.holders:
        _replace_in(holder, replacements)
    for name, value in list(live.items()):
        if id(value) in search.found:
            with contextlib.suppress(Exception):  # of a key's own code
                if live.get(name) is value:
                    live[name] = replaced(value, replacements)


def replaced(value: object, replacements: Replacements) -> Any:
    """Return what stands in for `value`: itself, unless it or something in a tuple was replaced.

    A tuple is rebuilt once, wherever it is met.
    """
    key = id(value)
    if key in replacements:
        return replacements[key][1]
    if type(value) is tuple:
        items = tuple(replaced(item, replacements) for item in value)
        if any(new is not old for new, old in zip(items, value, strict=True)):
            replacements[key] = (value, items)
            return items
    return value


def _replace_in(container: Any, replacements: Replacements) -> None:
    if type(container) is list:
        for index, item in enumerate(container):
            container[index] = replaced(item, replacements)
    elif type(container) is dict:
        for key, item in list(container.items()):
            container[key] = replaced(item, replacements)
    else:
        for item in list(container):
            new = replaced(item, replacements)
            if new is not item:
                container.discard(item)
                container.add(new)
