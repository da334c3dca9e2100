"""A SIGINT that does not reach the main thread's blocking call: the call ends all the same."""

from __future__ import annotations

import select
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from namespace_kernel.execution.stop.wakeup import SignalWakeup
from tests.unit.fakes import PATIENCE, SomeTimers

SIGINT = bytes([signal.SIGINT])


class Breakpoint:
    """A debugger that holds all threads, and who has dealt with signals meanwhile."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.handled: int | None = 0

    def resume_main(self) -> None:
        self.said.append("main")

    def resume(self) -> None:
        self.said.append("all")


class Bell:
    """A wake-up on the main thread, with timers that the test lets run."""

    def __init__(self, debugger: bool = False) -> None:
        self.later = SomeTimers()
        self.woken: list[bool] = []
        self.breakpoint = Breakpoint()
        self.wakeup = SignalWakeup(
            self.later, self.breakpoint, self._wake, self.breakpoint if debugger else None
        )
        self.wakeup.install()

    def _wake(self) -> None:
        self.woken.append(threading.current_thread() is threading.main_thread())

    def signalled(self, numbers: bytes) -> None:
        """As Python's C handler: it writes the signals' numbers."""
        self.wakeup._writer.send(numbers)
        self.wakeup.signalled()

    def run_timers(self) -> None:
        """Those that are due, once each."""
        due, self.later[:] = list(self.later), []
        for function in due:
            function()

    def close(self) -> None:
        for end in (self.wakeup._reader, self.wakeup._writer):
            end.close()


@pytest.fixture
def bell(request: pytest.FixtureRequest) -> Iterator[Bell]:
    before = signal.getsignal(signal.SIGURG)
    one = Bell(debugger=bool(getattr(request, "param", False)))
    yield one
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGURG, before)
    one.close()


at_a_breakpoint = pytest.mark.parametrize("bell", [True], indirect=True, ids=["at a breakpoint"])


def test_a_sigint_wakes_the_main_thread_more_than_once_and_another_signal_does_not(bell: Bell) -> None:
    bell.signalled(bytes([signal.SIGUSR1, signal.SIGCHLD]))
    assert bell.later == []
    bell.signalled(bytes([signal.SIGUSR1]) + SIGINT)
    bell.run_timers()
    assert len(bell.woken) > 1 and all(bell.woken)


def test_nothing_to_read_wakes_nobody(bell: Bell) -> None:
    bell.wakeup.signalled()
    assert bell.later == []


def test_a_call_that_blocks_ends_though_the_signal_went_to_another_thread(bell: Bell) -> None:
    """The system may deliver it to any; then the main thread's call sleeps on."""
    silent, other_end = socket.socketpair()
    over = threading.Event()
    stranger = threading.Thread(target=over.wait, args=(PATIENCE,))
    stranger.start()

    def send_and_watch() -> None:
        signal.pthread_kill(stranger.ident or 0, signal.SIGINT)
        select.select([bell.wakeup], [], [], PATIENCE)
        bell.wakeup.signalled()
        while not over.is_set():  # a wake-up that comes before the call blocks wakes nothing
            for wake in bell.later:
                wake()
            over.wait(0.01)

    helper = threading.Thread(target=send_and_watch)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            helper.start()
            select.select([silent], [], [], PATIENCE)
    finally:
        over.set()
        helper.join()
        stranger.join()
        signal.signal(signal.SIGINT, before)
        silent.close()
        other_end.close()


def test_a_descriptor_that_a_cell_took_is_taken_back(bell: Bell) -> None:
    signal.set_wakeup_fd(-1)
    bell.wakeup.take_descriptor()
    assert signal.set_wakeup_fd(-1) == bell.wakeup._writer.fileno()


@at_a_breakpoint
def test_at_a_breakpoint_main_goes_on_first_and_the_others_when_it_was_stopped(
    bell: Bell,
) -> None:
    bell.signalled(SIGINT)
    bell.run_timers()
    assert bell.breakpoint.said == ["main"]
    bell.run_timers()
    assert bell.breakpoint.said == ["main", "main"], "it has not come to the handler yet"
    bell.breakpoint.handled = 1
    bell.run_timers()
    assert bell.breakpoint.said == ["main", "main", "all"]
    bell.run_timers()
    assert bell.breakpoint.said == ["main", "main", "all"] and bell.later == []


@at_a_breakpoint
def test_the_others_go_on_though_nobody_says_that_the_main_thread_was_stopped(bell: Bell) -> None:
    bell.signalled(SIGINT)
    for _ in range(20):
        bell.run_timers()
    assert bell.breakpoint.said[-1] == "all" and bell.breakpoint.said.count("main") > 2
    assert bell.later == []


@at_a_breakpoint
def test_where_another_handler_stands_nobody_waits_for_ours(bell: Bell) -> None:
    bell.breakpoint.handled = None
    bell.signalled(SIGINT)
    bell.run_timers()
    bell.run_timers()
    assert bell.breakpoint.said == ["main", "all"]


@at_a_breakpoint
@pytest.mark.parametrize("looks", range(4))
def test_a_stop_lets_nothing_go_on_any_more_once_the_next_cell_begins(bell: Bell, looks: int) -> None:
    bell.signalled(SIGINT)
    for _ in range(looks):
        bell.run_timers()
    bell.wakeup.before_cell()
    assert bell.breakpoint.said == ["main"] * looks + ["all"]
    while bell.later:
        bell.run_timers()
    assert bell.breakpoint.said == ["main"] * looks + ["all"]


@at_a_breakpoint
def test_so_does_one_that_nobody_has_looked_at(bell: Bell) -> None:
    bell.wakeup._writer.send(SIGINT)
    bell.wakeup.before_cell()
    while bell.later:
        bell.run_timers()
    assert bell.breakpoint.said == ["all"]
    assert bell.woken, "and the main thread is woken all the same"


@at_a_breakpoint
def test_a_cell_without_a_stop_before_lets_nothing_go_on(bell: Bell) -> None:
    bell.wakeup.before_cell()
    assert bell.breakpoint.said == [] and bell.later == []


@at_a_breakpoint
def test_a_stop_that_the_next_cell_has_settled_is_no_later_ones(bell: Bell) -> None:
    bell.signalled(SIGINT)
    bell.breakpoint.handled = 1
    bell.wakeup.before_cell()
    bell.later.clear()
    bell.signalled(SIGINT)
    bell.run_timers()
    bell.run_timers()
    assert bell.breakpoint.said == ["all", "main", "main"]


def test_a_stop_is_known_of_at_once_though_another_thread_is_just_reading_it(bell: Bell) -> None:
    assert not bell.wakeup.stopped_lately()
    has_read, answers = threading.Event(), []
    reader = bell.wakeup._reader

    class Slow:
        """Reads, and is interrupted before anybody can note it."""

        def recv(self, size: int) -> bytes:
            numbers = reader.recv(size)
            if numbers and not has_read.is_set():
                has_read.set()
                asks.join(0.05)  # it waits for us, or has its answer
            return numbers

    asks = threading.Thread(
        target=lambda: has_read.wait() and answers.append(bell.wakeup.stopped_lately()), daemon=True
    )
    asks.start()
    bell.wakeup._reader = Slow()  # type: ignore[assignment]
    bell.signalled(SIGINT)
    asks.join(PATIENCE)
    bell.wakeup._reader = reader
    assert answers == [True]
