"""The kernel's side of `overflow`: what C code and children write comes through that process."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from namespace_kernel.base.threads import PIPE_BUF, Lock, readable, writable

if sys.platform != "win32":
    import fcntl

_OVERFLOW = Path(__file__).with_name("overflow.py")
#: A number that no shell uses for its own.
_HIGH = 20


class Passage(NamedTuple):
    """One descriptor's text on its way: written to `pipe`, passed on to `fd`, where the kernel reads.

    Thread: any.
    """

    pipe: int
    fd: int
    flags: mmap.mmap
    busy: int

    def all_came(self) -> bool:
        """Whether nothing that was written before the call is on its way, nor waits at `fd`.

        In this order: what is gone from the pipe is in the other process, or has been given to us.
        """
        return not readable([self.pipe], 0) and not self.flags[self.busy] and not readable([self.fd], 0)


def open_passages(pipes: list[int], outputs: list[int], page: int | None = None) -> list[Passage]:
    """Start the process that reads `pipes`, with `outputs` as its standard output and error.

    It ends when this process does. A shell stands in between and ends at once: whoever waits for all children
    does not wait for this one. What a shell starts in the background gets no Stop from a terminal. It writes
    how this process ended to `page`, if there is one.
    """
    flags_fd = _file()
    os.ftruncate(flags_fd, mmap.PAGESIZE)
    flags = mmap.mmap(flags_fd, mmap.PAGESIZE)
    life_reader, _ = os.pipe()  # whose other end is closed when we are gone
    ours, given, closed = (
        [],
        [life_reader, flags_fd, flags_fd if page is None else page],
        [life_reader, flags_fd],
    )
    for busy, pipe in enumerate(pipes):
        reader, writer = os.pipe()
        ours.append(Passage(pipe, reader, flags, busy))
        given += [pipe, writer, reader]
        closed.append(writer)
    inherited = [fcntl.fcntl(fd, fcntl.F_DUPFD, _HIGH) for fd in given]
    try:
        script = [sys.executable, "-I", "-S", str(_OVERFLOW), str(os.getpid()), *map(str, inherited)]
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(outputs, 1)]
        command = ["sh", "-c", '"$@" &', "sh", *script]
        os.waitpid(os.posix_spawn("/bin/sh", command, os.environ, file_actions=actions), 0)
    finally:
        for fd in (*closed, *inherited):
            os.close(fd)
    return ours


def _file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("output")
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


#: Seconds for which whoever reads the process's own output may take nothing.
_PATIENCE = 1.0


class Outside:
    """The process's own output. While nobody reads it, what is written is dropped: the kernel must not wait.

    Thread: any.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_read = True

    def pass_on(self, data: bytes) -> None:
        """Write `data`, or as much as is taken."""
        for at in range(0, len(data), PIPE_BUF):
            self._is_read = writable(self._descriptor, _PATIENCE if self._is_read else 0)
            if not self._is_read:
                return
            os.write(self._descriptor, data[at : at + PIPE_BUF])

    def write(self, text: str) -> int:
        """As a file's, for the log."""
        self.pass_on(text.encode(errors="backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """As a file's."""


class Watched(Protocol):
    """A stream whose file descriptor is watched: `CellStream`."""

    @property
    def watched_pipe(self) -> int | None:
        """The pipe of the descriptor."""

    @property
    def descriptor_outside(self) -> int | None:
        """The descriptor of the process's own output."""

    def use_passage(self, passage: Passage) -> None:
        """From now on read what comes through `passage`."""


class Room:
    """The process that makes room for what C code writes to the descriptors of `streams`.

    It outlives this one, and writes how that ended to the page that `page` is the descriptor of.

    Thread: any.
    """

    #: Seconds after the start when it is made, if no cell has come by then.
    delay = 0.2

    def __init__(self, streams: Iterable[Watched], page: int | None) -> None:
        self._page = page
        self._streams = list(streams)
        self._making = Lock()
        self._is_made = False

    def make(self) -> None:
        """Start it, once: before the first cell, and best when nobody waits, for it takes milliseconds.

        Without it there is room as in ipykernel.
        """
        with self._making:
            if not self._is_made:
                self._is_made = True
                self._open()

    def _open(self) -> None:
        pipes = [one.watched_pipe for one in self._streams if one.watched_pipe is not None]
        outputs = [one.descriptor_outside for one in self._streams if one.descriptor_outside is not None]
        if len(pipes) == len(outputs) == 2:
            with contextlib.suppress(OSError):
                for stream, passage in zip(
                    self._streams, open_passages(pipes, outputs, self._page), strict=True
                ):
                    stream.use_passage(passage)
