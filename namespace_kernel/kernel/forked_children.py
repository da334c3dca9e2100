"""A child that a cell has forked ends where the cell does: it is no second kernel.

`os.fork()` copies the process with one thread, the one that calls. If the child's code does not end it, it
returns from the cell, and would go on as a kernel without sockets, loop and threads, for ever. So it ends at
the end of what forked it: the cell, the task, the thread or the thread pool's job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import get_ident
from typing import Any, TextIO

from namespace_kernel.execution.engine import end_child
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.ipython.tracebacks.tracebacks import from_users_line

from .lanes.lanes import Lane


class ForkedChild:
    """Whether this process is such a child, and its end. `is_users_file` tells the user's code.

    Thread: the one that forked.
    """

    def __init__(self, stdout: TextIO, stderr: TextIO, is_users_file: Callable[[str], bool]) -> None:
        self.is_child = False
        self._streams = (stdout, stderr)
        self._is_users_file = is_users_file

    def become(self, user_loop: UserLoop, foreground: Lane) -> None:
        """Called in each child, also in those that multiprocessing ends by itself."""
        self.is_child = True
        user_loop.news.task_ended.clear()  # a lock may be held by a thread that is not here
        loop = user_loop.loop
        if loop.owner == get_ident():  # asyncio itself has forgotten by now that it runs
            task: asyncio.Task[Any] | None = asyncio.current_task(loop)
            if task is None:
                loop.call_soon(self.end_if_child)
            else:
                task.add_done_callback(lambda done: self.end_if_child(_error_of(done)))
        foreground.cells.put(None)  # what forked between two cells returns to waiting for one

    def end_if_child(self, error: BaseException | None = None) -> None:
        """End this process if it is a child: the code that forked it is over, with `error` or without."""
        if not self.is_child:
            return
        if error is not None:
            error.__traceback__ = from_users_line(error.__traceback__, self._is_users_file)
        end_child(error, *self._streams)


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    return None if task.cancelled() else task.exception()
