"""What each thread of the kernel's own needs, and what others ask of one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol


def hide_from_debugger(thread: threading.Thread) -> None:
    """Let the debugger never stop `thread`, which is not started yet.

    From Python 3.12 on debugpy looks at the second of the two alone, also where another thread is at a
    breakpoint and it holds the others.
    """
    thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
    thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]


class Timers(Protocol):
    """Calls functions later on, on a thread that runs no code of the user's."""

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        """Call `function` after `seconds`. Thread: any, also in a signal handler: it starts no thread."""
