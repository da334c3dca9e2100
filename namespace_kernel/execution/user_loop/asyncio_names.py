"""Which methods of asyncio's classes touch what the loop touches, too; and where its functions are.

Where no loop runs, each of them is called while the user loop stands still. Not here: coroutine functions,
whose code runs in the loop; futures and tasks, each of whose methods is one step for Python; and what is made
for other threads (`run_coroutine_threadsafe`, `call_soon_threadsafe`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType
from typing import Any

from namespace_kernel.base.patching import Patch

#: Classes and methods. Not every version of Python has each.
STILL: tuple[tuple[type, tuple[str, ...]], ...] = (
    (asyncio.Queue, ("put_nowait", "get_nowait", "task_done", "shutdown")),
    (asyncio.Event, ("set", "clear")),
    (asyncio.Lock, ("release",)),
    (asyncio.Semaphore, ("release",)),
    (asyncio.BoundedSemaphore, ("release",)),
    (asyncio.Condition, ("notify", "notify_all")),
    (asyncio.TaskGroup, ("create_task",)),
    (asyncio.Timeout, ("reschedule",)),
    (asyncio.StreamReader, ("feed_data", "feed_eof", "set_exception")),
    (asyncio.StreamWriter, ("write", "writelines", "write_eof", "close")),
    (asyncio.Server, ("close", "close_clients", "abort_clients")),
)


def twice(module: ModuleType, name: str, make: Callable[[Callable[..., Any]], object]) -> tuple[Patch, Patch]:
    """One function in the place of a public one: in the `module` that defines it, and in `asyncio`."""
    return Patch(module, name, make), Patch(asyncio, name, lambda _: getattr(module, name))
