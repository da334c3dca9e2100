"""Which cell started which child process."""

from __future__ import annotations

import functools
import multiprocessing.process
import subprocess
from collections.abc import Callable
from typing import Any

from namespace_kernel.base.execution import current_execution
from namespace_kernel.base.frames import unseen

#: How many processes are remembered; pids are reused, and the last one counts.
_KEPT = 10_000


class ChildProcesses:
    """Notes the pids of `subprocess` and `multiprocessing`. Thread: any; main for installing."""

    def __init__(self) -> None:
        self._cells: dict[int, str] = {}
        self._originals: list[tuple[Any, str, Any]] = []

    def install(self) -> None:
        """Look at what the two classes start."""
        for owner, name in ((subprocess.Popen, "__init__"), (multiprocessing.process.BaseProcess, "start")):
            original = getattr(owner, name)
            self._originals.append((owner, name, original))
            setattr(owner, name, self._noting(original))

    def uninstall(self) -> None:
        """Put the originals back."""
        for owner, name, original in self._originals:
            setattr(owner, name, original)
        self._originals.clear()

    def cell_of(self, pid: int) -> str:
        """The cell that started the process, `""` if that is not known."""
        return self._cells.get(pid, "")

    def note(self, pid: int, cell: str) -> None:
        """From now on the process works for that cell; for none with `""`."""
        self._cells[pid] = cell

    def _noting(self, original: Callable[..., None]) -> Callable[..., None]:
        @unseen
        @functools.wraps(original)
        def start(process: Any, *args: Any, **options: Any) -> None:
            original(process, *args, **options)
            execution = current_execution.get()
            if execution is not None and process.pid is not None:
                if len(self._cells) >= _KEPT:
                    self._cells.clear()
                self._cells[process.pid] = execution.cell.execution_id

        return start
