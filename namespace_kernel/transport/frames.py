"""Messages over a pair of pipes: a pickle, and its large buffers beside it, uncopied."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterable
from io import FileIO
from typing import Any

_NUMBER = struct.Struct("<Q")

#: So many bytes are written or read by one call.
_PART = 1 << 20


def write_message(pipe: FileIO, message: Any) -> None:
    """Write one message to an unbuffered `pipe`. Raises `OSError` if nobody reads it."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    parts = [memoryview(head), *(buffer.raw() for buffer in buffers)]
    lengths = b"".join(_NUMBER.pack(number) for number in (len(parts), *map(len, parts)))
    _write(pipe, [memoryview(lengths), *parts])


def read_message(pipe: FileIO) -> Any:
    """Read one message from an unbuffered `pipe`. Raises `EOFError` at its end."""
    (count,) = _NUMBER.unpack(_read(pipe, _NUMBER.size))
    lengths = _read(pipe, _NUMBER.size * count)
    head, *buffers = [_read(pipe, length) for (length,) in _NUMBER.iter_unpack(lengths)]
    return pickle.loads(head, buffers=buffers)


def _write(pipe: FileIO, parts: Iterable[memoryview]) -> None:
    for part in parts:
        while part:
            written = pipe.write(part[:_PART])
            part = part[written or 0 :]


def _read(pipe: FileIO, length: int) -> bytearray:
    data = bytearray(length)
    rest = memoryview(data)
    while rest:
        count = pipe.readinto(rest)
        if not count:
            raise EOFError("the other process has closed the pipe")
        rest = rest[count:]
    return data
