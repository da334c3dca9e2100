"""Messages over a pair of pipes: a pickle, and its large buffers beside it, uncopied.

A cell's code has the descriptors, too, and may write anything to them. So what says how long a message is
carries a check: garbage is known at once, and nobody waits for eight gigabytes that it seems to announce.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import zlib
from collections.abc import Iterable
from io import FileIO
from typing import TYPE_CHECKING, Any, Protocol

from namespace_kernel.remote.memory.own_memory import OwnBytes

if TYPE_CHECKING:
    from namespace_kernel.remote.memory.handover import Handover
    from namespace_kernel.remote.memory.regions import Region

#: How many parts there are, how long they are together, and the check of the two.
_HEAD = struct.Struct("<QQI")
_LENGTH = struct.Struct("<Q")
_NUMBERS = struct.Struct("<QQ")

#: What the check begins with, so that zeros are no head.
_MARK = zlib.crc32(b"namespace_kernel")

#: So many bytes are written or read by one call.
_PART = 1 << 20


class Source(Protocol):
    """What a message is read from: an unbuffered file."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read some bytes; 0 at the end."""


def write_message(pipe: FileIO, message: object, handover: Handover | None = None) -> None:
    """Write one message to an unbuffered `pipe`. Raises `OSError` if nobody reads it.

    Regions go by `handover`; without it, what they hold is written.
    """
    buffers: list[pickle.PickleBuffer] = []
    regions: list[Region] = []
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol=5, buffer_callback=buffers.append)
    if handover is not None:
        pickler.dispatch_table = handover.reducers(regions)
    pickler.dump(message)
    if handover is not None:
        handover.send(regions)
    parts = [memoryview(file.getvalue()), *(buffer.raw() for buffer in buffers)]
    numbers = len(parts), sum(map(len, parts))
    lengths = b"".join(map(_LENGTH.pack, map(len, parts)))
    _write(pipe, [memoryview(_HEAD.pack(*numbers, _check(*numbers)) + lengths), *parts])


def read_message(pipe: Source, handover: Handover | None = None) -> Any:
    """Read one message from an unbuffered `pipe`. Raises `EOFError` at its end, `ValueError` for garbage."""
    count, total, check = _HEAD.unpack(_read(pipe, _HEAD.size))
    if check != _check(count, total):
        raise ValueError("something else has written to the pipe of its messages")
    lengths = [length for (length,) in _LENGTH.iter_unpack(_read(pipe, _LENGTH.size * count))]
    if not lengths or sum(lengths) != total:
        raise ValueError("something else has written to the pipe between its messages' parts")
    head, *buffers = [_read(pipe, length) for length in lengths]
    with contextlib.nullcontext() if handover is None else handover.receiving():
        return pickle.loads(head, buffers=buffers)


def _check(count: int, total: int) -> int:
    return zlib.crc32(_NUMBERS.pack(count, total), _MARK)


def _write(pipe: FileIO, parts: Iterable[memoryview]) -> None:
    for part in parts:
        while part:
            written = pipe.write(part[:_PART])
            part = part[written or 0 :]


def _read(pipe: Source, length: int) -> bytearray:
    data = OwnBytes(length)
    rest = memoryview(data)
    while rest:
        count = pipe.readinto(rest)
        if not count:
            raise EOFError("the other process has closed the pipe")
        rest = rest[count:]
    return data
