"""Which messages have been received already: `Session` refuses one that is sent twice.

Protocol: "the wire protocol", HMAC signatures. jupyter_client remembers 65,536 signatures of 64 characters in
a set, 150 bytes each, which is a fifth of what a small cell leaves in memory. Here it is ten.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterator

#: So many are in a set, before they become a sorted array.
CHUNK = 2048


class RecentSignatures:
    """A set of signatures that can forget the oldest.

    Guarantees: one that was added, and is not among the forgotten, is in it. Another is taken for one of them
    once in 2**48 times: a hash of 64 bits stands for each.

    Thread: any.
    """

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self._new: set[int] = set()
        self._old: list[array[int]] = []

    def add(self, signature: bytes) -> None:
        """Remember `signature`."""
        with self._adding:
            self._new.add(hash(signature))
            if len(self._new) >= CHUNK:
                self._old = [*self._old, array("q", sorted(self._new))]
                self._new = set()

    def forget_oldest(self) -> None:
        """Forget the `CHUNK` that were added first."""
        with self._adding:
            self._old = self._old[1:]

    def copy(self) -> RecentSignatures:
        """Another with the same signatures."""
        other = RecentSignatures()
        with self._adding:
            other._new, other._old = self._new.copy(), self._old
        return other

    def __contains__(self, signature: bytes) -> bool:
        # In this order: `add` moves from the first to the second.
        key = hash(signature)
        return key in self._new or any(_is_in(key, old) for old in self._old)

    def __len__(self) -> int:
        return len(self._new) + CHUNK * len(self._old)

    def __iter__(self) -> Iterator[int]:
        """What stands for the signatures."""
        with self._adding:
            everything = [*self._new, *(number for old in self._old for number in old)]
        return iter(everything)


def _is_in(key: int, numbers: array[int]) -> bool:
    at = bisect_left(numbers, key)
    return at < len(numbers) and numbers[at] == key
