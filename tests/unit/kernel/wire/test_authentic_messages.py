"""Nothing that arrives is looked into before its signature has been checked."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
from jupyter_client.session import Session

from namespace_kernel.base.errors import RequestError
from namespace_kernel.kernel.wire.session import KernelSession

KEY = b"a key"
PACKERS = ("json", "orjson", "pickle", "msgpack")
each_packer = pytest.mark.parametrize("packer", PACKERS)


class Recorder:
    """Notes what is unpacked."""

    def __init__(self, session: Session) -> None:
        self.seen: list[bytes] = []
        self._unpack: Callable[[bytes], Any] = session.unpack
        session.unpack = self.unpack

    def unpack(self, part: bytes) -> Any:
        self.seen.append(part)
        return self._unpack(part)


def receiver(packer: str, **options: Any) -> tuple[KernelSession, Recorder]:
    session = KernelSession(key=KEY, packer=packer, unpacker=packer, **options)
    return session, Recorder(session)


def sent(packer: str, key: bytes = KEY, **content: Any) -> list[bytes]:
    sender = Session(key=key, packer=packer, unpacker=packer)
    return list(sender.serialize(sender.msg("execute_request", content))[1:])


FORGED: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "unsigned": lambda frames: [b"", *frames[1:]],
    "another key's": lambda frames: [b"0" * 64, *frames[1:]],
    "another content": lambda frames: [*frames[:4], frames[4] + b" "],
    "parts exchanged": lambda frames: [frames[0], frames[2], frames[1], *frames[3:]],
    "a part missing": lambda frames: frames[:4],
    "nothing": lambda frames: [],
    "no text as signature": lambda frames: [b"\xff\x00", *frames[1:]],
}


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
@each_packer
def test_what_is_not_authentic_is_not_unpacked(
    packer: str, forge: Callable[[list[bytes]], list[bytes]], copy: bool
) -> None:
    session, recorder = receiver(packer)
    frames: list[Any] = forge(sent(packer, code="1"))
    with pytest.raises(ValueError):
        session.deserialize(frames if copy else [zmq.Frame(frame) for frame in frames], copy=copy)
    assert recorder.seen == []


@each_packer
def test_what_is_authentic_is_unpacked_once(packer: str) -> None:
    session, recorder = receiver(packer)
    message = session.deserialize(sent(packer, code="1"))
    assert message["content"] == {"code": "1"}
    assert len(recorder.seen) == 4


def test_unsigned_code_does_not_run(tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "it ran"),)

    session, _ = receiver("pickle")
    with pytest.raises(ValueError, match="Invalid Signature"):
        session.deserialize([b"0" * 64, *[pickle.dumps(Code())] * 4])
    assert list(tmp_path.iterdir()) == []


@each_packer
def test_replayed_messages_are_refused_on_whatever_way_they_come(packer: str) -> None:
    session, recorder = receiver(packer)
    frames = sent(packer, code="1")
    session.deserialize(frames, content=False)  # a look is no use of it
    session.deserialize(frames)
    for copy in (True, False):
        again: list[Any] = frames if copy else [zmq.Frame(frame) for frame in frames]
        with pytest.raises(ValueError, match="Duplicate Signature"):
            session.deserialize(again, copy=copy)
    assert len(recorder.seen) == 4 + 3


def test_forged_signatures_do_not_make_it_forget_the_others() -> None:
    session, _ = receiver("json", digest_history_size=50)
    frames = sent("json", code="1")
    session.deserialize(frames)
    for number in range(500):
        with pytest.raises(ValueError, match="Invalid Signature"):
            session.deserialize([b"%064x" % number, *frames[1:]])
    with pytest.raises(ValueError, match="Duplicate Signature"):
        session.deserialize(frames)


def test_without_a_key_every_message_is_taken() -> None:
    session = KernelSession(key=b"")
    frames = sent("json", b"", code="1")
    for _ in range(2):
        assert session.deserialize(frames)["content"] == {"code": "1"}


DEEP = b"[" * 100_000 + b"]" * 100_000
NOT_PROPER: dict[str, tuple[int, bytes, str]] = {
    "no JSON": (0, b"{", "header"),
    "a nested header": (0, DEEP, "header"),
    "a header that is a list": (0, b"[]", "header"),
    "a header that is null": (0, b"null", "header"),
    "NaN in the header": (0, b'{"msg_id": "a", "msg_type": "b", "date": NaN}', "header"),
    "infinity in the header": (0, b'{"msg_id": "a", "msg_type": "b", "x": [1e999]}', "header"),
    "a version that is a number": (0, b'{"msg_id": "a", "msg_type": "b", "version": 5}', "version"),
    "a version that is no version": (0, b'{"msg_id": "a", "msg_type": "b", "version": "?"}', "version"),
    "a date that is no date": (
        0,
        b'{"msg_id": "a", "msg_type": "b", "date": "2020-99-99T99:99:99"}',
        "header",
    ),
    "bytes": (1, b"\xff\xfe\xfd", "parent_header"),
    "nested metadata": (2, DEEP, "metadata"),
    "nested content": (3, DEEP, "content"),
    "a number of 10,000 digits": (3, b'{"code": %s}' % (b"1" * 10_000), "content"),
}


@pytest.mark.parametrize(("number", "part", "name"), NOT_PROPER.values(), ids=NOT_PROPER)
def test_what_is_authentic_and_no_message_is_told_of_by_its_part(number: int, part: bytes, name: str) -> None:
    session, _ = receiver("json")
    parts = [b'{"msg_id": "1", "msg_type": "kernel_info_request"}', b"{}", b"{}", b"{}"]
    parts[number] = part
    with pytest.raises(RequestError, match=name) as caught:
        session.deserialize([session.sign(parts), *parts])
    message = caught.value.message
    assert isinstance(message["header"], dict)
    session.pack(message["header"])  # so that an answer can refer to it
