"""Where a journal lies: a directory of the user's own, that one kernel at a time writes to."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path

import xxhash

from namespace_kernel.base.errors import JournalError

if sys.platform != "win32":
    import fcntl

_ODD = re.compile(r"[^\w.-]+")


def folder_for(name: str) -> str:
    """The name of the folder for the notebook or the journal called `name`; whatever that is, it is safe."""
    words = _ODD.sub("_", name)[-60:].strip("._") or "journal"
    return f"{words}-{xxhash.xxh3_64(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def check_place(path: Path) -> None:
    """Raise `JournalError` unless `path` is a directory that nobody but the user can write to."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error}; name another place") from None
    if not stat.S_ISDIR(found.st_mode):
        raise JournalError(f"{path} is no directory; remove it, or give the journal another name")
    if hasattr(os, "getuid") and found.st_uid != os.getuid():
        raise JournalError(
            f"{path} belongs to another user, and what lies there would run code; give another name"
        )
    if found.st_mode & 0o022:
        raise JournalError(
            f"others may write to {path}, and what lies there would run code: `chmod 700` it, if you trust it"
        )


def make_place(path: Path) -> None:
    """Make the directory, for the user alone. Raises `JournalError`."""
    check_place(path)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(f"{path} cannot be made: {error}; name another place") from None
    check_place(path)


#: Of this process. The system's locks are the process's: it would give one a second time.
_locked: set[Path] = set()


class Lock:
    """Held by the kernel that writes. The system lets go of it when the process ends, however it ends.

    Children do not have it.
    """

    def __init__(self, path: Path) -> None:
        """Raises `JournalError` if somebody else has it, `OSError` if there can be no such file."""
        self._path = path.resolve()
        if self._path in _locked:
            raise self._taken()
        self._fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        if sys.platform != "win32":
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self._fd)
                raise self._taken() from None
        _locked.add(self._path)

    def _taken(self) -> JournalError:
        return JournalError(
            f"another kernel keeps its names in {self._path} now; end that one, or give this journal a name "
            "of its own: `%durable NAME`"
        )

    def release(self) -> None:
        """Let others write."""
        _locked.discard(self._path)
        os.close(self._fd)
