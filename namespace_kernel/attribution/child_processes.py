"""Which cell started which child process."""

from __future__ import annotations

import multiprocessing.process
import subprocess
from collections.abc import Callable
from typing import Any

from namespace_kernel.base.execution import current_execution
from namespace_kernel.base.frames import unseen
from namespace_kernel.base.patching import Patch

#: How many processes are remembered; pids are reused, and the last one counts.
_KEPT = 10_000


class ChildProcesses:
    """Notes the pids of `subprocess` and `multiprocessing`. Thread: any."""

    def __init__(self) -> None:
        self._cells: dict[int, str] = {}
        self.patches = (
            Patch(subprocess.Popen, "__init__", self._noting),
            Patch(multiprocessing.process.BaseProcess, "start", self._noting),
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
