"""What asyncio does not tell about tasks and coroutines: which there are, and where each stands."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import CoroutineType, FrameType
from typing import Any, TypeVar

T = TypeVar("T")

#: asyncio keeps every task in a weak set, under another name since 3.12.
_REGISTRY = "_scheduled_tasks" if hasattr(asyncio.tasks, "_scheduled_tasks") else "_all_tasks"


def coroutines_of_tasks() -> set[int]:
    """The ids of all coroutines that an unfinished task of any loop drives.

    Thread: any.
    """
    tasks = [
        *snapshot(getattr(asyncio.tasks, _REGISTRY)),
        *snapshot(getattr(asyncio.tasks, "_eager_tasks", ())),
    ]
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
    return [
        task
        for task in snapshot(getattr(asyncio.tasks, _REGISTRY))
        if not task.done() and task.get_loop() is loop
    ]


def frames_of(coroutine: Any) -> list[FrameType]:
    """The frames of a coroutine that is suspended, and of those it awaits, outermost first.

    Thread: any; of one that is just being resumed, what is seen may be a moment old.
    """
    frames = []
    while coroutine is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(coroutine, f"{kind}_frame", None)
            if frame is not None:
                frames.append(frame)
                coroutine = getattr(coroutine, f"{kind}_{'yieldfrom' if kind == 'gi' else 'await'}")
                break
        else:
            break
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
    """Whether `frame` was called, however indirectly, by the code of `coroutine`."""
    own = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
    while frame is not None and frame is not own:
        frame = frame.f_back
    return frame is not None
