"""What a worker has already: nothing unchanged is sent to it twice in a row."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from namespace_kernel.remote.memory.regions import Region

from .packing import Piece

#: Bytes of pieces that a worker keeps beside those that its cell needs, and how many pieces.
_BYTES = 256 * 2**20
_PIECES = 1000


@dataclass(frozen=True, slots=True)
class _Held:
    names: tuple[str, ...]
    size: int
    regions: tuple[Region, ...]


class Ledger:
    """The pieces that one worker holds, by the digest of their content.

    It keeps their regions, too: so long they need not be filled again.

    Guarantees: a piece is left out only if the worker holds one with the same content. What the cell may
    have changed there is struck out by `forget`.

    Thread: the one that uses the worker.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def divide(self, pieces: Iterable[Piece]) -> tuple[tuple[Piece, ...], tuple[str, ...], tuple[str, ...]]:
        """Return the pieces to send, the digests of those that are there, and those to drop there.

        All are noted as held from now on, but the last.
        """
        pieces = tuple(pieces)
        there = tuple(one.digest for one in pieces if one.digest in self._held)
        missing = tuple(one for one in pieces if one.digest not in self._held)
        for one in pieces:
            self._held[one.digest] = _Held(one.names, one.size, one.regions)
            self._held.move_to_end(one.digest)
        dropped = self._outdated(missing)
        while len(self._held) > len(pieces) and self._is_full(len(pieces)):
            dropped.append(self._held.popitem(last=False)[0])
        return missing, there, tuple(dropped)

    def bytes_of(self, sizes: Mapping[str, int]) -> int:
        """How many bytes of the pieces with these digests and `sizes` the worker holds."""
        return sum(size for digest, size in sizes.items() if digest in self._held)

    def forget(self, digests: Iterable[str]) -> None:
        """Strike out pieces that the worker no longer holds as they were."""
        for digest in digests:
            self._held.pop(digest, None)

    def _outdated(self, pieces: Iterable[Piece]) -> list[str]:
        """Strike out what is large and has another value now."""
        names = {one.names: one.digest for one in pieces if one.regions}
        found = [
            digest
            for digest, held in self._held.items()
            if held.regions and names.get(held.names, digest) != digest
        ]
        self.forget(found)
        return found

    def _is_full(self, needed: int) -> bool:
        others = [held.size for held in self._held.values()][: len(self._held) - needed]
        return len(others) > _PIECES or sum(others) > _BYTES
