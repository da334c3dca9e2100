"""Large buffers: files named after the digest of what they hold. Each is written once, and never changed."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import xxhash

from namespace_kernel.base.errors import JournalError
from namespace_kernel.remote.memory.own_memory import OwnMap

#: So many bytes are hashed or written by one call: less than a millisecond's work.
SLICE = 1 << 20
#: What the name of a file ends with that is not whole yet.
_UNFINISHED = ".new"

Buffer = bytes | bytearray | memoryview


class ChangedMeanwhileError(Exception):
    """A buffer is not any more what it was when its digest was taken."""


def slices(buffer: Buffer) -> Iterator[memoryview]:
    """`buffer` in slices."""
    view = memoryview(buffer)
    for at in range(0, len(view), SLICE):
        yield view[at : at + SLICE]


def digest_of(buffer: Buffer, step: Callable[[], object] = lambda: None) -> str:
    """The digest of `buffer`. `step` is called between slices, and may raise."""
    hashed = xxhash.xxh3_128()
    for part in slices(buffer):
        step()
        hashed.update(part)
    return hashed.hexdigest()


class Blobs:
    """The files of one journal.

    Thread: one writes, any reads.
    """

    def __init__(self, path: Path) -> None:
        """Raises `OSError`."""
        self._path = path
        path.mkdir(mode=0o700, exist_ok=True)
        for left in path.glob(f"*{_UNFINISHED}"):  # of a process that was killed
            left.unlink(missing_ok=True)

    def has(self, digest: str, size: int) -> bool:
        """Whether the file is there, with that size."""
        try:
            return self._file(digest).stat().st_size == size
        except OSError:
            return False

    def write(self, digest: str, buffer: Buffer, step: Callable[[], object] = lambda: None) -> int:
        """Write `buffer` unless it is there; return how many bytes that took.

        Raises `ChangedMeanwhileError` if it is not what `digest` says, and `OSError`.
        """
        if self.has(digest, len(buffer)):
            return 0
        written = self._path / f"{digest}{_UNFINISHED}"
        hashed = xxhash.xxh3_128()
        try:
            with open(written, "wb", buffering=0, opener=_private) as file:
                for part in slices(buffer):
                    copy = bytes(part)  # what is hashed is what is written, whoever changes the buffer
                    hashed.update(copy)
                    _write_all(file, copy)
                    step()
                if hashed.hexdigest() != digest:
                    raise ChangedMeanwhileError(digest)
                os.fsync(file.fileno())
            os.replace(written, self._file(digest))
        except BaseException:
            written.unlink(missing_ok=True)
            raise
        return len(buffer)

    def sync(self) -> None:
        """Make sure that the files' names are on disk, where a folder can be asked for that."""
        if sys.platform == "win32":
            return
        folder = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, digest: str, size: int) -> memoryview:
        """What the file holds, as memory that may be written to and that never reaches the file.

        Raises `JournalError` if it is not there or cut.
        """
        try:
            with open(self._file(digest), "rb") as file:
                if os.fstat(file.fileno()).st_size != size:
                    raise JournalError("its file on disk is cut")
                return memoryview(OwnMap(file.fileno(), size, access=mmap.ACCESS_COPY) if size else b"")
        except OSError as error:
            raise JournalError(f"its file on disk cannot be read: {error.strerror}") from None

    def digests(self) -> dict[str, int]:
        """All files that are there, with their sizes."""
        found = {}
        for entry in os.scandir(self._path):
            with contextlib.suppress(FileNotFoundError):  # it has just been removed
                if not entry.name.endswith(_UNFINISHED):
                    found[entry.name] = entry.stat().st_size
        return found

    def remove(self, digest: str) -> None:
        """Remove the file. What is mapped stays readable."""
        self._file(digest).unlink(missing_ok=True)

    def _file(self, digest: str) -> Path:
        return self._path / digest


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write_all(file: Any, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
