"""`sys.stdout` and `sys.stderr`: ipykernel's, which know whose a redirection is and what C code wrote."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from ipykernel.iostream import PIPE_BUFFER_SIZE, OutStream
from jupyter_client.session import utcnow

from .output import active_redirect, redirects
from .readiness import readable


class CellStream(OutStream):
    """Writes to the cell that the calling context belongs to, unless that redirects it.

    What is written to the file descriptor goes to the cell that runs in the foreground. `drain` takes in
    what is still in the pipe, so that it goes to the cell that has just ended and not to the next.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Whose and what, in turns, in the order of writing: a list, for appending to it takes no lock.
        self._pieces: list[Any] = []
        #: How many have been taken out so far. Under `_buffer_lock`.
        self._taken = 0
        # Whether a flush will come by itself.
        self._timer_runs = False
        self._flush_due = 0.0
        self._drain_lock = threading.Lock()
        self._is_forked = False
        # A read may end in the midst of a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]

    def write(self, string: str) -> int | None:  # type: ignore[override]
        """Overridden for redirections, and to be quick.

        `print` calls it twice for a line. ipykernel's reads the clock, asks for the process's id, takes a
        lock and hashes the parent's header: 1.9 µs. This takes 0.2, and what can wait is done by `_publish`.
        """
        if type(string) is not str or self.echo is not None or self.pub_thread is None or redirects.get():
            return self._write_elsewhere(string)
        parent = self._parent_header.get(None)
        pieces = self._pieces
        pieces += (self._parent_header_global if parent is None else parent, string)
        if not self._timer_runs:
            self._look_after(string)
        return len(string)

    def _write_elsewhere(self, string: str) -> int | None:
        redirect = active_redirect(self.name)
        if redirect is None:
            return self.accept(string)
        if redirect.target is None:  # `redirect_stdout(None)` is silence
            return len(string)
        written: int | None = redirect.target.write(string)
        return written

    def accept(self, string: str) -> int:
        """Write whatever is redirected."""
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string)}")
        if self.echo is not None:
            try:
                self.echo.write(string)
            except OSError as error:
                if self.echo is not sys.__stderr__:
                    print(f"Write failed: {error}", file=sys.__stderr__)
        if self.pub_thread is None:
            raise ValueError("I/O operation on closed file")
        self._pieces.extend((self.parent_header, string))
        if not self._timer_runs:
            self._look_after(string)
        return len(string)

    def flush(self) -> None:
        """Overridden for redirections, and not to wait: what is scheduled first is sent first.

        What other cells have written is left to them and to the thread that sends: here a Stop may come at
        any instant, and what was taken from the buffers by then would be lost.
        """
        redirect = active_redirect(self.name)
        if redirect is not None:
            if hasattr(redirect.target, "flush"):
                redirect.target.flush()
        elif self.pub_thread is not None and self._pieces:
            self._hand_over(self.pub_thread.schedule)

    def hand_over(self) -> None:
        """As `flush`, but without waking the thread that sends: whoever calls sends something right after."""
        if active_redirect(self.name) is not None:
            self.flush()
        elif self.pub_thread is not None and self._pieces:
            self._hand_over(self.pub_thread.put)

    def _look_after(self, string: str) -> None:
        """Let what has been written be flushed soon; in a forked child, where no timer runs, with each line.

        A time and not a flag, which a Stop in the wrong instant would leave set for good. The flag is
        set where no Stop can come.
        """
        if self._is_forked:
            if "\n" in string:
                self._flush()
            return
        now = time.monotonic()
        if now >= self._flush_due:
            self._flush_due = now + self.flush_interval
            self.pub_thread.schedule(self._flush_later)

    def _flush_later(self) -> None:
        """Set the timer, if the output has not been handed over meanwhile. Thread: the one that sends."""
        self._flush_due = 0.0  # before looking: what is written from now on asks for a timer of its own
        if self._pieces and not self._timer_runs:
            self._timer_runs = True
            self.pub_thread.call_later(self.flush_interval, self._flush)

    def _flush(self) -> None:
        """Overridden: when the time is over, what was scheduled before it goes first. Thread: IOPub."""
        self._timer_runs, self._flush_due = False, 0.0  # as above
        if self.echo is not None:
            with contextlib.suppress(OSError):
                self.echo.flush()
        self._hand_over(self.pub_thread.put)
        self.pub_thread.send_now()

    def _hand_over(self, schedule: Callable[[Callable[[], None]], None]) -> None:
        """Let `schedule` send what has been written so far.

        What is written from now on must not come before it, so it says how far. Nothing is taken out yet:
        a Stop here loses nothing.
        """
        with self._buffer_lock:
            until = self._taken + len(self._pieces)
        # The date is now's, so that the messages' dates have the order of the messages.
        schedule(partial(self._publish, until, utcnow()))

    def _publish(self, until: int, date: datetime) -> None:
        """Send a stream message for each parent, of the first `until` pieces. Thread: the one that sends."""
        with self._buffer_lock:
            count = max(0, until - self._taken)
            pieces = self._pieces[:count]
            del self._pieces[:count]
            self._taken += count
        parents, texts = pieces[::2], pieces[1::2]
        if not parents:
            return
        if parents.count(parents[0]) == len(parents):
            self._send(parents[0], "".join(filter(None, texts)), date)  # one text is not copied
            return
        by_parent: dict[frozenset[Any], list[str]] = defaultdict(list)
        for parent, text in zip(parents, texts, strict=True):
            by_parent[frozenset(parent.items())].append(text)
        for key, of_parent in by_parent.items():
            self._send(dict(key), "".join(of_parent), date)

    def _send(self, parent: dict[str, Any], text: str, date: datetime) -> None:
        if not text:
            return
        message = self.session.msg("stream", {"name": self.name, "text": text}, parent=parent)
        message["header"]["date"] = date
        for hook in self._hooks:
            message = hook(message)
            if message is None:
                return
        self.session.pid = os.getpid()  # or a forked child would send nothing
        self.session.send(self.pub_thread, message, ident=self.topic)

    def isatty(self) -> bool:
        """Overridden for redirections."""
        redirect = active_redirect(self.name)
        if redirect is None:
            return bool(super().isatty())  # type: ignore[no-untyped-call]
        return bool(getattr(redirect.target, "isatty", bool)())

    def fileno(self) -> int:
        """Overridden for redirections."""
        redirect = active_redirect(self.name)
        if redirect is not None:
            return int(redirect.target.fileno())
        return int(super().fileno())  # type: ignore[no-untyped-call]

    def __getattr__(self, name: str) -> Any:
        """What only the target has, `getvalue` or `buffer`."""
        redirect = None if name.startswith("_") else active_redirect(self.name)
        if redirect is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(redirect.target, name)

    def direct(self) -> Direct:
        """A file that writes to this stream whatever is redirected."""
        return Direct(self)

    def forget(self) -> None:
        """In a forked child: what is waiting here is the parent's. From now on send whole lines.

        ipykernel sends each piece, the end of a line alone, and the pieces may change places.
        """
        self._is_forked = True
        self._drain_lock = threading.Lock()
        self._buffer_lock = threading.RLock()
        self._pieces, self._taken = [], 0
        self._timer_runs, self._flush_due = False, 0.0

    # The file descriptor

    def drain(self) -> None:
        """Write what is in the pipe, in the calling context. Thread: any."""
        if self._fid is None:  # not watched, on Windows never
            return
        with self._drain_lock:
            while self._should_watch and readable([self._fid], 0):
                data = os.read(self._fid, PIPE_BUFFER_SIZE)
                if not data:
                    break
                self.accept(self._decoder.decode(data))
                os.write(self._original_stdstream_copy, data)

    def _watch_pipe_fd(self) -> None:
        """Overridden: only waits for data, and lets `drain` read it, one reader at a time."""
        try:
            while self._should_watch:
                readable([int(self._fid or 0)])
                self.drain()
        except Exception:
            self._exc = sys.exc_info()


class Direct:
    """See `CellStream.direct`."""

    def __init__(self, stream: CellStream) -> None:
        self._stream = stream

    def write(self, string: str) -> int:
        """As a file's."""
        return self._stream.accept(string)

    def flush(self) -> None:
        """As a file's."""
        self._stream.flush()
