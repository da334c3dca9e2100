"""Greenlets that are suspended inside a task, and the thread that made them.

Looked at is what the interpreter would tell the garbage collector: to ask a suspended frame for its variables
would keep their values alive.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from namespace_kernel.base.asyncio_tasks import all_tasks_of, coroutine_of, innermost
from namespace_kernel.base.weak_references import WeakThings

_AWAITED = {CoroutineType: "cr_await", GeneratorType: "gi_yieldfrom", AsyncGeneratorType: "ag_await"}


def with_greenlets_of_others(loop: Any) -> WeakThings[asyncio.Task[object]]:
    """The tasks of `loop` in which a greenlet of another thread than the calling one is suspended."""
    if "greenlet" not in sys.modules:
        return WeakThings()
    hangs_in = _looker(of_others=True)
    return WeakThings(task for task in all_tasks_of(loop) if hangs_in(coroutine_of(task)))


def holds_greenlet_of_this_thread(coroutine: Any) -> bool:
    """Whether a greenlet of the calling thread is suspended in `coroutine`, or in what it awaits."""
    return "greenlet" in sys.modules and _looker(of_others=False)(coroutine)


def _looker(*, of_others: bool) -> Callable[[Any], bool]:
    """Tells of a coroutine whether a greenlet that the calling thread made, or another one, hangs in it."""
    module: Any = sys.modules["greenlet"]
    kind, parent, referents = module.greenlet, module.greenlet.parent.__get__, gc.get_referents

    def root(greenlet: Any) -> Any:  # each thread has one
        while (above := parent(greenlet)) is not None:
            greenlet = above
        return greenlet

    def hangs_in(coroutine: Any) -> bool:
        return any(
            parent(held) is not None and not held.dead and (root(held) is not own) is of_others
            for held in referents(*_chain(coroutine))
            if issubclass(type(held), kind)
        )

    own = root(module.getcurrent())
    return hangs_in


def _chain(coroutine: Any) -> Iterator[Any]:
    """`coroutine`, what it awaits, and so on."""
    seen: set[int] = set()
    coroutine = innermost(coroutine)
    while coroutine is not None and id(coroutine) not in seen:
        seen.add(id(coroutine))
        yield coroutine
        name = _AWAITED.get(type(coroutine))
        if name is not None:
            coroutine = getattr(coroutine, name)
        else:  # a step of an asynchronous generator, a wrapper: what it stands for
            coroutine = next((one for one in gc.get_referents(coroutine) if type(one) in _AWAITED), None)
