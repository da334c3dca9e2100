"""The kernel's session sends what jupyter_client's would."""

from __future__ import annotations

from typing import Any

import pytest
import zmq
from jupyter_client.session import Session

from namespace_kernel.kernel.wire.session import KernelSession, send_parts

KEY = b"a key"


class Socket:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.parts: list[Any] = []

    def send_multipart(self, parts: list[Any], **options: Any) -> None:
        self.parts = parts


def received(parts: list[bytes]) -> dict[str, Any]:
    reader = Session(key=KEY)
    message: dict[str, Any] = reader.deserialize(reader.feed_identities(parts)[1])
    return message


@pytest.fixture
def session() -> KernelSession:
    return KernelSession(key=KEY, username='ä "quoted" name', session="a session")


@pytest.mark.parametrize(
    "content",
    [{}, {"text": "ä\n\u2028 😀"}, {"n": 2**80, "f": 1.5, "none": None, "deep": [{"a": (1, 2)}, {3}]}],
)
def test_a_message_can_be_read_by_jupyter_client(session: KernelSession, content: dict[str, Any]) -> None:
    socket, parent = Socket(), session.msg("execute_request", {"code": "1"})
    sent = session.send(socket, "status", content, parent, ident=b"topic", metadata={"m": 1})
    plain = Session(key=KEY).msg("status", content, parent, metadata={"m": 1})
    message = received(socket.parts)
    assert socket.parts[0] == b"topic"
    assert sent is not None
    assert message["header"] == {**sent["header"], "username": 'ä "quoted" name', "session": "a session"}
    assert message["header"].keys() == plain["header"].keys()
    assert message["parent_header"] == parent["header"]
    assert message["metadata"] == {"m": 1}
    assert message["content"] == received(Session(key=KEY).serialize(plain))["content"]


def test_messages_have_different_ids(session: KernelSession) -> None:
    ids = {session.send(None, "status", {})["msg_id"] for _ in range(100)}  # type: ignore[index]
    assert len(ids) == 100


def test_a_parent_header_that_has_changed_is_packed_again(session: KernelSession) -> None:
    socket, parent = Socket(), session.msg("execute_request", {})
    session.send(socket, "status", {}, parent)
    parent["header"]["msg_id"] = "another"
    session.send(socket, "status", {}, parent)
    assert received(socket.parts)["parent_header"]["msg_id"] == "another"


def test_buffers_are_sent(session: KernelSession) -> None:
    socket = Socket()
    session.send(socket, "comm_msg", {"data": {}}, buffers=[b"one", memoryview(b"two")])
    assert [bytes(buffer) for buffer in received(socket.parts)["buffers"]] == [b"one", b"two"]


def test_a_large_message_is_not_copied_and_a_small_one_is(session: KernelSession) -> None:
    """Sending small ones without a copy costs more than the copy."""
    copies: list[bool] = []
    socket: Any = Socket()
    socket.send_multipart = lambda parts, copy: copies.append(copy)
    for size in (session.copy_threshold // 2, session.copy_threshold + 1):
        session.send(socket, "stream", {"text": "x" * size})
    assert copies == [True, False]


def test_a_lone_surrogate_is_sent_as_a_replacement_character(session: KernelSession) -> None:
    socket = Socket()
    session.send(socket, "stream", {"text": "a\ud800b"})
    assert received(socket.parts)["content"] == {"text": "a\ufffdb"}


def test_what_is_no_json_is_sent_with_a_warning(session: KernelSession) -> None:
    socket = Socket()
    with pytest.warns(UserWarning, match="Message serialization failed"):
        session.send(socket, "display_data", {"data": float("nan")})
    assert received(socket.parts)["content"] == {"data": "nan"}


def test_the_user_s_packer_is_used() -> None:
    session = KernelSession(key=KEY, packer="pickle", unpacker="pickle")
    socket = Socket()
    session.send(socket, "status", {"a": 1})
    reader = Session(key=KEY, packer="pickle", unpacker="pickle")
    assert reader.deserialize(reader.feed_identities(socket.parts)[1])["content"] == {"a": 1}


def test_a_forked_process_sends_nothing(session: KernelSession) -> None:
    socket = Socket()
    session.pid = -1
    assert session.send(socket, "status", {}) is None
    assert socket.parts == []


# --- messages that are sent twice


def signed(number: int) -> list[bytes]:
    sender = Session(key=KEY)
    return sender.serialize(sender.msg("comm_msg", {"number": number}))[1:]


@pytest.mark.parametrize("size", [2**16, 50])
def test_what_is_received_a_second_time_is_refused(size: int) -> None:
    session = KernelSession(key=KEY, digest_history_size=size)
    messages = [signed(number) for number in range(min(size, 1000))]
    for message in messages:
        session.deserialize(message)
    for one in (session, session.clone()):
        for message in (messages[0], messages[-1], messages[len(messages) // 2]):
            with pytest.raises(ValueError, match="Duplicate Signature"):
                one.deserialize(message)


def test_a_forged_message_is_refused_whatever_was_received(session: KernelSession) -> None:
    message = signed(1)
    session.deserialize(message)
    for wrong in (b"0" * 64, b"no number at all", message[0][:-1] + b"?"):
        with pytest.raises(ValueError, match="Invalid Signature"):
            session.deserialize([wrong, *message[1:]])


# --- large messages

LARGE = b"x" * 100_000


@pytest.mark.parametrize(
    "parts", [[LARGE], [b"a", LARGE], [LARGE, b"a"], [b"a", memoryview(LARGE), b"", LARGE]]
)
@pytest.mark.parametrize("ending", [False, True])
def test_a_large_message_arrives_whole_also_where_python_starts_no_thread(
    ending: bool, parts: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    if ending:
        monkeypatch.setattr(zmq, "Frame", refuse)
    with zmq.Context() as context, context.socket(zmq.PAIR) as sender, context.socket(zmq.PAIR) as receiver:
        receiver.rcvtimeo = 10_000
        sender.bind("inproc://large")
        receiver.connect("inproc://large")
        tracker = send_parts(sender, parts, copy=False, track=True)
        assert receiver.recv_multipart() == [bytes(part) for part in parts]
        if not ending:
            assert tracker is not None
            tracker.wait(10)
