"""A child that a cell has forked ends where the cell does: it is no second kernel.

`os.fork()` copies the process with one thread, the one that calls. If the child's code does not end it, it
returns from the cell, and would go on as a kernel without sockets, loop and threads, for ever. So it ends at
the end of what forked it: the cell, the task, the thread or the thread pool's job.
"""

from __future__ import annotations

import asyncio
from threading import get_ident
from typing import Any

from namespace_kernel.execution.engine import end_child
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.ipython.tracebacks.tracebacks import from_users_line


class ForkedChildren:
    """Mixed into the kernel.

    Thread: the one that forked.
    """

    #: Whether this process is such a child.
    is_child = False

    user_loop: UserLoop
    lanes: Any
    shell: Any
    _stdout: Any
    _stderr: Any

    def become_child(self) -> None:
        """Called in each child, also in those that multiprocessing ends by itself."""
        self.is_child = True
        self.user_loop.news.task_ended.clear()  # a lock may be held by a thread that is not here
        loop = self.user_loop.loop
        if loop.owner == get_ident():  # asyncio itself has forgotten by now that it runs
            task: asyncio.Task[Any] | None = asyncio.current_task(loop)
            if task is None:
                loop.call_soon(self.end_if_child)
            else:
                task.add_done_callback(lambda done: self.end_if_child(_error_of(done)))
        self.lanes.foreground.cells.put(None)  # what forked between two cells returns to waiting for one

    def end_if_child(self, error: BaseException | None = None) -> None:
        """End this process if it is a child: the code that forked it is over, with `error` or without."""
        if not self.is_child:
            return
        if error is not None:
            error.__traceback__ = from_users_line(error.__traceback__, self.shell.is_users_file)
        end_child(error, self._stdout, self._stderr)


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    return None if task.cancelled() else task.exception()
