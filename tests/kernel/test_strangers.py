"""What somebody without the key sends to a port of the kernel harms nothing."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator

import psutil
import pytest
import zmq

from tests.kernel.cells import PATIENCE
from tests.kernel.client import Notebook

#: The kernel's ports, and a socket that may send anything there.
PORTS = {
    "shell": zmq.DEALER,
    "control": zmq.DEALER,
    "stdin": zmq.DEALER,
    "hb": zmq.DEALER,
    "iopub": zmq.XSUB,
}

ODD = {
    "empty": [b""],
    "empties": [b"", b"", b""],
    "subscription and empty": [b"\x01", b""],
    "unknown bytes": [b"\x07\xff\x00", b"\xff" * 2000],
    "no UTF-8": [b"\x01\xff\xfe\xfd"],
    "only the delimiter": [b"<IDS|MSG>"],
    "delimiter and empties": [b"<IDS|MSG>", b"", b"", b"", b"", b""],
    "delimiter and junk": [b"<IDS|MSG>", b"x" * 64, b"\x80\x05K\x01.", b"[", b"NaN", b"{" * 9000],
    "long": [b"\x07" + b"x" * 2_000_000],
}


@contextlib.contextmanager
def happens(socket: zmq.Socket[bytes], event: zmq.Event) -> Iterator[None]:
    """Does what is to make `event` happen, and waits for it."""
    with socket.get_monitor_socket(event, addr=f"inproc://{uuid.uuid4()}") as monitor:
        yield
        assert monitor.poll(10_000), f"{event!r} did not happen"
        socket.disable_monitor()


Connect = Callable[[str], zmq.Socket[bytes]]


@pytest.fixture
def connect(notebook: Notebook) -> Iterator[Connect]:
    """Connects a socket to one of the kernel's ports, which has noticed it then."""
    with zmq.Context() as context, contextlib.ExitStack() as sockets:
        info = notebook.client.get_connection_info()

        def to(port: str) -> zmq.Socket[bytes]:
            socket = sockets.enter_context(context.socket(PORTS[port]))
            socket.linger = 0
            if port == "iopub":
                socket.sndhwm = 0  # ZeroMQ drops subscriptions where it has no room for them
            with happens(socket, zmq.Event.HANDSHAKE_SUCCEEDED):
                socket.connect(f"tcp://{info['ip']}:{info[port + '_port']}")
            return socket

        yield to


def welcomed(socket: zmq.Socket[bytes], topic: bytes) -> bool:
    """Whether a subscription is still answered."""
    socket.send(b"\x01" + topic)
    while socket.poll(10_000):
        if socket.recv_multipart()[0] == topic:
            return True
    return False


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("port", PORTS)
def test_odd_frames_from_a_stranger_harm_nothing(
    port: str, odd: list[bytes], notebook: Notebook, connect: Connect
) -> None:
    pid = notebook.pid
    socket = connect(port)
    for _ in range(3):
        socket.send_multipart(odd)
    if port == "iopub":
        topic = uuid.uuid4().bytes.hex().encode()
        assert welcomed(connect(port), topic)
    for _ in range(2):
        assert notebook.run("1 + 1").result == "2"
    assert notebook.ask("kernel_info_request", channel="control")["status"] == "ok"
    assert notebook.alive and notebook.pid == pid


def test_a_flood_of_subscriptions_keeps_no_cell(notebook: Notebook, connect: Connect) -> None:
    socket = connect("iopub")
    for number in range(20_000):
        socket.send(b"\x01%d" % number)
    assert notebook.run("1 + 1").result == "2"
    assert welcomed(socket, b"the last")


@pytest.mark.parametrize("size", [10_000, 50_000_000])
def test_who_sends_what_is_no_subscription_by_its_size_is_disconnected(
    size: int, notebook: Notebook, connect: Connect
) -> None:
    socket = connect("iopub")
    with happens(socket, zmq.Event.DISCONNECTED):
        socket.send(b"\x07" + b"x" * size)
    assert notebook.run("1 + 1").result == "2"


@pytest.mark.parametrize("frames", [1, 20], ids=["long", "of many parts"])
def test_what_nobody_reads_is_not_kept(frames: int, notebook: Notebook, connect: Connect) -> None:
    process = psutil.Process(notebook.pid)
    notebook.run("1")
    before = process.memory_info().rss, process.num_fds()
    part = b"x" * (2_000_000 // frames)
    for _ in range(10):
        socket = connect("stdin")
        for _ in range(25):
            socket.send_multipart([part] * frames)
        socket.close(linger=10_000)
    deadline = time.monotonic() + PATIENCE
    most = before[1] + 5  # half of the connections
    while process.num_fds() > most and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.num_fds() <= most and process.memory_info().rss - before[0] < 200_000_000
    cell = notebook.submit("input('name? ')", allow_stdin=True)
    notebook.pump(lambda: bool(cell.input_requests), "the question")
    notebook.answer("the answer")
    assert cell.wait().result == "'the answer'"


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_frames_do_not_answer_a_question(odd: list[bytes], notebook: Notebook, connect: Connect) -> None:
    cell = notebook.submit("input('name? ')", allow_stdin=True)
    notebook.pump(lambda: bool(cell.input_requests), "the question")
    connect("stdin").send_multipart(odd)
    notebook.answer("the answer")
    assert cell.wait().result == "'the answer'"


def test_the_heart_beats_after_odd_frames(notebook: Notebook, connect: Connect) -> None:
    socket = connect("hb")
    for odd in ODD.values():
        socket.send_multipart(odd)
        assert socket.poll(10_000)
        assert socket.recv_multipart() == odd
