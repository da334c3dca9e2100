"""The connection to debugpy, which begins anew with each session of the debugger."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import zmq

pytest.importorskip("debugpy")

from namespace_kernel.kernel.debugging.connection import NamespaceDebugpyClient

#: Seconds. ZeroMQ would connect again after a tenth of one.
A_WHILE = 0.5


class Stream:
    """As much of a `ZMQStream` as the client uses."""

    def __init__(self, context: zmq.Context[Any]) -> None:
        self.socket = context.socket(zmq.STREAM)
        self.socket.linger = 0

    def send_multipart(self, frames: list[bytes]) -> None:
        self.socket.send_multipart(frames)


@pytest.fixture
def adapter() -> Iterator[socket.socket]:
    """Listens as debugpy does."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(10)
        yield server


@pytest.fixture
def client(adapter: socket.socket) -> Iterator[NamespaceDebugpyClient]:
    with zmq.Context() as context:
        stream: Any = Stream(context)
        client = NamespaceDebugpyClient(logging.getLogger("test"), stream, lambda event: None)
        client.debugpy_port = adapter.getsockname()[1]
        client.endpoint = f"tcp://127.0.0.1:{client.debugpy_port}"
        yield client
        stream.socket.close()


def frame(**message: Any) -> str:
    text = json.dumps(message)
    return f"Content-Length: {len(text)}\r\n\r\n{text}"


def answer(number: int) -> str:
    return frame(type="response", request_seq=number, success=True)


async def ask(client: NamespaceDebugpyClient, debugpy: socket.socket) -> dict[str, Any]:
    """Send a request over the connection that debugpy has accepted, and give the client its answer."""
    waiting = asyncio.ensure_future(client.send_dap_request({"type": "request", "command": "threads"}))
    await asyncio.sleep(0)
    asked = json.loads(debugpy.recv(10_000).partition(b"\r\n\r\n")[2])
    client.receive_dap_frame(answer(asked["seq"]))
    return await waiting


def test_where_debugpy_closes_nobody_connects_by_himself(
    client: NamespaceDebugpyClient, adapter: socket.socket
) -> None:
    client.connect_tcp_socket()
    adapter.accept()[0].close()
    adapter.settimeout(A_WHILE)
    with pytest.raises(TimeoutError):
        adapter.accept()


@pytest.mark.parametrize("first", ["debugpy", "the client"])
def test_a_session_follows_one_that_has_ended(
    first: str, client: NamespaceDebugpyClient, adapter: socket.socket
) -> None:
    for _ in range(3):
        client.connect_tcp_socket()
        debugpy = adapter.accept()[0]
        assert asyncio.run(ask(client, debugpy))["success"]
        if first == "debugpy":
            debugpy.close()
            told = [client.debugpy_stream.socket.recv_multipart()[1] for _ in range(2)]
            assert told == [b"", b""]  # the begin and the end of a connection
        client.disconnect_tcp_socket()
        debugpy.close()


def test_what_debugpy_says_before_it_closes_arrives_though_it_is_read_late(
    client: NamespaceDebugpyClient, adapter: socket.socket
) -> None:
    """On a busy machine the answer to `disconnect` waits until debugpy is gone."""
    reader = client.debugpy_stream.socket
    monitor = reader.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    client.connect_tcp_socket()
    with closing(adapter.accept()[0]) as debugpy:
        debugpy.sendall(answer(1).encode())
    monitor.recv_multipart()
    assert [reader.recv_multipart()[1] for _ in range(3)] == [b"", answer(1).encode(), b""]
    reader.disable_monitor()
    monitor.close()


def test_what_the_last_session_cut_off_does_not_spoil_the_next(
    client: NamespaceDebugpyClient, adapter: socket.socket
) -> None:
    client.connect_tcp_socket()
    adapter.accept()[0].close()
    client.receive_dap_frame("Content-Length: 1000\r\n\r\n{")
    client.disconnect_tcp_socket()
    client.connect_tcp_socket()
    with closing(adapter.accept()[0]) as debugpy:
        assert asyncio.run(ask(client, debugpy))["success"]


def test_nobody_leaves_before_debugpy_has_greeted_him(
    client: NamespaceDebugpyClient, adapter: socket.socket
) -> None:
    async def leave(debugpy: socket.socket) -> dict[str, Any]:
        leaving = asyncio.ensure_future(client.send_dap_request({"type": "request", "command": "disconnect"}))
        await asyncio.sleep(0)
        debugpy.settimeout(A_WHILE)
        with pytest.raises(TimeoutError):
            debugpy.recv(10_000)
        debugpy.settimeout(10)
        for name in ("ptvsd", "debugpy"):
            client.receive_dap_frame(frame(type="event", event="output", body={"output": name}))
        asked = json.loads((await asyncio.to_thread(debugpy.recv, 10_000)).partition(b"\r\n\r\n")[2])
        client.receive_dap_frame(answer(asked["seq"]))
        return await leaving

    for _ in range(2):  # each session has a greeting of its own
        client.connect_tcp_socket()
        with closing(adapter.accept()[0]) as debugpy:
            assert asyncio.run(leave(debugpy))["success"]
        client.disconnect_tcp_socket()
