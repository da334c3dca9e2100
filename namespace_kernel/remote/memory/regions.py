"""Memory that processes of one machine share: what a large buffer held, sealed, and without a name.

A region is filled once, and then nobody can write to it. Whoever maps it gets pages of their own as soon as
they write. It ends with the last process that has it, however that ends: there is nothing to tidy up.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import sys
from collections.abc import Sequence
from functools import partial
from pickle import PickleBuffer
from typing import Any, SupportsIndex

from namespace_kernel.remote.memory.blocks import content_digest, digest_in_blocks
from namespace_kernel.remote.memory.own_memory import OwnMap

#: Bytes from which a buffer is worth a region.
LARGE = 2**20
#: Bytes of a huge page, and from how many on a region gets such pages.
_HUGE, _WORTH = 2**21, 2**24
#: What asks Linux for them; Python has no name for it.
_COLLAPSE = 25
#: Regions that a process has at most, if it may have so many descriptors. One message can carry them all.
_MOST = 200

#: Where they begin, and what is there now.
Changes = Sequence[tuple[int, bytes]]


class Region:
    """The content of one buffer: `size` bytes with that `digest`. The descriptor is closed with the object.

    With `changes` (where they begin, and bytes) it is what another region holds, and these instead of what is
    there. Such a one has no digest.

    Thread: any.
    """

    __slots__ = ("__weakref__", "changes", "descriptor", "digest", "size")

    #: How many there are in this process.
    count = 0

    def __init__(self, descriptor: int, size: int, digest: bytes, changes: Changes = ()) -> None:
        self.descriptor = descriptor
        self.size = size
        self.digest = digest
        self.changes = changes
        Region.count += 1

    def __len__(self) -> int:
        return self.size

    def map(self) -> mmap.mmap:
        """Memory with its content. What is written there nobody else sees. Raises `OSError`."""
        mapped = _map(self.descriptor, self.size)
        for begin, content in self.changes:
            mapped[begin : begin + len(content)] = content
        return mapped

    def changed(self, changes: Changes) -> Region:
        """One that differs from this one. Raises `OSError`."""
        return Region(os.dup(self.descriptor), self.size, b"", changes)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[object, ...]:
        """To where nobody shares memory with this process, its content travels."""
        content = self.map()
        return memoryview, (PickleBuffer(content) if protocol.__index__() >= 5 else bytes(content),)

    def __del__(self) -> None:
        Region.count -= 1
        with contextlib.suppress(OSError):  # the user's code may have closed it
            os.close(self.descriptor)


def can_share() -> bool:
    """Whether this system has such memory."""
    return hasattr(os, "memfd_create") and sys.platform == "linux"


def room() -> int:
    """How many more regions this process should have."""
    import resource

    if not can_share():
        return 0
    opened = os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd"))  # 0 before Linux 6.2
    free = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - opened
    return min(_MOST - Region.count, free // 4)


def fill(raw: memoryview) -> Region:
    """Copy `raw`, which is bytes in a row. Raises `OSError` if there is no memory, or no descriptor, for it.

    The digest is that of what the region holds, also if somebody writes to `raw` meanwhile.
    """
    import fcntl

    region = Region(os.memfd_create("namespace_kernel", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), len(raw), b"")
    os.ftruncate(region.descriptor, region.size)
    mapped = _map(region.descriptor, region.size, mmap.MAP_SHARED)
    mapped.madvise(mmap.MADV_DONTFORK)  # it can be sealed only while nobody has it to write to
    region.digest = digest_in_blocks(region.size, partial(_fill_block, region, mapped, raw))
    mapped.close()  # only now: after an error another thread may be writing to it still
    fcntl.fcntl(region.descriptor, fcntl.F_ADD_SEALS, _seals())
    return region


def _fill_block(region: Region, mapped: mmap.mmap, raw: memoryview, part: slice) -> bytes:
    """Copy a part of `raw` to the same part of `region`, which is `mapped`; the digest of what is there then.

    What has huge pages is written to as memory, which several threads may do at once. To other pages the
    system writes: where memory is short, it says so, and nobody dies of it.
    """
    import ctypes

    huge = part.start + _use_huge_pages(region, mapped, part)
    ctypes.memmove(address_of(mapped) + part.start, address_of(raw) + part.start, huge - part.start)
    if os.pwrite(region.descriptor, raw[huge : part.stop], huge) < part.stop - huge:
        raise OSError(f"not all of {region.size} bytes could be written")
    with memoryview(mapped) as content:
        return content_digest(content[part])


def _use_huge_pages(region: Region, mapped: mmap.mmap, part: slice) -> int:
    """Let a part of `region` lie in huge pages, as arrays do; for how many bytes from its beginning on.

    Each page costs time of its own. The system makes huge ones where a byte is there already, also of memory
    that has none by itself. Python's own `madvise` would keep the interpreter's lock.
    """
    whole = (part.stop - part.start) // _HUGE * _HUGE
    if region.size < _WORTH or not whole:
        return 0
    for begin in range(part.start, part.start + whole, _HUGE):
        os.pwrite(region.descriptor, b"\0", begin)
    # It fails where the system cannot do it, or has no memory in such pieces.
    return 0 if _libc().madvise(address_of(mapped) + part.start, whole, _COLLAPSE) else whole


def received(descriptor: int, size: int, digest: bytes, changes: Changes) -> Region:
    """What another process has filled. Raises `ValueError` if it is not what it should be."""
    import fcntl

    region = Region(descriptor, size, digest, changes)
    try:
        sealed = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _seals() == _seals()
    except OSError:
        sealed = False
    if not sealed or os.fstat(descriptor).st_size != size:
        raise ValueError("something else than memory has come with a message")
    return region


def _seals() -> int:
    import fcntl

    return fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def address_of(raw: memoryview | mmap.mmap) -> int:
    """Where the bytes of `raw` stand, also if they may not be written."""
    import ctypes

    view = _py_buffer()()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(raw), view, 0)
    ctypes.pythonapi.PyBuffer_Release(view)
    address: int = view[0] or 0
    return address


@functools.cache
def _py_buffer() -> Any:
    """Room for a `Py_buffer`, which begins with the address."""
    import ctypes

    return ctypes.c_void_p * 32


def _map(descriptor: int, size: int, flag: int = mmap.MAP_PRIVATE) -> mmap.mmap:
    """Map a file. Raises `OSError`.

    Python's object would keep a descriptor open, and stand where no huge page fits. So it gets memory without
    a file, as long as whole huge pages, which the system puts where they fit; and the file takes its place.
    """
    import ctypes

    mapped = OwnMap(-1, -(-size // _HUGE) * _HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    mapped.resize(size)
    where, protection = address_of(mapped), mmap.PROT_READ | mmap.PROT_WRITE
    fixed = 0x10  # MAP_FIXED
    if _libc().mmap(where, size, protection, flag | fixed, descriptor, 0) != where:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return mapped


@functools.cache
def _libc() -> Any:
    """What of the system's library is called, without the interpreter's lock."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_longlong)
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return libc
