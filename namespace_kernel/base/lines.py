"""Lines: of code, as a user knows them, and those that the kernel shows."""

from __future__ import annotations

from collections.abc import Iterable
from types import CoroutineType, FrameType
from typing import Any, NamedTuple, Protocol, TypeAlias

#: What an `async def` function returns.
NativeCoroutine: TypeAlias = "CoroutineType[Any, Any, Any]"


class Place(NamedTuple):
    """A line of code."""

    filename: str
    line: int


class Leak(NamedTuple):
    """A coroutine that was closed, and the line that created it (`line` 0 if unknown)."""

    name: str
    filename: str
    line: int


class ToldCalls(set[Leak]):
    """The calls that the traceback of a cell's error tells of: their last name, and each of their lines."""

    def has(self, leak: Leak) -> bool:
        """Whether one of them made what leaked. If its line is not known, the name decides."""
        name = leak.name.rpartition(".")[2]
        if leak.line:
            return Leak(name, leak.filename, leak.line) in self
        return any(call.name == name for call in self)


def leak_of(coroutine: NativeCoroutine) -> Leak:
    """Describe `coroutine` by what Python noted."""
    origin = coroutine.cr_origin
    filename, line = origin[0][:2] if origin else ("", 0)
    return Leak(coroutine.__qualname__, filename, line)


class Lines(Protocol):
    """Code as its user knows it. Thread: any."""

    def is_users_file(self, filename: str) -> bool:
        """Whether code with this file name is the user's: a cell's, or a module's that is not installed."""

    def is_cell_file(self, filename: str) -> bool:
        """Whether code with this file name comes from a cell."""

    def cell_files(self) -> Iterable[str]:
        """The file names of all cells, in their order."""

    def describe_frame(self, frame: FrameType) -> str:
        """The innermost line of a cell that `frame` is in, or its own line."""

    def describe_line(self, frame: FrameType) -> str:
        """The line that `frame` is at."""

    def place_of(self, place: Place | Leak) -> str:
        """How a line is called, seen from the cell that the calling context belongs to."""


class Notices(Protocol):
    """Shows the user what the kernel has to say."""

    def notice(self, line: str) -> None:
        """Show one line. Thread: any."""
