"""Whoever waits until a message has left is stopped, whatever else interrupts the wait."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
import zmq

from namespace_kernel.kernel.wire.departures import Departures

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGURG"), reason="no other signal interrupts there")

STOPS = 200


@pytest.fixture
def departures() -> Iterator[Departures]:
    with zmq.Context() as context:
        made = Departures(context)
        yield made
        made.close()


@pytest.fixture
def storm() -> Iterator[None]:
    """Harmless signals for the main thread, as many as there can be."""
    before = signal.signal(signal.SIGURG, lambda *_: None)
    other = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests of Stop may have left theirs
    over, main = threading.Event(), threading.main_thread().ident or 0

    def send() -> None:
        while not over.is_set():
            signal.pthread_kill(main, signal.SIGURG)
            time.sleep(0)

    sender = threading.Thread(target=send)
    sender.start()
    yield
    over.set()
    sender.join()
    signal.signal(signal.SIGURG, before)
    signal.signal(signal.SIGINT, other)


def test_a_mark_that_is_back_ends_the_wait(departures: Departures, storm: None) -> None:
    for _ in range(STOPS):
        number = departures.announce()
        departures.note(None)
        departures.mark(number)
        departures.wait(number)
        assert departures.all_left


def test_a_stop_among_other_signals_ends_the_wait(departures: Departures, storm: None) -> None:
    sent = stopped = 0
    waits = True

    def stop() -> None:
        nonlocal sent
        while waits and not departures._waiting.locked():
            time.sleep(0)
        if waits:
            sent += 1
            os.kill(os.getpid(), signal.SIGINT)

    for _ in range(STOPS):
        number, waits = departures.announce(), True
        stopper = threading.Thread(target=stop)
        stopper.start()
        with contextlib.suppress(KeyboardInterrupt):
            departures.wait(number)
            waits = False  # its patience was over: a starved machine
            stopped -= 1
        stopped += 1
        stopper.join()
    assert stopped == sent > 0


def test_pyzmq_is_asked_for_a_mark_only_when_it_has_one(departures: Departures) -> None:
    number = departures.announce()
    receiver = departures._receiver
    assert receiver is not None

    class Receiver:
        getsockopt = receiver.getsockopt

        def recv(self) -> bytes:
            assert receiver.poll(0), "pyzmq would wait, and may lose a Stop"
            return receiver.recv()

    departures._receiver = Receiver()  # type: ignore[assignment]
    threading.Timer(0.05, departures.mark, (number,)).start()
    departures.wait(number)
    assert departures._arrived == number
    departures._receiver = receiver
