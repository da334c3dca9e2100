"""Why a kernel ended: what its page, its crash and the system say, in one line for the next one's user."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .page import (
    ASKED,
    ASKED_AT,
    CELL,
    CELLS_AT,
    EXIT,
    EXIT_AT,
    HEAD,
    LINE,
    LINE_AT,
    LOST_DESCRIPTORS,
    MAGIC,
    MEMORY,
    MEMORY_AT,
    SLOT,
    SLOTS,
    boot_id,
)

#: The share of the limit from which on a SIGKILL was probably the system's, for want of memory.
_NEARLY_ALL = 0.8
#: faulthandler writes no more calls than this.
_MOST_CALLS = 100

_CRASHES = {
    "SIGSEGV": "a segmentation fault",
    "SIGBUS": "a bus error",
    "SIGILL": "an illegal instruction",
    "SIGFPE": "an arithmetic error in C code",
    "SIGABRT": "an abort in C code",
}
_FATAL = re.compile(r"^(?:Fatal Python error: |Windows fatal exception: )(.*)$", re.MULTILINE)
_CALL = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<name>.*)$', re.MULTILINE)
#: Where ipykernel puts the sources of cells.
_CELL_FILE = re.compile(r"[/\\]ipykernel_\d+[/\\]\d+\.py$")


@dataclass(frozen=True, slots=True)
class CellRecord:
    """A cell that had begun: its number, `time.time()` of its begin, its route, and its code's beginning."""

    number: int
    since: float
    route: str
    code: str


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that were in use when one looked last, and bytes that may be; 0 if nothing limits them."""

    looked: float
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class Record:
    """What a page says. `exit_status` is as `waitpid`'s; `line` is where the cell was at `line_at`."""

    pid: int
    parent: int
    boot: str
    asked_to_end: bool
    exit_status: int | None
    memory: Memory
    line_at: float
    line: str
    cells: tuple[CellRecord, ...]


@dataclass(frozen=True, slots=True)
class LastWords:
    """What is left of a kernel that did not end in order. `crash` is what `faulthandler` wrote."""

    record: Record
    crash: str

    @classmethod
    def read(cls, page: Path, crash: Path) -> LastWords | None:
        """What the files say; `None` if they are not what they should be. Raises `OSError`."""
        record = read_page(page)
        text = crash.read_text(errors="replace") if crash.exists() else ""
        return None if record is None else cls(record, text)

    def describe(self) -> str:
        """One line, or "" if there is nothing to tell."""
        record = self.record
        cells = sorted(record.cells, key=lambda cell: cell.since)
        reason = self._reason()
        where = _while_running(cells, record, self._calls())
        return f"the kernel before this one {reason}{where}"

    def _reason(self) -> str:
        record = self.record
        if record.boot != boot_id():
            return "ended because the machine was restarted"
        if record.exit_status is None:
            return self._reason_unknown()
        if record.exit_status == LOST_DESCRIPTORS:
            return "could not go on, for its own file descriptors were closed, as by `os.closerange(3, 100)`,"
        if os.WIFSIGNALED(record.exit_status):
            return self._reason_of_signal(os.WTERMSIG(record.exit_status))
        return self._reason_of_exit(os.waitstatus_to_exitcode(record.exit_status))

    def _reason_of_signal(self, number: int) -> str:
        record = self.record
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        if name in _CRASHES:
            deep = ", probably because calls went too deep" if self._is_deep() else ""
            return f"crashed by {_CRASHES[name]} ({name}){deep}"
        if name != "SIGKILL":
            return f"was ended by {name}"
        memory = record.memory
        if memory.limit and memory.used >= _NEARLY_ALL * memory.limit:
            used = f"{memory.used / 2**30:.1f} of {memory.limit / 2**30:.1f} GiB were in use"
            return f"was killed ({name}), probably for memory: {used}"
        if record.asked_to_end:
            return f"was asked to end, did not in time, and was killed ({name})"
        return f"was killed ({name})"

    def _reason_of_exit(self, code: int) -> str:
        record = self.record
        if record.asked_to_end:
            return "was asked to end, and did so in the middle of a cell"
        if code == 1 and not _is_alive(record.parent):
            return "ended because the program that had started it was gone"
        return f"ended by itself with the exit code {code}, as by `os._exit({code})`"

    def _reason_unknown(self) -> str:
        found = _FATAL.findall(self.crash)
        if found:
            return f"crashed: {found[-1].lower()}"
        return "ended without a word: it was killed, or called `os._exit()`"

    def _calls(self) -> list[str]:
        """The calls of the thread that crashed, the outermost first, if it crashed in a cell."""
        status = self.record.exit_status
        if status is not None and (
            not os.WIFSIGNALED(status) or _signal_name(os.WTERMSIG(status)) not in _CRASHES
        ):
            return []
        calls = list(_CALL.finditer(self.crash, max(self.crash.rfind("Fatal Python error"), 0)))
        in_cells = [at for at, call in enumerate(calls) if _CELL_FILE.search(call["file"])]
        if not in_cells:
            return []
        return [_describe_call(call) for call in reversed(calls[: in_cells[-1] + 1])]

    def _is_deep(self) -> bool:
        return self.crash.count("\n  File ") >= _MOST_CALLS and "\n  ...\n" in self.crash


def _describe_call(call: re.Match[str]) -> str:
    in_cell = bool(_CELL_FILE.search(call["file"]))
    if in_cell and call["name"].startswith("<"):
        return f"line {call['line']}"
    file = "" if in_cell else f"{Path(call['file']).name}, "
    return f"`{call['name']}`, {file}line {call['line']}"


def _while_running(cells: list[CellRecord], record: Record, calls: list[str]) -> str:
    if not cells:
        return " while no cell ran"
    cell = cells[0]
    since = time.strftime("%H:%M:%S", time.localtime(cell.since))
    if calls:
        shown = [*calls[:2], "…", *calls[-2:]] if len(calls) > 5 else calls
        where = " › ".join(shown)
    elif record.line and record.line_at >= cell.since:
        place, _, code = record.line.partition(": ")
        where = f"{place}: `{code}`"
    else:
        where = f"`{cell.code}`"
    others = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
    return f" while In [{cell.number}]{others} ran, since {since} ({where})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def read_page(path: Path) -> Record | None:
    """What the file says; `None` if it is no such page."""
    data = path.read_bytes()
    if len(data) < CELLS_AT + SLOTS * SLOT:
        return None
    magic, pid, parent, boot = HEAD.unpack_from(data)
    if magic != MAGIC:
        return None
    known, status = EXIT.unpack_from(data, EXIT_AT)
    line_at, line = LINE.unpack_from(data, LINE_AT)
    return Record(
        pid,
        parent,
        _text(boot),
        ASKED.unpack_from(data, ASKED_AT)[0],
        status if known else None,
        Memory(*MEMORY.unpack_from(data, MEMORY_AT)),
        line_at,
        _text(line),
        tuple(_cells(data)),
    )


def _cells(data: bytes) -> Iterator[CellRecord]:
    for at in range(CELLS_AT, CELLS_AT + SLOTS * SLOT, SLOT):
        if data[at + CELL.size]:
            number, since, route, code = CELL.unpack_from(data, at)
            yield CellRecord(number, since, _text(route), _text(code))


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "ignore")
