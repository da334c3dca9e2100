"""The black box: a kernel writes down what it does, and the next one tells why it died.

The files lie beside the connection file. Jupyter starts a kernel that died with the same connection file,
so the next one finds them. A kernel that ends in order removes them.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from namespace_kernel.base.execution import Execution
from namespace_kernel.base.lines import Lines
from namespace_kernel.base.threads import frames_of_threads
from namespace_kernel.execution.hooks import Settling

from .memory import Level
from .page import Page

#: The first line that is code, and neither a comment nor a directive.
_CODE = re.compile(r"^[^\S\n]*([^\s#%].*)", re.MULTILINE)


class _Slot:
    """The place of a cell on the page."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class BlackBox:
    """Writes down which cells run, and on which line they are.

    `running` are the cells that run, `asked_to_end` says whether a frontend wants the kernel to end, `tell`
    shows the line about the kernel before this one, `restorable` says what is left of its names. Where no
    file can be written there is no black box.

    Thread: main, but for `begin` and `end`, that of the cell.
    """

    def __init__(
        self,
        connection_file: Path,
        running: Iterable[Execution],
        lines: Lines,
        asked_to_end: Callable[[], bool],
        tell: Callable[[str], object],
        log: logging.Logger,
        restorable: Callable[[], str] = lambda: "",
    ) -> None:
        #: Named after the connection file, and so after the kernel.
        self._path, self._crash_path = (connection_file.with_suffix(end) for end in (".blackbox", ".crash"))
        self._running = running
        self._lines = lines
        self._asked_to_end = asked_to_end
        self._tell = tell
        self._restorable = restorable
        self._pid = os.getpid()
        self._page: Page | None = None
        #: About the kernel before this one, until it has been told.
        self._untold = ""
        try:
            self._untold = self._take_last_words()
            self._page = Page(self._path, os.getppid())
            self._record_crashes()
        except OSError as error:
            log.warning("there is no black box: if this kernel dies, nobody can say why: %s", error)

    @property
    def fileno(self) -> int | None:
        """The descriptor of the page, for who sees the end of this process."""
        return None if self._page is None else self._page.fd

    def _take_last_words(self) -> str:
        """What the kernel before this one left, in words; "" if it ended in order. Removes its files."""
        if not self._path.exists():
            return ""
        from .last_words import LastWords  # here: few starts need it

        words = LastWords.read(self._path, self._crash_path)
        self._remove_files()
        return "" if words is None else words.describe()

    def _remove_files(self) -> None:
        for path in (self._path, self._crash_path):
            path.unlink(missing_ok=True)

    def _record_crashes(self) -> None:
        """Also of C code. Whoever calls `faulthandler.enable` gets it where they want it."""
        if not faulthandler.is_enabled():
            self._crash = os.open(self._crash_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            faulthandler.enable(self._crash, all_threads=False)

    def begin(self, execution: Execution) -> None:
        """A cell begins."""
        page, cell = self._page, execution.cell
        if page is None:
            return
        if self._untold and not cell.silent:
            self._tell(f"{self._untold}{self._restorable()}")
            self._untold = ""
        code = _CODE.search(cell.code)
        line = "" if code is None else code[1]
        slot = page.begin_cell(cell.number, execution.since, str(execution.route.context), line)
        if slot is not None:
            execution.keep(_Slot(slot))

    def end(self, settling: Settling) -> None:
        """Post-cell hook: the cell is over."""
        slot = settling.execution.find(_Slot)
        if slot is not None and self._page is not None:
            self._page.end_cell(slot.number)

    def note(self, level: Level) -> None:
        """Write how much memory is in use, and where the cell is. Thread: the memory watch's."""
        if self._page is not None:
            self._page.note(time.time(), level.used, level.limit, self._line(), self._asked_to_end())

    def _line(self) -> str:
        """Where the cell is that has run longest; "" if it waits."""
        running = sorted(self._running, key=lambda execution: execution.since)
        frame = frames_of_threads().get(running[0].thread_ident) if running else None
        while frame is not None and not self._lines.is_cell_file(frame.f_code.co_filename):
            frame = frame.f_back
        return "" if frame is None else self._lines.describe_line(frame).removeprefix("at ")

    def close(self) -> None:
        """The kernel ends in order."""
        if os.getpid() == self._pid and self._page is not None:
            self._remove_files()
