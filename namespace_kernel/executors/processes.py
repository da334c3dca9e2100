"""Processes of this machine that run cells, one at a time each, and are used again.

A process is started as `python -m namespace_kernel.remote` and spoken to over its standard input and output.
Nothing of a pool of futures is used: a cell's output must arrive while it runs, and to stop one cell its
process, and no other, must be ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context as ContextVars
from io import FileIO
from queue import Empty, SimpleQueue
from typing import Any

from ..errors import WorkerLostError
from ..transport import (
    HELLO,
    CellRequest,
    Event,
    Interrupt,
    Ledger,
    Lost,
    Piece,
    Report,
    Run,
    read_message,
    write_message,
)

#: Seconds between two looks whether the process is still there.
_LOOK = 1.0
#: How much of what a process that did not start has written is told.
_TOLD = 2000


class WorkerProcess:
    """One process that runs cells, and what it has to say.

    Guarantees: the process and the children in its group end with `kill`, and with the process that started
    it.

    Thread: `run` and `next_message` that of the cell; `interrupt`, `wake` and `kill` any, also a signal
    handler.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._messages: deque[Any] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - until the process has ended
        # A group of its own: neither Ctrl-C in a terminal nor Stop for another cell reaches it.
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__.partition('.')[0]}.remote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            start_new_session=True,
        )
        assert isinstance(self.process.stdin, FileIO) and isinstance(self.process.stdout, FileIO)
        self._commands: FileIO = self.process.stdin
        self._reports: FileIO = self.process.stdout
        self._writing = threading.Lock()
        self._outgoing: SimpleQueue[Any] = SimpleQueue()
        for serve in (self._read, self._write):
            name = f"{serve.__name__[1:]}-{self.process.pid}"
            threading.Thread(target=serve, name=name, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can run cells."""
        return self.process.poll() is None and not any(isinstance(one, Lost) for one in self._messages)

    def run(self, request: CellRequest, pieces: Iterable[Piece]) -> None:
        """Send a cell; then `next_message` until there is a report."""
        pieces = tuple(pieces)
        missing, _, dropped = self.ledger.divide(pieces)
        self._outgoing.put(Run(request, tuple(piece.digest for piece in pieces), missing, dropped))

    def next_message(self, timeout: float | None = None) -> Event | Report | Lost | None:
        """The next thing that it says; `None` after `timeout` seconds, or if `wake` was called.

        It stays the next one until `done_with_message`.
        """
        if not self._messages:
            with contextlib.suppress(Empty):
                self._wake.get(timeout=timeout)
        return self._messages[0] if self._messages else None

    def done_with_message(self) -> None:
        """Go on to the next message."""
        message = self._messages[0]
        if isinstance(message, Report):
            self.ledger.forget(message.spoilt)
        if not isinstance(message, Lost):
            self._messages.popleft()

    def wake(self) -> None:
        """Let `next_message` return."""
        self._wake.put(None)

    def interrupt(self) -> None:
        """Raise `KeyboardInterrupt` in its cell, if one runs."""
        self._outgoing.put(Interrupt())

    def kill(self) -> None:
        """End it and its children at once."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if hasattr(os, "killpg"):
                    os.killpg(self.process.pid, signal.SIGKILL)
                else:
                    self.process.kill()
        self._outgoing.put(None)

    def close(self) -> None:
        """Let it end by itself, soon; `kill` if it does not. An idle one only."""
        self._outgoing.put(None)

    # Threads

    def _read(self) -> None:
        try:
            self._await_hello()
            while True:
                self._await_data()
                self._messages.append(read_message(self._reports))
                self._wake.put(None)
        except Exception as error:
            self._messages.append(Lost(self._fate(error)))
            self._wake.put(None)
        finally:
            self._outgoing.put(None)
            self._reports.close()
            self._errors.close()

    def _await_hello(self) -> None:
        heard = b""
        while not heard.endswith(HELLO):
            self._await_data()
            byte = self._reports.read(1)
            if not byte:
                raise EOFError("it has not started")
            heard += byte

    def _await_data(self) -> None:
        """Wait for data, or for the end of the process, though children of it may hold the pipe open."""
        if sys.platform == "win32":
            return
        while not select.select([self._reports], [], [], _LOOK)[0]:
            if self.process.poll() is not None and not select.select([self._reports], [], [], 0)[0]:
                raise EOFError("it has ended")

    def _fate(self, error: Exception) -> str:
        """What became of the process, in words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_LOOK)
        code = self.process.returncode
        if code is None:
            self.kill()
            fate = f"cannot be understood any more ({type(error).__name__}: {error})"
        elif code < 0:
            fate = f"was killed by {_signal_name(-code)}"
            if -code == signal.SIGKILL:
                fate += " (by somebody, or by the system because memory ran out)"
        else:
            fate = f"ended with exit status {code}"
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()[-_TOLD:]
        return f"{fate}; it said:\n{said}" if said else fate

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            while (message := self._outgoing.get()) is not None:
                write_message(self._commands, message)
                message = None
        with contextlib.suppress(OSError):
            self._commands.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class ProcessPool:
    """The processes: as many as cells run at a time. `keep()` says how many may wait for further ones.

    Thread: any.
    """

    def __init__(self, keep: Callable[[], int]) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._all: set[WorkerProcess] = set()
        self._closed = False

    def take(self, pieces: Iterable[Piece]) -> WorkerProcess:
        """A process for one cell: the idle one that has most of `pieces`, or a new one."""
        digests = {piece.digest: piece.size for piece in pieces}
        with self._lock:
            if self._closed:
                raise WorkerLostError("the kernel is ending; no cell can begin in another process")
            self._idle = [one for one in self._idle if one.alive]
            self._all = {one for one in self._all if one.alive}
            if self._idle:
                best = max(self._idle, key=lambda one: one.ledger.bytes_of(digests))
                self._idle.remove(best)
                return best
            # In no cell's context: it outlives the cell.
            worker: WorkerProcess = ContextVars().run(WorkerProcess)
            self._all.add(worker)
            return worker

    def give_back(self, worker: WorkerProcess) -> None:
        """Keep a process whose cell has ended for the next one, or end it."""
        with self._lock:
            if worker.alive and not self._closed and len(self._idle) < self._keep():
                self._idle.append(worker)
                return
            self._all.discard(worker)
        worker.close()

    def drop(self, worker: WorkerProcess) -> None:
        """End a process whose cell has not ended."""
        with self._lock:
            self._all.discard(worker)
        worker.kill()

    def close(self, timeout: float) -> None:
        """End all: at once where a cell runs, within `timeout` seconds where none does."""
        with self._lock:
            self._closed = True
            idle, all_of_them = self._idle, self._all
            self._idle, self._all = [], set()
        for worker in idle:
            worker.close()
        for worker in all_of_them - set(idle):
            worker.kill()
        for worker in idle:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(timeout)
            worker.kill()
        for worker in all_of_them:
            worker.process.wait()
