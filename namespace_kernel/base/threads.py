"""What each thread of the kernel's own needs."""

from __future__ import annotations

import threading


def hide_from_debugger(thread: threading.Thread) -> None:
    """Let the debugger never stop `thread`, which is not started yet.

    From Python 3.12 on debugpy looks at the second of the two alone, also where another thread is at a
    breakpoint and it holds the others.
    """
    thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
    thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
