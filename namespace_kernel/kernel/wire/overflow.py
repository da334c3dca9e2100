"""A small process that stands between the file descriptors 1 and 2 and the kernel, and always reads.

The kernel reads on a thread. C code that holds the interpreter's lock keeps that thread from running, and
when it has written more than a pipe holds, it would wait for room for ever. This process passes on what is
written. While the kernel takes nothing, it keeps it. While the kernel does, it reads no more than that: who
writes faster than the kernel reads has to wait, as behind any pipe.

Run as a script, without the package. When the kernel is gone, it passes on what is left to the kernel's own
standard output, and ends. It writes how the kernel ended to the kernel's page (`durable/page.py`); the next
kernel tells its user. It also ends a kernel that has lost all its descriptors (`os.closerange(3, 100)`):
that can neither hear nor say anything, and would hang until ZeroMQ aborts it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import select
import signal
import struct
import sys
from collections import deque

#: Milliseconds for which the kernel takes nothing before more is read than it takes.
_PATIENCE = 100
_AT_ONCE = 2**16
#: A flag of Linux: the process is ending.
_EXITING = 0x4
#: Milliseconds for which a kernel that ends may take to be gone.
_END = 2000
#: As in `durable/page.py`: how the kernel ended.
_EXIT, _EXIT_AT = struct.Struct("<?i"), 64
_LOST_DESCRIPTORS = -1
_LOST = (
    b"namespace_kernel: the kernel's own file descriptors were closed, as by `os.closerange(3, 100)` or by "
    b"code that makes a daemon; it cannot go on without them, and was ended\n"
)
#: What ZeroMQ says before it aborts, for that reason: it may notice first.
_ABORT = re.compile(
    rb"^(Bad file descriptor \(src/\w+|(Broken pipe|Assertion failed: .*) \(src/(signaler|epoll))"
    rb"\.cpp:\d+\)\s*\Z",
    re.MULTILINE,
)


class Passage:
    """The way from one descriptor to the kernel: read at `reader`, written to `writer`.

    `other` is the end at which the kernel reads, `busy` the byte that says that something is on its way here.
    """

    def __init__(self, reader: int, writer: int, other: int, flags: mmap.mmap, busy: int) -> None:
        self.reader, self.writer, self._other = reader, writer, other
        self._flags, self._busy = flags, busy
        self.kept: deque[bytes] = deque()
        os.set_blocking(writer, False)

    def read(self) -> None:
        """Take what has been written. It says so first: the kernel looks whether all has come."""
        self._flags[self._busy] = 1
        data = os.read(self.reader, _AT_ONCE)
        if data:
            self.kept.append(data)
        self.write()

    def write(self) -> None:
        """Give the kernel what it takes."""
        with contextlib.suppress(BlockingIOError):
            while self.kept:
                data = self.kept[0]
                written = os.write(self.writer, data)
                if written == len(data):
                    self.kept.popleft()
                else:
                    self.kept[0] = data[written:]
            self._flags[self._busy] = 0

    def pass_on(self, target: int) -> bytes:
        """Write what the kernel has not read to `target`; return the end of it."""
        last = b""
        with contextlib.suppress(OSError):
            while _is_readable(self._other):
                _write(target, last := os.read(self._other, _AT_ONCE))
            while self.kept:
                _write(target, last := self.kept.popleft())
            while _is_readable(self.reader):
                _write(target, last := os.read(self.reader, _AT_ONCE))
        return last


def serve(passages: list[Passage], life: int) -> None:
    """Pass on until `life` ends."""
    stuck: set[Passage] = set()
    while True:
        events = select.poll()
        events.register(life, select.POLLIN)
        for one in passages:
            if one.kept:
                events.register(one.writer, select.POLLOUT)
            if not one.kept or one in stuck:
                events.register(one.reader, select.POLLIN)
        waits = any(one.kept and one not in stuck for one in passages)
        ready = dict(events.poll(_PATIENCE if waits else None))
        if life in ready:
            return
        for one in passages:
            if one.writer in ready:
                stuck.discard(one)
                one.write()
            elif one.kept and not ready:
                stuck.add(one)
            if one.reader in ready:
                one.read()


class Kernel:
    """The process whose output this is. Knows what became of it on Linux alone."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        with contextlib.suppress(AttributeError, OSError):
            self._handle: int | None = os.pidfd_open(pid)
            return
        self._handle = None

    def exit_status(self) -> int | None:
        """How it ended, as `waitpid` says it; `None` if the program that started it has asked already."""
        if self._handle is not None and _is_readable(self._handle, _END):
            with contextlib.suppress(OSError, IndexError), open(f"/proc/{self._pid}/stat") as file:
                return int(file.read().rpartition(")")[2].split()[49])
        return None

    def end_without_descriptors(self) -> bool:
        """End it if it goes on though its end of a pipe is closed; whether it did."""
        if self._handle is None or not self._goes_on() or _is_readable(self._handle):
            return False
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        return True

    def _goes_on(self) -> bool:
        """Whether it is not ending: then its descriptors are closed, too."""
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{self._pid}/stat") as file:
            return not int(file.read().rpartition(")")[2].split()[6]) & _EXITING
        return False


def _is_readable(fd: int, patience: int = 0) -> bool:
    events = select.poll()
    events.register(fd, select.POLLIN)
    return any(event & select.POLLIN for _, event in events.poll(patience))


def _write(target: int, data: bytes) -> None:
    """Write `data`; nothing more if nobody takes it, or this process would never end."""
    for at in range(0, len(data), select.PIPE_BUF):
        events = select.poll()
        events.register(target, select.POLLOUT)
        if not events.poll(_END):
            raise BlockingIOError
        os.write(target, data[at : at + select.PIPE_BUF])


if __name__ == "__main__":
    os.setsid()
    kernel, life, flags_fd, page, *ends = map(int, sys.argv[1:])
    process = Kernel(kernel)
    flags = mmap.mmap(flags_fd, mmap.PAGESIZE)
    ways = zip(ends[::3], ends[1::3], ends[2::3], strict=True)
    passages = [Passage(*way, flags, busy) for busy, way in enumerate(ways)]
    serve(passages, life)
    was_lost = process.end_without_descriptors()
    status = process.exit_status()
    last_words = [passage.pass_on(number) for number, passage in enumerate(passages, 1)]
    if was_lost or _ABORT.search(last_words[-1]):
        status = _LOST_DESCRIPTORS
        with contextlib.suppress(OSError):
            _write(2, _LOST)
    if status is not None:
        os.pwrite(page, _EXIT.pack(True, status), _EXIT_AT)
