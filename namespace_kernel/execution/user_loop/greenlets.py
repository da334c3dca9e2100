"""Greenlets that are suspended inside a task, and the thread that made them.

Looked at is what the interpreter would tell the garbage collector: to ask a suspended frame for its variables
would keep their values alive.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any
from weakref import WeakSet

from namespace_kernel.base.asyncio_tasks import all_tasks_of, innermost

_AWAITED = {CoroutineType: "cr_await", GeneratorType: "gi_yieldfrom", AsyncGeneratorType: "ag_await"}


def with_greenlets_of_others(loop: Any) -> WeakSet[asyncio.Task[Any]]:
    """The tasks of `loop` in which a greenlet of another thread than the calling one is suspended."""
    if "greenlet" not in sys.modules:
        return WeakSet()
    return WeakSet(task for task in all_tasks_of(loop) if holds_greenlet(task.get_coro(), of_others=True))


def holds_greenlet(coroutine: Any, *, of_others: bool) -> bool:
    """Whether a greenlet is suspended in `coroutine`, or in what it awaits: one that the calling thread made,
    or, with `of_others`, one of another thread.
    """
    module: Any = sys.modules.get("greenlet")
    if module is None:
        return False
    kind, parent = module.greenlet, module.greenlet.parent.__get__

    def root(greenlet: Any) -> Any:  # each thread has one
        while (above := parent(greenlet)) is not None:
            greenlet = above
        return greenlet

    own = root(module.getcurrent())
    return any(
        parent(held) is not None and not held.dead and (root(held) is not own) is of_others
        for awaiting in _chain(coroutine)
        for held in gc.get_referents(awaiting)
        if issubclass(type(held), kind)
    )


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
