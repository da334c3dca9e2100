"""Which cell started which child process, and that a cell has waited for one."""

from __future__ import annotations

import multiprocessing.process
import os
import subprocess
from collections.abc import Callable
from typing import Any, TypeVar

from namespace_kernel.base.execution import current_execution
from namespace_kernel.base.frames import unseen
from namespace_kernel.base.patching import Patch

T = TypeVar("T")

#: How many processes are remembered; pids are reused, and the last one counts.
_KEPT = 10_000


class ChildProcesses:
    """Notes the pids of `subprocess` and `multiprocessing`. Thread: any.

    `waited` is called when somebody has waited for a child: what that has written comes before what the
    caller prints next. multiprocessing waits by `os.waitpid`, subprocess and `os.system` in their own way.
    """

    def __init__(self, waited: Callable[[], object] = lambda: None) -> None:
        self._waited = waited
        self._cells: dict[int, str] = {}
        self.patches = (
            Patch(subprocess.Popen, "__init__", self._noting),
            Patch(multiprocessing.process.BaseProcess, "start", self._noting),
            Patch(os, "waitpid", self._waiting),
            Patch(os, "system", self._waiting),
            Patch(subprocess.Popen, "wait", self._waiting),
        )

    def cell_of(self, pid: int) -> str:
        """The cell that started the process, `""` if that is not known."""
        return self._cells.get(pid, "")

    def note(self, pid: int, cell: str) -> None:
        """From now on the process works for that cell; for none with `""`."""
        self._cells[pid] = cell

    def _noting(self, original: Callable[..., None]) -> Callable[..., None]:
        @unseen
        def start(process: Any, *args: object, **options: object) -> None:
            original(process, *args, **options)
            execution = current_execution.get()
            if execution is not None and process.pid is not None:
                if len(self._cells) >= _KEPT:
                    self._cells.clear()
                self._cells[process.pid] = execution.cell.execution_id

        return start

    def _waiting(self, original: Callable[..., T]) -> Callable[..., T]:
        @unseen
        def wait(*args: Any, **options: Any) -> T:
            result = original(*args, **options)
            self._waited()
            return result

        return wait
