"""What one transaction adds on disk: a state, the rows of its names, and the pieces that they are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from namespace_kernel.durable.journal.records import CellRecord

from .blobs import Buffer


@dataclass(frozen=True, slots=True)
class Stored:
    """A piece as it is kept. `needs` are versions by package, with `python` if there is code in it.

    `buffers` are digests and sizes. `serial` orders the pieces: the later one's classes are the newer.
    """

    digest: str
    stream_digest: str
    stream: Buffer
    buffers: tuple[tuple[str, int], ...]
    needs: Mapping[str, str]
    serial: int = 0

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return len(self.stream) + sum(size for _, size in self.buffers)


@dataclass(frozen=True, slots=True)
class NameRow:
    """What is known of a name from now on: its piece, or the `reason` why there is none.

    With a piece, `reason` says what the value comes back without.
    """

    name: str
    type: str
    size: int
    maker: int
    piece: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction adds: the state after the cell `serial`."""

    serial: int
    parent: int | None
    cells: Mapping[int, CellRecord]
    pieces: tuple[Stored, ...] = ()
    names: tuple[NameRow, ...] = ()
    deleted: frozenset[str] = field(default_factory=frozenset)
