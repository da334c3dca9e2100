"""What forked children publish comes through one pipe: each message whole, in the order of sending.

ipykernel's children connect anew for each message, by TCP. What comes by two connections may change places,
and what a child has sent may arrive after its parent has seen it end. What is in a pipe is there at once, and
is read before the cell that forked is said to be done. A write of no more than `PIPE_BUF` bytes is not
mixed with others', so a message travels in pieces of that size, each of which says what it belongs to.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import struct
import sys
from collections.abc import Callable, Iterator
from os import getpid

from namespace_kernel.base.threads import Lock, readable

if sys.platform != "win32":
    import fcntl

#: Of a piece: whose it is, which of its messages, whether it ends a part and the message, and its size.
_HEAD = struct.Struct("=IIBH")
_ENDS_PART, _ENDS_MESSAGE = 1, 2
_MOST = getattr(select, "PIPE_BUF", 512) - _HEAD.size
#: Bytes that the pipe holds, where the system lets that be said.
_ROOM = 2**20

Parts = list[bytes]


class FromChildren:
    """The pipe from this process's forked children, and theirs."""

    def __init__(self) -> None:
        self.fd, self._writer = os.pipe()
        os.set_blocking(self.fd, False)
        with contextlib.suppress(AttributeError, OSError):
            fcntl.fcntl(self._writer, fcntl.F_SETPIPE_SZ, _ROOM)
        status = os.fstat(self._writer)
        self._identity = status.st_dev, status.st_ino
        self._numbers = itertools.count()
        self._lock = Lock()
        self._data = bytearray()
        self._begun: dict[tuple[int, int], list[bytearray]] = {}

    # In a child

    def become_child(self) -> None:
        """Let go of the end that only the parent reads, or nobody would notice the parent's death."""
        if self._is_open(self.fd):
            os.close(self.fd)
        self.fd = -1

    def send(self, parts: Parts) -> bool:
        """Send a message; whether that can be done: code that makes a daemon closes all descriptors.

        It has left the process then. Thread: any.
        """
        if not self._is_open(self._writer):
            return False
        pid, number = getpid(), next(self._numbers) & 0xFFFFFFFF
        with contextlib.suppress(BrokenPipeError):  # the parent is gone
            for ends, piece in _pieces(parts):
                os.write(self._writer, _HEAD.pack(pid, number, ends, len(piece)) + piece)
        return True

    def _is_open(self, fd: int) -> bool:
        """Whether `fd` is still an end of the pipe, and not another file that has got the number."""
        with contextlib.suppress(OSError):
            status = os.fstat(fd)
            return (status.st_dev, status.st_ino) == self._identity
        return False

    # In the parent

    def has_come(self) -> bool:
        """Whether there is something to read, or is just being taken. Thread: any of the parent."""
        return bool(readable([self.fd], 0)) or self._lock.locked()

    def receive(self, take: Callable[[Parts], object]) -> None:
        """Call `take` with each message that has come. Thread: any, where no Stop can come."""
        with self._lock:
            self._receive(take)

    def _receive(self, take: Callable[[Parts], object]) -> None:
        with contextlib.suppress(OSError):  # nothing more is there, or the loop that watches has closed it
            while data := os.read(self.fd, _ROOM):
                self._data += data
        at, end = 0, len(self._data) - _HEAD.size
        while at <= end:
            pid, number, ends, size = _HEAD.unpack_from(self._data, at)
            if at + size > end:
                break
            at += _HEAD.size + size
            parts = self._begun.setdefault((pid, number), [bytearray()])
            parts[-1] += self._data[at - size : at]
            if ends & _ENDS_MESSAGE:
                del self._begun[pid, number]
                take([bytes(part) for part in parts])
            elif ends:
                parts.append(bytearray())
        del self._data[:at]


def _pieces(parts: Parts) -> Iterator[tuple[int, bytes]]:
    for number, part in enumerate(parts, 1):
        view = memoryview(part)
        for at in range(0, max(1, view.nbytes), _MOST):
            ends = _ENDS_PART if at + _MOST >= view.nbytes else 0
            if ends and number == len(parts):
                ends |= _ENDS_MESSAGE
            yield ends, bytes(view[at : at + _MOST])
