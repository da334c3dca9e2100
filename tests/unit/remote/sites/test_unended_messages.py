"""A worker's message that begins and does not end: its cell does not wait for it for ever."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from namespace_kernel.remote.sites import worker_process
from namespace_kernel.remote.sites.worker_process import WorkerProcess
from namespace_kernel.remote.transfer.frames import write_message
from namespace_kernel.remote.transfer.messages import Lost, Printed
from tests.kernel.cells import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no cells in other processes")

#: A worker that reports what stands in a file, as far as it is told, then the rest if it is told so.
WORKER = """\
import os, sys
message = open({message!r}, "rb").read()
reports, parts = int(sys.argv[2]), {parts}
for begin, end in zip([0, *parts], parts):
    os.write(reports, message[begin:end])
    os.read(int(sys.argv[1]), 1)
"""


class Starts(Protocol):
    """Starts a worker that reports the message up to each of `parts`."""

    def __call__(self, *parts: int, patience: float) -> WorkerProcess: ...


@pytest.fixture
def message() -> bytes:
    pipe = io.BytesIO()
    write_message(pipe, Printed("stdout", "said " * 1000))  # type: ignore[arg-type]
    return pipe.getvalue()


@pytest.fixture
def worker_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: bytes) -> Iterator[Starts]:
    started: list[WorkerProcess] = []

    def start(*parts: int, patience: float) -> WorkerProcess:
        (tmp_path / "message").write_bytes(message)
        program = tmp_path / "worker.py"
        program.write_text(WORKER.format(message=str(tmp_path / "message"), parts=list(parts)))
        monkeypatch.setattr(worker_process, "_PROGRAM", program)
        started.append(WorkerProcess(patience))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.process.wait(PATIENCE)


#: How much of the message comes: of its head, of its parts' lengths, of the parts themselves.
BEGINNINGS = {
    "one byte": 1,
    "half a head": 10,
    "a head": 20,
    "half a length": 24,
    "half a pickle": 60,
    "all but one byte": -1,
}


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
def test_it_is_given_up(beginning: int, worker_that: Starts, message: bytes) -> None:
    worker = worker_that(len(message) - 1 if beginning < 0 else beginning, patience=0.0)
    said = worker.next_message(PATIENCE)
    assert isinstance(said, Lost)
    assert "a message began, and nothing more came for 0 seconds" in said.why
    assert worker.process.wait(PATIENCE) < 0 and not worker.alive


def test_one_that_goes_on_is_waited_for(worker_that: Starts, message: bytes) -> None:
    worker = worker_that(1, 30, 100, len(message), patience=PATIENCE)
    for _ in range(3):
        assert worker.next_message(0.1) is None
        worker._commands.write(b"x")
    assert worker.next_message(PATIENCE) == Printed("stdout", "said " * 1000)
    assert worker.alive


def test_one_that_has_not_begun_is_waited_for(worker_that: Starts, message: bytes) -> None:
    worker = worker_that(0, len(message), patience=0.0)
    assert worker.next_message(3 * worker_process._LOOK) is None
    assert worker.alive
    worker._commands.write(b"x")
    assert worker.next_message(PATIENCE) == Printed("stdout", "said " * 1000)
