"""The kernel's streams: a Stop in the midst of a flush or a print loses no text and stops no later flush."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from namespace_kernel.kernel.wire import written
from namespace_kernel.kernel.wire.publishing import PublishingThread
from namespace_kernel.kernel.wire.stdout import CellStream
from namespace_kernel.kernel.wire.written import Written


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
        self.socket = None
        self._master_pid = os.getpid()
        self.io_loop: Any = Loop()
        self.thread = threading.current_thread()
        self._setup_xpub_listener()
        self.written = Written(self)
        self.stops_before = self.stops_after = 0

    def schedule(self, f: Callable[[], Any]) -> None:
        if self.stops_before:
            self.stops_before -= 1
            raise KeyboardInterrupt
        self._events.append(f)
        if self.stops_after:
            self.stops_after -= 1
            raise KeyboardInterrupt

    def put(self, f: Callable[[], Any]) -> None:
        self.schedule(f)

    def wait_until_left(self) -> None:
        """Nothing leaves this process."""


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
    time = [100.0]
    monkeypatch.setattr(written, "monotonic", lambda: time[0])
    setattr(stream.pub_thread, when, 1)
    with pytest.raises(KeyboardInterrupt):
        stream.write("one")
    time[0] += Written.interval
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


class Parents(Session):
    """Writes down whose each text is, too."""

    def msg(self, kind: str, content: dict[str, str], parent: object) -> dict[str, str]:
        return {**super().msg(kind, content, parent), "text": f"{parent['msg_id']}: {content['text']}"}  # type: ignore[index]


def test_what_two_cells_write_in_turns_goes_to_each_in_its_order(stream: CellStream) -> None:
    stream.session = Parents()
    for number in range(3):
        for cell in ("one", "two"):
            # A header of its own each time, as threads have that say whose they are.
            token = stream.set_thread_parent({"header": {"msg_id": cell}})
            stream.write(f"{number}")
            stream.reset_thread_parent(token)
    stream.flush()
    assert sent(stream) == ["one: 012", "two: 012"]


def test_equal_headers_are_one_cell(stream: CellStream) -> None:
    stream.session = Parents()
    for text in "abc":
        stream.set_thread_parent({"header": {"msg_id": "one"}})
        stream.write(text)
    stream.flush()
    assert sent(stream) == ["one: abc"]


@pytest.mark.parametrize("is_free_threaded", [False, True])
def test_threads_that_write_and_flush_at_once_lose_nothing_and_keep_their_order(
    is_free_threaded: bool, stream: CellStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "FREE_THREADED", is_free_threaded)
    monkeypatch.setattr(stream.pub_thread, "_wake", lambda *what: None)  # the test looks all the time
    count = 20_000

    def write(name: str) -> None:
        for number in range(count):
            stream.write(f"{name}{number}\n")
            if not number % 100:
                stream.flush()

    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in writers:
        thread.start()
    while any(thread.is_alive() for thread in writers):
        stream.pub_thread.send_now()
    stream.flush()
    lines = "".join(sent(stream)).splitlines()
    for name in "ab":
        assert [line for line in lines if line[0] == name] == [f"{name}{n}" for n in range(count)]
    assert len(lines) == 2 * count


@pytest.mark.parametrize("texts", [(2, "a:1"), (":",), ("", "a:1", ":", "")])
def test_lines_that_print_writes_in_several_pieces_stay_whole(
    texts: tuple[object, ...], stream: CellStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream.pub_thread, "_wake", lambda *what: None)
    monkeypatch.setattr(stream.pub_thread, "call_later", lambda *what: None)
    stream._written.timer_runs = True
    count = 10_000

    def write(name: str) -> None:
        for number in range(count):
            print(name, number, *texts, "#", sep=":", file=stream)

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in writers:
            thread.start()
        while any(thread.is_alive() for thread in writers):
            stream.hand_over()
            stream.pub_thread.send_now()
    finally:
        sys.setswitchinterval(interval)
    stream.flush()
    lines = "".join(sent(stream)).splitlines()
    rest = ":".join(map(str, (*texts, "#")))
    for name in "abcd":
        wanted = [f"{name}:{number}:{rest}" for number in range(count)]
        assert [line for line in lines if line[0] == name] == wanted
    assert len(lines) == 4 * count


@pytest.mark.parametrize("begun", [("1",), ("1", ":"), ("1", ":", "2", ":")])
def test_the_beginning_of_a_line_waits_whole_for_its_end(
    begun: tuple[str, ...], stream: CellStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = stream._written
    monkeypatch.setattr(written, "_prints", lambda ident: ident == 1)
    parent: dict[str, str] = {}
    for text in ("0\n", *begun):
        written.add(parent, stream, text, ident=1)
    written.add(parent, stream, "mine\n", ident=2)
    written.flush()
    written.add(parent, stream, "0\n", ident=1)
    written.flush()
    assert "".join(stream.session.sent) == "".join(("0\nmine\n", *begun, "0\n"))


def test_an_open_line_of_one_who_prints_no_more_stays_where_it_is(stream: CellStream) -> None:
    written, parent = stream._written, {}  # type: ignore[var-annotated]
    for ident, text in ((1, "one"), (1, " two"), (2, " three\n"), (1, "four\n")):
        written.add(parent, stream, text, ident)
    written.flush()
    assert "".join(stream.session.sent) == "one two three\nfour\n"


@pytest.mark.parametrize("separator", [":", " ", "", "--"])
def test_a_print_is_noticed_that_has_come_as_far_as_the_last_one(
    separator: str, stream: CellStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other thread ends its line and begins the next, while it is asked whether it prints."""
    written, parent = stream._written, {}  # type: ignore[var-annotated]
    rest = ["1", "\n", "2", separator]

    def prints(ident: int) -> bool:
        between = ident == 1 and bool(rest)
        written.pieces += rest
        rest.clear()
        return ident == 1 and not between

    monkeypatch.setattr(written, "_prints", prints)
    for text in ("1", separator):
        written.add(parent, stream, text, ident=1)
    written.add(parent, stream, "mine\n", ident=2)
    written.add(parent, stream, "2\n", ident=1)
    written.flush()
    assert "".join(stream.session.sent) == f"1{separator}1\n2{separator}2\nmine\n"


def test_a_write_asks_for_no_timer_while_one_runs_and_for_one_afterwards(stream: CellStream) -> None:
    timers = stream.pub_thread.io_loop.timers
    stream.write("one")
    sent(stream)
    for _ in range(3):
        stream._written.flush_due = 0.0
        stream.write(" two")
    assert (len(timers), len(stream.pub_thread._events)) == (1, 0)
    timers.pop()()
    stream.write("three")
    assert sent(stream) == ["one two two two"]
    assert len(timers) == 1


def test_what_is_no_text_is_refused_and_a_subclass_of_str_is_text(stream: CellStream) -> None:
    with pytest.raises(TypeError, match="must be str, not <class 'int'>"):
        stream.write(1)  # type: ignore[arg-type]
    assert stream.write(type("Text", (str,), {})("one")) == 3
    stream.flush()
    assert sent(stream) == ["one"]
    assert type(sent(stream)[0]) is str


def test_an_echo_gets_what_is_written(stream: CellStream) -> None:
    stream.echo = io.StringIO()
    stream.write("one")
    stream.flush()
    assert (stream.echo.getvalue(), sent(stream)) == ("one", ["one"])


def test_whoever_closes_a_stream_flushes_it(stream: CellStream) -> None:
    stream.write("one")
    with stream:
        pass
    stream.close()
    stream.write("two")
    stream.flush()
    assert (sent(stream), stream.closed) == (["one", "two"], False)
