"""What a kernel says to a process that runs cells for it, beside the cells."""

from __future__ import annotations

from dataclasses import dataclass

from .messages import CellRequest
from .packing import Piece


@dataclass(frozen=True, slots=True)
class Run:
    """Run a cell. `digests` are those of all its pieces, in order; `pieces` those that are not there yet.

    `dropped` are digests of pieces that will not be needed again.
    """

    request: CellRequest
    digests: tuple[str, ...]
    pieces: tuple[Piece, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Stop the running cell, if one runs."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The process is gone: `why`, in words. Said by the reader of the pipe."""

    why: str
