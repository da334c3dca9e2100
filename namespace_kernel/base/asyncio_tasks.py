"""What asyncio does not tell about tasks and coroutines: which there are, and where each stands."""

from __future__ import annotations

import asyncio
import gc
import operator
import sys
from collections.abc import Iterable
from functools import partial
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any, TypeVar

T = TypeVar("T")

#: asyncio keeps every task in a weak set, under another name since 3.12. Since 3.14 only those of a class in
#: Python, as `nest_asyncio` has them: of the others each thread has a list, and `all_tasks` knows all lists.
_REGISTRY = "_scheduled_tasks" if hasattr(asyncio.tasks, "_scheduled_tasks") else "_all_tasks"
_ARE_LISTED_IN_C = sys.version_info >= (3, 14)
_Task, _all_tasks, _set_running_loop = asyncio.Task, asyncio.all_tasks, asyncio._set_running_loop


def coroutines_of_tasks(coroutines: list[CoroutineType[Any, Any, Any]]) -> set[int]:
    """The ids of those of `coroutines` that an unfinished task of any loop drives.

    Thread: any.
    """
    tasks = [
        *snapshot(getattr(asyncio.tasks, _REGISTRY)),
        *snapshot(getattr(asyncio.tasks, "_eager_tasks", ())),
    ]
    if _ARE_LISTED_IN_C and coroutines:  # a list for each loop, and nobody knows all loops
        tasks += [one for one in gc.get_referrers(*coroutines) if issubclass(type(one), _Task)]
    return {id(task.get_coro()) for task in tasks if not task.done()}


def snapshot(things: Iterable[T]) -> list[T]:
    """What is in a set (a weak one, as a rule) that other threads add to meanwhile."""
    while True:
        try:
            return list(things)
        except RuntimeError:  # "Set changed size during iteration"
            continue


def all_tasks_of(loop: Any) -> list[asyncio.Task[Any]]:
    """The tasks of `loop` that are not done, whatever they are made by. Thread: any."""
    tasks = [
        task
        for task in snapshot(getattr(asyncio.tasks, _REGISTRY))
        if not task.done() and task.get_loop() is loop
    ]
    return tasks + _listed_in_c(loop) if _ARE_LISTED_IN_C else tasks


def _listed_in_c(loop: Any) -> list[asyncio.Task[Any]]:
    if asyncio._get_running_loop() is not loop:
        return list(_all_tasks(loop))
    # Of the loop that runs in the calling thread only those are told that were made there, and ours moves.
    # The three steps are one call into C, which a Stop cannot tear apart.
    steps: Any = partial(_set_running_loop, None), partial(_all_tasks, loop), partial(_set_running_loop, loop)
    try:
        _, tasks, _ = map(operator.call, steps)
        return list(tasks)
    finally:
        _set_running_loop(loop)


class Around:
    """A coroutine of ours around a cell's own, `_body`."""

    _body: Any


#: What a coroutine, a generator and an async generator call their frame, and what they wait for. Others are
#: asked for nothing: they may answer with code of their own.
_PREFIXES = {
    CoroutineType: ("cr", "await"),
    GeneratorType: ("gi", "yieldfrom"),
    AsyncGeneratorType: ("ag", "await"),
}


def innermost(coroutine: Any) -> Any:
    """The coroutine that a coroutine of ours stands around, if it is one."""
    while issubclass(type(coroutine), Around):
        coroutine = coroutine._body
    return coroutine


def frame_of(coroutine: Any) -> FrameType | None:
    """The frame of a coroutine that is not over; `None` also where it is not Python's."""
    coroutine = innermost(coroutine)
    prefix, _ = _PREFIXES.get(type(coroutine), ("", ""))
    return getattr(coroutine, f"{prefix}_frame") if prefix else None


def executes(coroutine: Any) -> bool:
    """Whether the code of a coroutine executes at this moment."""
    coroutine = innermost(coroutine)
    prefix, _ = _PREFIXES.get(type(coroutine), ("", ""))
    return bool(prefix) and bool(getattr(coroutine, f"{prefix}_running"))


def frames_of(coroutine: Any) -> list[FrameType]:
    """The frames of a coroutine that is suspended, and of those it awaits, outermost first.

    Thread: any; of one that is just being resumed, what is seen may be a moment old.
    """
    frames = []
    while (frame := frame_of(coroutine)) is not None:
        frames.append(frame)
        coroutine = innermost(coroutine)
        coroutine = getattr(coroutine, "_".join(_PREFIXES[type(coroutine)]))
    return frames


def was_never_started(value: object) -> bool:
    """Whether `value` is a coroutine whose code has not begun (`inspect.CORO_CREATED`)."""
    return (
        type(value) is CoroutineType
        and value.cr_frame is not None
        and not value.cr_running
        and not value.cr_suspended
    )


def is_inside(frame: FrameType | None, coroutine: Any) -> bool:
    """Whether `frame` was called, however indirectly, by the code of `coroutine`.

    Thread: the one that executes `frame`. The frames of a greenlet end where it was started; who resumed it
    stands in its parent.
    """
    own = frame_of(coroutine)
    module: Any = sys.modules.get("greenlet")
    greenlet: Any = None if module is None else module.getcurrent()
    while frame is not own and (frame is not None or greenlet is not None):
        if frame is not None:
            frame = frame.f_back
        else:
            greenlet = greenlet.parent
            frame = None if greenlet is None else greenlet.gr_frame
    return frame is not None
