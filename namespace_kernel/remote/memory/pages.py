"""Whether memory that was mapped from a region has been written to since: the system knows it of each page.

A page of a private mapping is the file's until the first write to it, by whomever, and then the process's
own. That is asked for page by page; nothing is read of the memory itself, and no write can be missed. Where
the system does not tell it, the answer is that all may have been written to.
"""

from __future__ import annotations

import functools
import mmap
import os
import re

from namespace_kernel.remote.memory.regions import Region, address_of

_ENTRY = 8
#: Of the last byte of an entry: the page is there, it is swapped out, it is the file's.
_THERE, _SWAPPED, _FILES = 0x80, 0x40, 0x20
_UNTOUCHED = bytes(top for top in range(256) if not top & (_THERE | _SWAPPED) or top & _FILES)
_WRITTEN = re.compile(b"[^" + re.escape(_UNTOUCHED) + b"]+")


def is_untouched(mapped: mmap.mmap) -> bool:
    """Whether nothing has been written to `mapped`, the memory of a region."""
    return written(mapped) == []


def written(mapped: mmap.mmap) -> list[slice] | None:
    """Which parts of `mapped` have been written to; `None` if that is not known."""
    try:
        tops = _tops(mapped) if _can_tell() else None
    except OSError:
        tops = None
    if tops is None:
        return None
    found = (one.span() for one in _WRITTEN.finditer(tops))
    return [slice(begin * mmap.PAGESIZE, min(end * mmap.PAGESIZE, len(mapped))) for begin, end in found]


@functools.cache
def _can_tell() -> bool:
    """Whether the system tells it, and rightly: tried once."""
    try:
        descriptor = os.memfd_create("namespace_kernel", os.MFD_CLOEXEC)
        region = Region(descriptor, 3 * mmap.PAGESIZE, b"")
        os.write(descriptor, bytes(region.size))
        mapped = region.map()
        mapped[0]  # a page that is the file's, one that will be its own, and one that is not there
        before = _tops(mapped).translate(None, _UNTOUCHED)
        mapped[mmap.PAGESIZE] = 1
        return not before and len(_tops(mapped).translate(None, _UNTOUCHED)) == 1
    except (OSError, AttributeError):
        return False


def _tops(mapped: mmap.mmap) -> bytes:
    """The last byte of each page's entry. Raises `OSError`."""
    first = address_of(mapped) // mmap.PAGESIZE
    count = -(-len(mapped) // mmap.PAGESIZE)
    with open("/proc/self/pagemap", "rb", buffering=0) as pages:
        pages.seek(first * _ENTRY)
        entries = pages.read(count * _ENTRY)
    if len(entries) != count * _ENTRY:
        raise OSError("the system tells less than it was asked for")
    return entries[_ENTRY - 1 :: _ENTRY]
