"""Messages between the kernel and its workers' processes: whole, or an error at once."""

from __future__ import annotations

import io
import os
import pickle
import struct
from collections.abc import Iterator

import pytest

from namespace_kernel.remote.transfer.frames import read_message, write_message

Pipe = tuple[io.FileIO, io.FileIO]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Open at both ends, so that whoever waits for more waits for ever."""
    reader, writer = os.pipe()
    with io.FileIO(reader, "rb") as source, io.FileIO(writer, "wb") as sink:
        yield source, sink


@pytest.mark.parametrize("message", [None, "text", {"a": [1, b"x" * 1000]}, pickle.PickleBuffer(b"y" * 3000)])
def test_messages_arrive_in_order(message: object, pipe: Pipe) -> None:
    source, sink = pipe
    for one in (message, "next"):
        write_message(sink, one)
    first = read_message(source)
    assert bytes(first) == b"y" * 3000 if isinstance(message, pickle.PickleBuffer) else first == message
    assert read_message(source) == "next"


GARBAGE = {
    "eight gigabytes": struct.pack("<QQ", 1, 8 << 30) + b"x" * 40,
    "zeros": bytes(64),
    "ones": b"\xff" * 64,
    "text": b"a line that somebody has written to the wrong descriptor\n",
    "a negative length": struct.pack("<qq", 1, -5) + bytes(40),
    "very many parts": struct.pack("<QQQ", 2**60, 1, 1) + bytes(40),
    "a pickle": pickle.dumps(["x" * 100]),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_an_error_at_once(garbage: bytes, pipe: Pipe) -> None:
    source, sink = pipe
    sink.write(garbage)
    with pytest.raises(ValueError, match="something else"):
        read_message(source)


@pytest.mark.parametrize("count", [1, 5, 19])
def test_what_is_written_before_a_message_spoils_it(count: int, pipe: Pipe) -> None:
    source, sink = pipe
    sink.write(b"?" * count)
    write_message(sink, "message")
    with pytest.raises(ValueError, match="something else"):
        read_message(source)


def test_lengths_that_do_not_add_up_are_an_error(pipe: Pipe) -> None:
    source, sink = pipe
    with io.FileIO(os.memfd_create("message"), "w+b") as whole:
        write_message(whole, "message")
        whole.seek(0)
        data = bytearray(whole.readall())
    data[20:28] = struct.pack("<Q", 8 << 30)
    sink.write(data)
    with pytest.raises(ValueError, match="something else"):
        read_message(source)


def test_the_end_in_the_midst_of_a_message_is_told(pipe: Pipe) -> None:
    source, sink = pipe
    sink.write(b"?")
    sink.close()
    with pytest.raises(EOFError):
        read_message(source)
