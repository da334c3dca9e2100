"""The kernel's streams: a Stop in the midst of a flush or a print loses no text and stops no later flush."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from namespace_kernel.iopub import PublishingThread
from namespace_kernel.streams import CellStream


class Loop:
    """Stands for the publishing thread's loop: timers go off when the test says so."""

    def __init__(self) -> None:
        self.timers: list[Callable[[], None]] = []

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        self.timers.append(function)


class Publisher(PublishingThread):
    """Takes what is scheduled; the test is its thread. `stops` is how many times a Stop comes in between."""

    def __init__(self) -> None:
        self._events = deque()
        self._serves = True
        self._sending = threading.Lock()
        self._master_pid = os.getpid()
        self.io_loop: Any = Loop()
        self.thread = threading.current_thread()
        self.stops_before = self.stops_after = 0

    def schedule(self, f: Callable[[], Any]) -> None:
        if self.stops_before:
            self.stops_before -= 1
            raise KeyboardInterrupt
        self._events.append(f)
        if self.stops_after:
            self.stops_after -= 1
            raise KeyboardInterrupt


class Session:
    """Writes down what is sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def msg(self, kind: str, content: dict[str, str], parent: object) -> dict[str, str]:
        return {"header": {}, **content}  # type: ignore[dict-item]

    def send(self, stream: object, message: dict[str, str], ident: object) -> None:
        self.sent.append(message["text"])


@pytest.fixture
def stream() -> CellStream:
    return CellStream(Session(), Publisher(), "stdout")


def sent(stream: CellStream) -> list[str]:
    stream.pub_thread.send_now()
    texts: list[str] = stream.session.sent
    return texts


@pytest.mark.parametrize("when", ["stops_before", "stops_after"])
def test_a_flush_that_is_stopped_loses_nothing_and_repeats_nothing(when: str, stream: CellStream) -> None:
    stream.write("one")
    setattr(stream.pub_thread, when, 1)
    with pytest.raises(KeyboardInterrupt):
        stream.flush()
    stream.write(" two")
    stream.flush()
    stream.flush()
    assert "".join(sent(stream)) == "one two"


@pytest.mark.parametrize("when", ["stops_before", "stops_after"])
def test_a_print_that_is_stopped_does_not_stop_later_flushes(
    when: str, stream: CellStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    setattr(stream.pub_thread, when, 1)
    with pytest.raises(KeyboardInterrupt):
        stream.write("one")
    stream._flush_due = 0.0  # the time has passed
    stream.write(" two")
    sent(stream)
    timers = stream.pub_thread.io_loop.timers
    assert timers
    for timer in timers:
        timer()
    assert "".join(sent(stream)) == "one two"


def test_what_a_timer_flushes_comes_behind_what_was_scheduled_before(stream: CellStream) -> None:
    order: list[str] = stream.session.sent
    stream.write("one")
    stream.flush()
    stream.pub_thread.schedule(lambda: order.append("a display"))
    stream.write("two")
    stream._flush()
    assert order == ["one", "a display", "two"]


def test_another_thread_s_flush_takes_all_text_and_keeps_the_order(stream: CellStream) -> None:
    order: list[str] = stream.session.sent
    stream.write("text of this thread")
    other = threading.Thread(target=stream.flush)
    other.start()
    other.join()
    stream.pub_thread.schedule(lambda: order.append("its display"))
    assert sent(stream) == ["text of this thread", "its display"]


def test_a_message_is_published_by_the_publishing_thread_whatever_its_state_seems_to_be() -> None:
    """A Stop within `Thread.is_alive` makes Python take a running thread for ended."""
    publisher = Publisher()
    publisher._serves = True
    woken: list[object] = []

    def wake(function: object, *args: object, context: object) -> None:
        woken.append(function)

    loop = type("AsyncioLoop", (), {"call_soon_threadsafe": staticmethod(wake)})
    publisher.io_loop = type("Loop", (), {"asyncio_loop": loop})()
    publisher.thread = threading.Thread()  # ended, as it seems
    called: list[bool] = []
    PublishingThread.schedule(publisher, lambda: called.append(True))
    assert (called, len(publisher._events), woken) == ([], 1, [publisher._handle_event])
