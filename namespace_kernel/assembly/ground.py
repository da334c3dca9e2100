"""What all parts stand on: the kernel and its shell, which ipykernel makes, and the timers."""

from __future__ import annotations

import contextvars
from threading import get_ident
from typing import NamedTuple

from namespace_kernel.base.threads import current_thread
from namespace_kernel.ipython.captures import capture_nothing
from namespace_kernel.kernel.kernel import NamespaceKernel
from namespace_kernel.kernel.wire.protocol_thread import ProtocolThread


class Ground(NamedTuple):
    """What the parts stand on. `context` is the one of the foreground's cells.

    The kernel's shell tells lines of code (`Lines`) and shows notices in the calling context (`Notices`). A
    notice that is given to this goes to the foreground's cell, whatever thread or task it comes from.
    """

    kernel: NamespaceKernel
    timers: ProtocolThread
    context: contextvars.Context

    def notice(self, line: str) -> None:
        """See `Notices`."""
        context = self.context.copy()
        context.run(capture_nothing)
        context.run(self.kernel.shell.notice, line)

    def report_task(self, error: BaseException, what: str) -> None:
        """Show the exception of a task that nobody retrieved, or of a callback."""
        if self.kernel.report_failed_tasks:
            self.kernel.shell.show_task_error(error, what)

    def runs_cells(self) -> bool:
        """Whether the calling thread is one where cells run: main, or a subshell's."""
        is_main = get_ident() == self.timers.manager.foreground_ident
        return is_main or current_thread().name.startswith("lane-")
