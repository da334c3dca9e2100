"""A process of this machine that runs cells, one at a time, spoken to over two pipes of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable
from io import FileIO
from queue import Empty
from typing import Any

from namespace_kernel.base.frames import OWN_FOLDER
from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.threads import HiddenThread, Lock, Popen, SimpleQueue, readable
from namespace_kernel.remote.memory.handover import handover_pair
from namespace_kernel.remote.memory.regions import room
from namespace_kernel.remote.transfer.frames import read_message, write_message
from namespace_kernel.remote.transfer.ledger import Ledger
from namespace_kernel.remote.transfer.messages import (
    CellRequest,
    Event,
    Interrupt,
    Lost,
    Printed,
    Report,
    Run,
)
from namespace_kernel.remote.transfer.packing import Piece

#: What the processes run.
_PROGRAM = OWN_FOLDER / "worker" / "__main__.py"
#: Seconds for which a message that has begun may not go on: the process is stopped, or it is no message.
_PATIENCE = 20.0
#: Seconds between two looks whether the process is still there.
_LOOK = 1.0


class WorkerProcess:
    """One process that runs cells, and what it has to say.

    A message that has begun, and does not go on for `patience` seconds, is not waited for any more.

    Guarantees: the process and the children in its group end with `kill`, and with the process that started
    it.

    Thread: `run` and `next_message` that of the cell; `interrupt`, `wake` and `kill` any, also a signal
    handler.
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self.ledger = Ledger()
        self._messages: deque[Event | Report | Lost] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._asking = Lock()
        #: Whether nothing can come from it any more.
        self._is_lost = False
        with contextlib.ExitStack() as opened:  # closed again if there is no process, as without descriptors
            reader, self._commands = map(opened.enter_context, _open_pipe())
            self._reports, said = map(opened.enter_context, _open_pipe())
            self._handover, ends = handover_pair()
            given = [reader.fileno(), said.fileno(), *(end.fileno() for end in ends)]
            if self._handover is not None:
                opened.callback(self._handover.close)
            for socket in ends:
                opened.enter_context(socket)
            # A group of its own: neither Ctrl-C in a terminal nor Stop for another cell reaches it.
            self.process = Popen(
                [sys.executable, *_flags(), str(_PROGRAM), *map(str, given)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=given,
                start_new_session=True,
            )
            opened.pop_all()
        for pipe in (reader, said):
            pipe.close()
        for socket in ends:
            socket.close()
        #: What C code, children, and Python where it does not start write to file descriptors.
        self._descriptors: dict[Any, str] = {self.process.stdout: "stdout", self.process.stderr: "stderr"}
        self._outgoing: SimpleQueue[Run | Interrupt | None] = SimpleQueue()
        #: Whether a part of a message has come, and the rest has not.
        self._message_began = False
        for serve in (self._read, self._write):
            name = f"{serve.__name__[1:]}-{self.process.pid}"
            HiddenThread(target=serve, name=name, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can run cells."""
        return not self._is_lost and not self._has_ended()

    def _has_ended(self) -> bool:
        with self._asking:  # Popen would say that it goes on to who asks while another does
            return self.process.poll() is not None

    def run(self, request: CellRequest, pieces: Iterable[Piece]) -> None:
        """Send a cell; then `next_message` until there is a report."""
        for _ in range(len(self._messages)):  # what threads of an earlier cell have printed since
            if not isinstance(self._messages[0], Lost):
                self._messages.popleft()
        pieces = tuple(pieces)
        missing, _, dropped = self.ledger.divide(pieces)
        digests = tuple(piece.digest for piece in pieces)
        self._outgoing.put(Run(request, digests, missing, dropped, room()))

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
            while True:
                self._message_began = False
                message = read_message(self, self._handover)
                if isinstance(message, Report):
                    self._read_descriptors(0)
                elif not isinstance(message, Event):
                    raise ValueError("it has said something that is no message")
                self._say(message)
                del message
        except Exception as error:
            self._is_lost = True
            self._read_descriptors(0)
            self._say(Lost(self._fate(error)))
        finally:
            self.kill()  # what it has left behind
            for pipe in (self._reports, self.process.stdout, self.process.stderr):
                if pipe is not None:
                    pipe.close()
            if self._handover is not None:
                self._handover.close()

    def _say(self, message: Event | Report | Lost) -> None:
        self._messages.append(message)
        self._wake.put(None)

    def readinto(self, buffer: memoryview) -> int | None:
        """Read a part of a message. Raises `EOFError` if the process has ended."""
        self._await_message()
        self._message_began = True
        return self._reports.readinto(buffer)

    def _await_message(self) -> None:
        """Wait for one, or for the end of the process, though children of it may hold the pipe open."""
        until = monotonic() + self._patience
        while not self._read_descriptors(_LOOK):
            if self._has_ended() and not self._read_descriptors(0):
                raise EOFError("it has ended")
            if self._message_began and monotonic() > until:
                raise TimeoutError(f"a message began, and nothing more came for {self._patience:g} seconds")

    def _read_descriptors(self, timeout: float) -> bool:
        """Say what is written to descriptors within `timeout` seconds; whether a message has come."""
        while True:
            pipes = {pipe.fileno(): pipe for pipe in (self._reports, *self._descriptors)}
            ready = [pipes[descriptor] for descriptor in readable(pipes, timeout)]
            for pipe in ready:
                if pipe is self._reports:
                    continue
                data = pipe.read(1 << 16)
                if data:
                    self._say(Printed(self._descriptors[pipe], data.decode("utf-8", "backslashreplace")))
                else:
                    del self._descriptors[pipe]
            if self._reports in ready:
                return True
            if not ready:
                return False

    def _fate(self, error: Exception) -> str:
        """What became of the process, in words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_LOOK)
        code = self.process.returncode
        if code is None:
            self.kill()
            return f"cannot be understood any more ({type(error).__name__}: {error})"
        if code < 0:
            by_force = " (by somebody, or by the system because memory ran out)"
            return f"was killed by {_signal_name(-code)}{by_force if -code == signal.SIGKILL else ''}"
        return f"ended with exit status {code}"

    def _write(self) -> None:
        try:
            while (message := self._outgoing.get()) is not None:
                write_message(self._commands, message, self._handover)
                message = None
        except OSError:
            pass  # it has ended: whoever reads says so
        except Exception as error:  # or the cell would wait for ever
            self._is_lost = True
            self._say(Lost(f"could not be told what to do ({type(error).__name__}: {error})"))
            self.kill()
        with contextlib.suppress(OSError):
            self._commands.close()


def _open_pipe() -> tuple[FileIO, FileIO]:
    """The ends to read from and to write to."""
    reader, writer = os.pipe()
    return FileIO(reader, "rb"), FileIO(writer, "wb")


def _flags() -> list[str]:
    """Python's options: as this process has them; and modules in the working directory are not for itself."""
    return [*subprocess._args_from_interpreter_flags(), "-P"]  # type: ignore[attr-defined]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
