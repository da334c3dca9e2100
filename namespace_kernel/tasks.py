"""Which coroutines belong to a task, whether or not it has made its first step."""

from __future__ import annotations

import asyncio
from types import CoroutineType
from typing import Any

#: asyncio keeps every task in a weak set, under another name since 3.12.
_REGISTRY = "_scheduled_tasks" if hasattr(asyncio.tasks, "_scheduled_tasks") else "_all_tasks"


def coroutines_of_tasks() -> set[int]:
    """The ids of all coroutines that an unfinished task of any loop drives.

    Thread: any. Other threads may add tasks meanwhile, hence the retries.
    """
    tasks: list[asyncio.Task[Any]] = []
    for _ in range(1000):
        try:
            tasks = [*getattr(asyncio.tasks, _REGISTRY), *getattr(asyncio.tasks, "_eager_tasks", ())]
            break
        except RuntimeError:  # "Set changed size during iteration"
            continue
    return {id(task.get_coro()) for task in tasks if not task.done()}


def was_never_started(value: object) -> bool:
    """Whether `value` is a coroutine whose code has not begun (`inspect.CORO_CREATED`)."""
    return (
        type(value) is CoroutineType
        and value.cr_frame is not None
        and not value.cr_running
        and not value.cr_suspended
    )
