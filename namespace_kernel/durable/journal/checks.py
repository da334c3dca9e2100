"""Files that were mapped and not read yet: looked through before a cell reads their names, or in idle time.

To read ten gigabytes takes seconds, and to map them nothing. A cell may write to what is mapped, so it is the
file that is looked at.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from namespace_kernel.base.errors import JournalError
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.remote.transfer.reads import names_read

from .candidates import reached
from .disk.blobs import Blobs, digest_of
from .records import Kept


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A file by digest and size, and the names whose values lie in it."""

    digest: str
    size: int
    names: tuple[Kept, ...]


class Checks:
    """What is still to be looked through. A name whose file is damaged goes, and `tell` is given a line.

    Thread: any.
    """

    def __init__(self, manager: AsyncNamespaceManager, blobs: Blobs, tell: Callable[[str], object]) -> None:
        self._manager = manager
        self._blobs = blobs
        self._tell = tell
        self._waiting: list[tuple[Unchecked, dict[str, Any]]] = []

    def add(self, files: Iterable[Unchecked]) -> None:
        """These files are mapped."""
        live = self._manager.live
        self._waiting += [(one, {kept.name: live.get(kept.name) for kept in one.names}) for one in files]

    def before(self, source: str) -> None:
        """A cell is to run `source`: look at what it reads."""
        if not self._waiting:
            return
        try:
            code = compile(source, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError):
            return
        names = reached(names_read(code), self._reads_of)
        for one in [one for one in self._waiting if names & one[1].keys()]:
            self._look(one)

    def _reads_of(self, name: str) -> Iterable[str]:
        value = self._manager.look_up(name)
        return names_read(value.__code__) if type(value) is FunctionType else ()

    def run(self, may: Callable[[], bool]) -> None:
        """Look at all, when it `may`."""
        while self._waiting:
            next_one = self._waiting[:1]
            if next_one and may():
                self._look(next_one[0])
            else:
                time.sleep(0.02)

    def close(self) -> None:
        """Look at nothing any more."""
        with self._manager.lock:
            self._waiting = []

    def _look(self, one: tuple[Unchecked, dict[str, Any]]) -> None:
        file, values = one
        try:
            whole = digest_of(self._blobs.read(file.digest, file.size)) == file.digest
        except JournalError:
            whole = False
        with self._manager.lock:
            left = [other for other in self._waiting if other is not one]
            if len(left) == len(self._waiting):
                return  # somebody else has looked meanwhile
            self._waiting = left
            live = self._manager.live
            gone = [kept for kept in file.names if not whole and live.get(kept.name) is values[kept.name]]
            for kept in gone:
                live.pop(kept.name, None)
        for kept in gone:
            cell = f"; {kept.maker.name} makes it again" if kept.maker.name else ""
            self._tell(f"`{kept.name}` is gone: its file on disk is damaged{cell}")
