"""Which cell started which child process, and that a cell has waited for one."""

from __future__ import annotations

import contextlib
import multiprocessing.process
import os
import signal
import subprocess
import sys
import threading
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
            Patch(subprocess.Popen, "__init__", lambda original: self._noting(_whole(original))),
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


def _whole(original: Callable[..., None]) -> Callable[..., None]:
    """`Popen.__init__`, which a Stop does not end in the middle.

    Between the fork and its return nobody knows the child's number, and it would live on. So a Stop waits;
    then the child is ended, for the cell does not get it. A second Stop does not wait: a program on a disk
    that does not answer may take long to start.
    """

    @unseen
    def start(process: Any, *args: object, **options: object) -> None:
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(handler):
            original(process, *args, **options)
            return
        came: list[int] = []

        def note(number: int, frame: Any) -> None:
            came.append(number)
            if len(came) > 1:
                handler(number, frame)

        try:
            try:
                signal.signal(signal.SIGINT, note)
                original(process, *args, **options)
            finally:
                signal.signal(signal.SIGINT, handler)
            if came:
                handler(signal.SIGINT, sys._getframe())
        except KeyboardInterrupt:
            _end(process)
            raise

    return start


def _end(process: Any) -> None:
    if getattr(process, "pid", None) is not None:
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
    for name in ("stdin", "stdout", "stderr"):
        if (file := getattr(process, name, None)) is not None:
            file.close()
