"""What large buffers travel as: regions, which are used again while the content is the same."""

from __future__ import annotations

import logging
import mmap
import os
import sys
from collections.abc import Iterator
from functools import partial

from namespace_kernel.base.weak_references import WeakKeys, WeakValues
from namespace_kernel.remote.memory.blocks import content_digest
from namespace_kernel.remote.memory.pages import is_untouched, written
from namespace_kernel.remote.memory.regions import LARGE, Region, address_of, can_share, fill, room
from namespace_kernel.remote.transfer.packing import Buffer

#: If less than this part of a region has been written to, only that travels.
_FEW = 4
#: Bytes that are compared at a time.
_STEP = 2**16

_log = logging.getLogger("namespace_kernel")

#: Where a buffer stands, and how long it is.
Place = tuple[int, int]


class Shelf:
    """The regions that this process has filled, by the buffers that they were filled from, and those that
    arrays here use as their memory.

    Guarantees: a buffer travels as a region only if that holds what the buffer held during the call. A region
    is kept by whoever uses it, and by the arrays that have its memory, not by the shelf.

    Thread: any.
    """

    def __init__(self) -> None:
        self._sent: WeakValues[Place, Region] = WeakValues()
        self._mapped: WeakValues[Place, mmap.mmap] = WeakValues()
        self._regions: WeakKeys[mmap.mmap, Region] = WeakKeys()
        self._told = False

    def share(self, raw: memoryview) -> Buffer | Region:
        """What travels for `raw`: a region, or the buffer itself if it is small or there is no room."""
        if len(raw) < LARGE or not can_share():
            return raw
        place = address_of(raw), len(raw)
        mapped = self._mapped.get(place)
        region = None if mapped is None else self._regions.get(mapped)
        if region is not None and mapped is not None and is_untouched(mapped):
            return region
        region = self._sent.get(place)
        if region is not None and content_digest(raw) == region.digest:
            return region
        try:
            if room() <= 0:
                return raw
            region = self._sent[place] = fill(raw)
        except (OSError, MemoryError) as error:
            self.tell(f"{len(raw) / 2**20:.0f} MiB could not be shared with a worker ({error})")
            return raw
        return region

    def map(self, region: Region) -> mmap.mmap:
        """Memory with the content of a region that has come. It is the region itself until it is changed."""
        mapped = region.map()
        if room() > 0 and not region.changes:
            self._mapped[address_of(mapped), len(mapped)] = mapped
            self._regions[mapped] = region
        return mapped

    def tell(self, what: str) -> None:
        """Log, once, that something goes through the pipe."""
        if not self._told:
            self._told = True
            _log.warning("%s, so it goes through a pipe; further ones may, too", what)


class Maps:
    """The regions that are mapped in a worker. Memory that nobody has written to is used again.

    Thread: the one that runs cells.
    """

    def __init__(self) -> None:
        self._mapped: WeakKeys[Region, list[mmap.mmap]] = WeakKeys()
        #: How many regions the kernel can take with one report.
        self.room = 0

    def map(self, region: Region) -> mmap.mmap:
        """Memory with the content of `region`, which nobody else in this process uses."""
        there = self._mapped.get(region)
        if there is None:
            there = self._mapped[region] = []
        for number in range(len(there)):
            if _references(there, number) == _IDLE and is_untouched(there[number]):
                return there[number]
        there.append(region.map())
        return there[-1]

    def _origin(self, raw: memoryview) -> tuple[Region, list[slice] | None] | tuple[None, None]:
        """The region that was mapped for `raw`, whose memory that is, and what has been written to since."""
        if len(raw) < LARGE:
            return None, None
        place = address_of(raw), len(raw)
        for region, there in self._mapped.items():
            for mapped in there:
                if (address_of(mapped), len(mapped)) == place:
                    return region, written(mapped)
        return None, None

    def digest_of(self, raw: memoryview) -> bytes:
        """The digest of what `raw` holds now; nothing's, if its region holds something else."""
        region, parts = self._origin(raw)
        if region is None or parts is None:
            return content_digest(raw)
        return region.digest if all(map(partial(_is_as_in, region, raw), _in_steps(parts))) else b""

    def share(self, raw: memoryview) -> Buffer | Region:
        """What travels back for `raw`."""
        if len(raw) < LARGE or self.room <= 0:
            return raw
        self.room -= 1
        try:
            region, parts = self._origin(raw)
            if region is None or parts is None or sum(map(_length, parts)) > len(raw) // _FEW:
                return fill(raw)
            return region.changed([(part.start, bytes(raw[part])) for part in parts]) if parts else region
        except (OSError, MemoryError):
            return raw

    def tidy(self) -> None:
        """Let go of memory that no later cell can use: it was written to."""
        for _, there in self._mapped.items():
            there[:] = [one for one in there if is_untouched(one)][:1]


def _length(part: slice) -> int:
    size: int = part.stop - part.start
    return size


def _is_as_in(region: Region, raw: memoryview, part: slice) -> bool:
    return bytes(raw[part]) == os.pread(region.descriptor, _length(part), part.start)


def _in_steps(parts: list[slice]) -> Iterator[slice]:
    """`parts`, cut into pieces of some pages each: mostly the first one tells."""
    for part in parts:
        for begin in range(part.start, part.stop, _STEP):
            yield slice(begin, min(begin + _STEP, part.stop))


def _references(things: list[mmap.mmap], number: int) -> int:
    return sys.getrefcount(things[number])


#: References to memory that is in such a list, and used by nobody.
_IDLE = _references([mmap.mmap(-1, 1)], 0)
