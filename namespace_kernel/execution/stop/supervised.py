"""Child processes that a Stop always ends.

The problem. Python raises `KeyboardInterrupt` between any two steps: also when a process has been made and
nobody knows its id yet, or while its end is being prepared. Then the child goes on, descriptors leak, and
names are not bound. And the C library's `system` has the process ignore SIGINT while it waits.

The solution. A thread of its own owns the child, from its start to its end: no Stop is raised there. The code
that wants the child only reads what it prints. When that code leaves, for whatever reason, a lock is free
again, which is one step; the owner sees it and ends the child, with all that the child started.
"""

from __future__ import annotations

import _thread
import contextlib
import contextvars
import math
import os
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.threads import Lock, Popen

#: Seconds that a child gets to end by itself after a Stop. Whoever stops twice does not wait for it.
_GRACE = 1.0
#: One that has just begun gets little more than it has had: a shell loses a SIGINT while it starts a program.
_SHORT_GRACE = 0.05
#: How long to wait at a time, in seconds: other threads than main are stopped between two waits.
_TICK = 0.05
#: How often to look whether the child has ended, in seconds: at first, and at last.
_FIRST_LOOK, _LAST_LOOK = 0.0005, 0.01

Sink = Callable[[bytes], object]

# Python's own, whatever a notebook does to these modules: gevent's run in greenlets, and here threads wait.
_start_new_thread, _sleep = _thread.start_new_thread, time.sleep
_waitpid = os.waitpid


class _Selector(getattr(selectors, "PollSelector", selectors.SelectSelector)):  # type: ignore[misc]
    _selector_cls = getattr(select, "poll", None)


class _News:
    """What one thread waits for and another tells.

    No `Event`: a Stop in the midst of its Python code leaves its lock taken.
    """

    def __init__(self) -> None:
        self.came = False
        self._queue: SimpleQueue[None] = SimpleQueue()

    def come(self) -> None:
        """Tell it."""
        self.came = True
        self._queue.put(None)

    def wait(self) -> None:
        """Wait until it came."""
        while not self.came:
            with contextlib.suppress(Empty):
                self._queue.get(timeout=_TICK)


class Supervised:
    """One child process, which `start` makes: the leader of a process group of its own.

    Guarantees: when `run` returns or raises, the child has ended, and its pipes are closed; only a second
    exception in a row can leave earlier, and then the same is true a moment later.

    Thread: any.
    """

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self._data = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._error: BaseException | None = None
        #: What `os.waitpid` said of it.
        self.status = 0
        #: Whoever takes it first decides whether there will be a child.
        self._turn = Lock()
        #: Held while the child is wanted, and while its output is.
        self._wanted, self._reading = Lock(), Lock()
        self._all_read = False
        self._started, self._over, self._done = _News(), _News(), _News()

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; `None` if it has not ended or never began."""
        return None if self._process is None else self._process.returncode

    def run(self, data: bytes = b"", out: Sink | None = None, err: Sink | None = None) -> int:
        """Give the child `data`, hand on what it prints, and return its exit code once it has ended.

        Raises what `start` raises.
        """
        self._data = data
        context = contextvars.copy_context()
        try:
            with self._reading:
                try:
                    with self._wanted:
                        _start_new_thread(context.run, (self._own,))
                        self._exchange(out, err)
                        self._over.wait()
                        self._all_read = True
                except KeyboardInterrupt:
                    if self._turn.locked():  # there is a child, or will be
                        self._exchange(out, err, only_last_words=True)
                    raise KeyboardInterrupt from None  # where it waited is nobody's business
        finally:
            if not self._turn.acquire(blocking=False):
                self._done.wait()
        if self._error is not None:
            raise self._error
        assert self.code is not None
        return self.code

    # What the caller's thread does

    def _exchange(self, out: Sink | None, err: Sink | None, *, only_last_words: bool = False) -> None:
        self._started.wait()
        process = self._process
        if process is None:
            return
        with _Selector() as selector:
            if process.stdout is not None:
                selector.register(process.stdout, selectors.EVENT_READ, out)
            if process.stderr is not None:
                selector.register(process.stderr, selectors.EVENT_READ, err)
            if process.stdin is not None and not process.stdin.closed:
                selector.register(process.stdin, selectors.EVENT_WRITE)
            while selector.get_map():
                ready = selector.select(_TICK)
                if not ready and only_last_words and self._over.came:
                    return  # others hold the pipe
                for key, _ in ready:
                    goes_on = self._write(key.fd) if key.data is None else _read(key.fd, key.data)
                    if not goes_on:
                        selector.unregister(key.fileobj)
                        if key.fileobj is process.stdin:
                            process.stdin.close()

    def _write(self, fd: int) -> bool:
        try:
            written = os.write(fd, self._data[: select.PIPE_BUF])
        except OSError:  # the child does not want it
            return False
        self._data = self._data[written:]
        return bool(self._data)

    # What the owner does

    def _own(self) -> None:
        if not self._turn.acquire(blocking=False):
            return  # nobody waits any more
        try:
            self._process = process = self._start()
        except BaseException as error:
            self._error = error
        else:
            self._started.come()
            self._watch(process)
            with self._reading:  # what another thread reads from must stay open
                for file in (process.stdin, process.stdout, process.stderr):
                    if file is not None:
                        file.close()
        finally:
            for news in (self._started, self._over, self._done):
                news.come()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        began = monotonic()
        if self._ends(process, self._wanted):
            self._over.come()
            with self._wanted:
                pass  # until its output has been read, too: others may hold the pipe
        else:
            self._send(process, signal.SIGINT)
            age = monotonic() - began
            self._ends(process, self._reading, min(_GRACE, age + _SHORT_GRACE))
        if not self._all_read:
            self._send(process, signal.SIGKILL)
            self._ends(process, None, _GRACE)

    def _ends(self, process: subprocess.Popen[bytes], held: Lock | None, timeout: float = math.inf) -> bool:
        """Wait for the end of `process`, as long as `held` is; whether it has ended."""
        until, pause = monotonic() + timeout, _FIRST_LOOK
        while not self._has_ended(process) and monotonic() < until:
            if held is None:
                _sleep(pause)
            elif held.acquire(timeout=pause):
                held.release()
                break
            pause = min(2 * pause, _LAST_LOOK)
        return self._has_ended(process)

    def _has_ended(self, process: subprocess.Popen[bytes]) -> bool:
        if process.returncode is None:
            try:
                pid, self.status = _waitpid(process.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else took the status, as by `os.wait()`
                pid, self.status = process.pid, 0
            if pid:
                process.returncode = os.waitstatus_to_exitcode(self.status)
        return process.returncode is not None

    def _send(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:  # another user's, as with sudo: its terminal may
            with contextlib.suppress(OSError):
                if process.stdout is not None and process.stdout.isatty():
                    os.write(process.stdout.fileno(), b"\x03")


def encoded(command: str) -> bytes:
    """As the system encodes it; if that knows too few characters, as everybody else does. Thread: any."""
    try:
        return os.fsencode(command)
    except UnicodeEncodeError:
        return command.encode(errors="surrogateescape")


def in_terminal(shell: str, command: str) -> subprocess.Popen[bytes]:
    """Start `command` by `shell` in a terminal of its own, whose other end is the result's `stdout`.

    The session's first process gets the terminal for `/dev/tty` by opening it; so the plain shell does that
    before it becomes the user's. With the terminal the command ends, also if this process is killed.
    """
    import termios

    master, slave = os.openpty()
    try:
        termios.tcsetwinsize(slave, (24, 80))
        process = Popen(
            ["/bin/sh", "-c", 'exec "$@" <>"$0"', os.ttyname(slave), shell, "-c", encoded(command)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
    except BaseException:
        os.close(master)
        raise
    finally:
        os.close(slave)
    process.stdout = os.fdopen(master, "rb", buffering=0)
    return process


def _read(fd: int, sink: Sink) -> bool:
    try:
        chunk = os.read(fd, 65536)
    except OSError:  # so a terminal says that nobody writes to it any more
        return False
    if chunk:
        sink(chunk)
    return bool(chunk)
