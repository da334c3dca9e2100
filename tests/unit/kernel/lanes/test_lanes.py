"""The queue of a lane, and what becomes of the cells in it when one fails."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

import pytest
import zmq

from namespace_kernel.kernel.lanes import lanes
from namespace_kernel.kernel.lanes.aborts import Aborts
from namespace_kernel.kernel.lanes.lanes import Lane
from namespace_kernel.kernel.wire.request import Request


def request(name: str) -> Request:
    message = {"header": {"msg_id": name}, "msg_type": "execute_request", "content": {"code": name}}
    replies: Any = None
    return Request([], message, replies)


@pytest.fixture
def lane() -> Lane:
    bridge: Any = None
    return Lane(None, contextvars.copy_context(), bridge)


def test_an_end_that_waits_behind_cells_is_not_taken_with_them(lane: Lane) -> None:
    cells = [request("one"), request("two")]
    for cell in (cells[0], None, cells[1]):
        lane.put(cell)
    assert lane.take_waiting() == cells
    assert lane.cells.get_nowait() is None
    assert lane.take_waiting() == [] and lane.cells.empty()


def test_cells_are_aborted_for_a_while_or_not_at_all(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "monotonic", lambda: 100.0)
    lane.abort_for(0.0)
    assert lane.abort_until == 0.0
    lane.abort_for(5.0)
    assert lane.abort_until == 105.0


class Kernel:
    """All around the aborts: the kernel, the stream, the protocol thread and IOPub, in the test's thread."""

    stop_on_error_timeout = 5.0

    def __init__(self, lane: Lane, in_the_socket: list[Request]) -> None:
        self._lane, self._in_the_socket = lane, in_the_socket
        self.io_loop = self
        self.done: list[str] = []
        parts: Any = self
        self.aborts = Aborts(parts, parts, parts, parts)

    def add_callback(self, function: Callable[[], object]) -> None:
        function()

    def flush(self, flag: int) -> None:
        assert flag == zmq.POLLIN
        while self._in_the_socket:
            self._lane.put(self._in_the_socket.pop(0))

    def _send_abort_reply(self, replies: object, message: dict[str, Any], idents: object) -> None:
        self.done.append(f"{message['header']['msg_id']} is aborted")

    def busy(self, message: dict[str, Any]) -> None:
        self.done.append("busy")

    def idle(self, message: dict[str, Any], *, of_cell: bool) -> None:
        assert of_cell
        self.done.append("idle")


def test_a_failed_cell_aborts_those_in_the_queue_and_in_the_socket(lane: Lane) -> None:
    lane.put(request("queued"))
    kernel = Kernel(lane, [request("in the socket")])
    kernel.aborts.finish_failed(lane, lambda: kernel.done.append("the reply"))
    assert kernel.done == [
        "the reply",
        *("busy", "queued is aborted", "idle"),
        *("busy", "in the socket is aborted", "idle"),
    ]
    assert lane.abort_until > 0.0


def test_one_that_is_sent_after_the_reply_was_seen_is_not_aborted(lane: Lane) -> None:
    kernel = Kernel(lane, [])
    sent_later = request("later")
    kernel.aborts.finish_failed(lane, lambda: lane.put(sent_later))
    assert kernel.done == []
    assert lane.take_waiting() == [sent_later]
