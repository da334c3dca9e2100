"""The process that serves a kernel: requests come in, events and reports go out.

Guarantees:
- A cell runs on the main thread. Stop raises `KeyboardInterrupt` there, and never after the cell's end.
- What C code and children write to the file descriptors 1 and 2 the kernel reads by itself.
- When the kernel goes away, this process and its children end.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import gc
import io
import os
import queue
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from typing import Any

from namespace_kernel.base.patching import Patches
from namespace_kernel.base.threads import Lock
from namespace_kernel.execution.stop.system_patch import SystemFront
from namespace_kernel.ipython.tracebacks.class_sources import ClassSources
from namespace_kernel.remote.memory.handover import Handover
from namespace_kernel.remote.memory.shelf import Maps
from namespace_kernel.remote.transfer.frames import read_message
from namespace_kernel.remote.transfer.messages import Failure, Interrupt, Report, Run
from namespace_kernel.remote.transfer.packing import Piece, digest_of

from .outgoing import EventStream, Outgoing

#: Seconds between two looks whether the kernel is still there.
_LOOK = 2.0
#: Seconds without a cell after which there is time to tidy up.
_REST = 0.2
#: Seconds that `atexit` callbacks get.
_LAST = 1.0


def main() -> None:
    """Serve until the kernel closes the pipe.

    The arguments are the descriptors to read from and write to, and that of the socket for regions.
    """
    commands, reports, *sockets = given = list(map(int, sys.argv[1:]))
    for descriptor in given:
        os.set_inheritable(descriptor, False)
        if hasattr(os, "register_at_fork"):  # or the kernel would not see the end of this process
            os.register_at_fork(after_in_child=partial(os.close, descriptor))
    sys.argv[:] = [""]
    handover = Handover(socket.socket(fileno=sockets[0])) if sockets else None
    Worker(io.FileIO(commands, "rb"), io.FileIO(reports, "wb"), handover).serve()
    atexit._run_exitfuncs()
    end_group()  # with what cells have left behind


class Worker:
    """Reads requests from `commands`, writes what comes of them to `reports`; regions go by `handover`."""

    def __init__(self, commands: io.FileIO, reports: io.FileIO, handover: Handover | None = None) -> None:
        self._commands = commands
        self._handover = handover
        self._outgoing = Outgoing(reports, handover)
        self._maps = Maps()
        self._requests: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._lock = Lock()
        self._running = False
        self._pieces: dict[str, Piece] = {}
        self._ident = threading.get_ident()
        self._parent = os.getppid()
        self._shell: Any = None
        self._streams = [
            EventStream(name, fd, self._outgoing.send) for fd, name in ((1, "stdout"), (2, "stderr"))
        ]

    def serve(self) -> None:
        """Run cells until the end. Thread: main."""
        signal.signal(signal.SIGINT, _ignore)
        Patches(*SystemFront().patches).install()
        for serve in (self._read, self._watch):
            threading.Thread(target=serve, name=serve.__name__, daemon=True).start()
        self._warm_up()
        while (run := self._next()) is not None:
            self._outgoing.send(self._report_on(run))
            del run

    def _next(self) -> Run | None:
        with contextlib.suppress(queue.Empty):
            return self._requests.get(timeout=_REST)
        gc.collect()  # the last cell's namespace
        self._maps.tidy()
        return self._requests.get()

    def _warm_up(self) -> None:
        """Import what every cell needs, while no cell waits."""
        from .shell import RemoteShell

        sys.stdout, sys.stderr = self._streams
        self._shell = RemoteShell.start()
        Patches(*ClassSources(lambda: self._shell.compile._filename_map).patches).install()

    def _report_on(self, run: Run) -> Report:
        from .run import run_cell

        sys.stdout, sys.stderr = self._streams
        for digest in run.dropped:
            self._pieces.pop(digest, None)
        self._pieces |= {piece.digest: piece for piece in run.pieces}
        # Other threads of the kernel may have changed an array while it was sent.
        torn = tuple(piece.digest for piece in run.pieces if digest_of(piece) != piece.digest)
        try:
            pieces = [self._pieces[digest] for digest in run.digests]
            with self._lock:
                self._running = True
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._maps.room = run.room if self._handover is not None else 0
            report = run_cell(run.request, pieces, self._outgoing.send, self._maps)
        except KeyboardInterrupt:
            # Between the lines of the cell: what it may have changed in place is not known.
            failure = Failure("KeyboardInterrupt", "", ("KeyboardInterrupt",))
            report = Report(failure=failure, spoilt=run.digests)
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
            report = Report(failure=Failure(type(error).__name__, str(error), (text,)), spoilt=run.digests)
        while True:
            try:
                with self._lock:
                    self._running = False
                signal.signal(signal.SIGINT, _ignore)
                break
            except KeyboardInterrupt:
                continue  # it came while the cell was ending
        if torn:
            report = replace(report, spoilt=report.spoilt + torn)
        for digest in report.spoilt:
            self._pieces.pop(digest, None)
        _forget_classes()
        return report

    # Threads

    def _read(self) -> None:
        try:
            while True:
                message = read_message(self._commands, self._handover)
                if isinstance(message, Interrupt):
                    self._interrupt()
                else:
                    self._requests.put(message)
                del message
        except (EOFError, OSError):
            pass
        finally:
            self._end()

    def _interrupt(self) -> None:
        with self._lock:
            if self._running:
                self._shell.stopping = True
                if hasattr(signal, "pthread_kill"):
                    signal.pthread_kill(self._ident, signal.SIGINT)
                else:
                    _thread.interrupt_main()

    def _end(self) -> None:
        """The kernel has gone or wants no more of this process."""
        self._requests.put(None)
        if not self._running:
            time.sleep(_LAST)
        end_group()

    def _watch(self) -> None:
        """The pipe stays open as long as a process has it that the kernel has forked."""
        while os.getppid() == self._parent:
            time.sleep(_LOOK)
        end_group()


def _forget_classes() -> None:
    """Let classes be new ones when they come again: the cell may have changed them."""
    from namespace_kernel.remote.transfer.pickler import forget_classes

    forget_classes()


def _ignore(signum: int, frame: object) -> None:
    """SIGINT while no cell runs."""


def end_group() -> None:
    """End this process and the children that it left in its group."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
