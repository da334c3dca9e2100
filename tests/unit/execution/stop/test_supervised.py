"""A supervised child ends when the code that wants it is interrupted, at whatever instant."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

import psutil
import pytest

from namespace_kernel.execution.stop.supervised import Supervised, in_terminal

STARTS = {
    "in a terminal": partial(in_terminal, "/bin/sh", "sleep 30"),
    "with pipes": partial(
        subprocess.Popen, ["sleep", "30"], stdin=-1, stdout=-1, stderr=-1, bufsize=0, process_group=0
    ),
    "without": partial(subprocess.Popen, ["sleep", "30"], process_group=0),
}


def interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def alarm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # An alarm that an object's end swallows is told there; pytest's own hook may not be interrupted.
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """Of what the test has started; other tests' processes may live in the same run."""
    process = psutil.Process()
    descriptors, others = process.num_fds(), set(process.children())
    yield
    until = time.monotonic() + 10
    while set(process.children()) - others or process.num_fds() > descriptors:
        assert time.monotonic() < until, (process.children(), process.num_fds() - descriptors)
        time.sleep(0.001)


@pytest.mark.usefixtures("nothing_is_left")
@pytest.mark.parametrize("again", [0, 0.0003], ids=["once", "twice"])
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_an_interrupt_at_any_instant_leaves_nothing(
    start: partial[subprocess.Popen[bytes]], again: float
) -> None:
    chance = random.Random(1)
    for _ in range(150):
        supervised = Supervised(start)
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-5 + chance.random() * 0.006, again)
                supervised.run(b"", lambda chunk: None, lambda chunk: None)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            pytest.fail("it went on")
        except KeyboardInterrupt:
            pass


def test_what_cannot_be_started_raises() -> None:
    with pytest.raises(FileNotFoundError):
        Supervised(partial(subprocess.Popen, ["no-such-program-x"])).run()


@pytest.mark.usefixtures("nothing_is_left")
def test_a_sink_that_fails_ends_the_child() -> None:
    def fail(chunk: bytes) -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        Supervised(partial(in_terminal, "/bin/sh", "echo; sleep 30")).run(out=fail)
