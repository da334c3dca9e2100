"""What the threads of the kernel's own need, and what others ask of one."""

from __future__ import annotations

import math
import select
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

#: Whether threads run at the same time, without the interpreter's lock.
FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()


def hide_from_debugger(thread: threading.Thread) -> None:
    """Let the debugger never stop `thread`, which is not started yet.

    From Python 3.12 on debugpy looks at the second of the two alone, also where another thread is at a
    breakpoint and it holds the others.
    """
    thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
    thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]


def readable(descriptors: Iterable[int], seconds: float | None = None) -> list[int]:
    """Wait until one of `descriptors` can be read, is at its end, or is closed, but no longer than `seconds`.

    Return those of which that is true. `select.select` refuses numbers above 1,023, which open files reach.
    Thread: any.
    """
    if not hasattr(select, "poll"):  # Windows, which knows no such limit
        return select.select(list(descriptors), [], [], seconds)[0]
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    ready = poll.poll(None if seconds is None else math.ceil(seconds * 1000))
    return [descriptor for descriptor, _ in ready]


class Timers(Protocol):
    """Calls functions later on, on a thread that runs no code of the user's."""

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        """Call `function` after `seconds`. Thread: any, also in a signal handler: it starts no thread."""
