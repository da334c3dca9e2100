"""One page of memory that a file keeps: what a kernel is doing, for whoever asks after its end.

What is written to the page is in the file, whatever ends the process; nothing has to be flushed. It costs
no call of the system. Other processes may write to the file, too: see `EXIT`.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

#: Whether the exit status is known, and what `waitpid` would say. A process that outlives ours writes it.
EXIT = struct.Struct("<?i")
EXIT_AT = 64
#: In place of the exit status: it had lost its descriptors, and was ended.
LOST_DESCRIPTORS = -1

MAGIC = b"nskernel"
HEAD = struct.Struct("<8sii36s")  # the process, its parent, the machine's start
ASKED = struct.Struct("<?")
ASKED_AT = 80
MEMORY = struct.Struct("<dqq")
MEMORY_AT = 96
LINE = struct.Struct("<d248s")
LINE_AT = 128
CELLS_AT = 512
CELL = struct.Struct("<id16s300s")
SLOT = CELL.size + 1  # and whether it is in use: said last, so that no half record counts
SLOTS = (mmap.PAGESIZE - CELLS_AT) // SLOT


class Page:
    """The page of this process, for as long as it lives.

    Thread: any; each slot is written by one at a time.
    """

    def __init__(self, path: Path, parent: int) -> None:
        """Raises `OSError` if there can be no such file."""
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        self.fd = os.open(path, flags, 0o600)
        os.ftruncate(self.fd, mmap.PAGESIZE)
        self._page = mmap.mmap(self.fd, mmap.PAGESIZE)
        self._free = list(range(SLOTS))
        HEAD.pack_into(self._page, 0, MAGIC, os.getpid(), parent, boot_id().encode())

    def begin_cell(self, number: int, since: float, route: str, code: str) -> int | None:
        """Write that a cell runs; return its slot, `None` if there are too many."""
        try:
            slot = self._free.pop()
        except IndexError:
            return None
        at = CELLS_AT + slot * SLOT
        CELL.pack_into(self._page, at, number, since, _fit(route, 16), _fit(code, 300))
        self._page[at + CELL.size] = 1
        return slot

    def end_cell(self, slot: int) -> None:
        """Write that the cell in `slot` is over."""
        self._page[CELLS_AT + slot * SLOT + CELL.size] = 0
        self._free.append(slot)

    def note(self, looked: float, used: int, limit: int, line: str, asked_to_end: bool) -> None:
        """Write what was seen at a look, at `time.time()`: bytes in use, bytes that may be (0: no limit)."""
        MEMORY.pack_into(self._page, MEMORY_AT, looked, used, limit)
        LINE.pack_into(self._page, LINE_AT, looked, _fit(line, 248))
        ASKED.pack_into(self._page, ASKED_AT, asked_to_end)

    def remove(self) -> None:
        """The process ends in order: nobody needs to know."""
        self._path.unlink(missing_ok=True)


def _fit(text: str, size: int) -> bytes:
    return text[:size].encode("utf-8", "replace")[:size]


def boot_id() -> str:
    """What tells one start of this machine from the next; "" where that is not known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
