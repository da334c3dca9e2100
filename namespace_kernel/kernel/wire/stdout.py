"""`sys.stdout` and `sys.stderr`: ipykernel's, which know whose a redirection is and what C code wrote."""

from __future__ import annotations

import codecs
import logging
import os
import sys
from contextvars import Context
from datetime import datetime
from os import getpid
from threading import get_ident
from typing import Any

from ipykernel.iostream import OutStream

from namespace_kernel.attribution.redirects import Direct, active_redirect, redirects
from namespace_kernel.base.frames import hide, unseen
from namespace_kernel.base.originals import keep_running
from namespace_kernel.base.threads import Lock, readable

from .passages import Outside, Passage
from .written import StartedHeader, Written

_log = logging.getLogger("namespace_kernel")

#: Bytes that are read from a descriptor at a time.
_AT_ONCE = 2**16
#: So many reads without the end of a line are no line, and so many seconds without one are its end.
_MOST_READS, _PAUSE = 100, 0.02
#: Seconds that one waits for what has been written.
_PATIENCE = 1.0


class CellStream(OutStream):
    """Writes to the cell that the calling context belongs to, unless that redirects it.

    What is written to the file descriptor goes to the cell that runs in the foreground. `drain` takes in
    what is still in the pipe, so that it goes to the cell that has just ended and not to the next.
    """

    def __init__(self, session: Any, pub_thread: Any, *args: Any, **kwargs: Any) -> None:
        self._written: Written = pub_thread.written
        self._written.add_stream(self)
        self._pieces = self._written.pieces
        self._drain_lock = Lock()
        self._passage: Passage | None = None
        self._outside: Outside | None = None
        #: A header, and the one for tasks that is equal to it.
        self._marked: tuple[dict[str, Any] | None, StartedHeader] = None, StartedHeader()
        #: The beginning of a line whose end has not been read.
        self._begun: list[str] = []
        # A read may end in the midst of a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        super().__init__(session, pub_thread, *args, **kwargs)  # type: ignore[no-untyped-call]

    def mark_as_started(self, context: Context | None = None) -> None:
        """Let what a task or a thread writes be told from what its cell writes: in `context`, a copy of the
        calling one, or in that itself.
        """
        header = self._parent_header.get(None)
        if type(header) is dict:
            of, marked = self._marked
            if of is not header:  # all tasks of a cell share one
                marked = StartedHeader(header)
                self._marked = header, marked
            if context is None:
                self._parent_header.set(marked)
            else:
                context.run(self._parent_header.set, marked)

    def write(self, string: str) -> int | None:  # type: ignore[override]
        """Overridden for redirections, and to be quick.

        `print` calls it twice for a line. ipykernel's reads the clock, asks for the process's id, takes a
        lock and hashes the parent's header: 1.9 µs. This takes 0.2, and what can wait is done by `Written`.
        """
        if type(string) is not str or redirects.get():
            try:
                return self._write_elsewhere(string)
            except BaseException as error:
                hide(error)
                raise
        parent = self._parent_header.get(None)
        if parent is None:
            parent = self._parent_header_global
        written, ident = self._written, get_ident()
        # From here to the `append` no other thread comes in between.
        if written.ident == ident and written.parent is parent and written.stream is self:
            self._pieces.append(string)
            if not written.timer_runs:
                written.look_after(string)
        else:
            self.accept(string)
        return len(string)

    def _write_elsewhere(self, string: str) -> int | None:
        redirect = active_redirect(self.name)
        if redirect is None:
            return self.accept(string)
        if redirect.target is None:  # `redirect_stdout(None)` is silence
            return len(string)
        written: int | None = redirect.target.write(string)
        return written

    @unseen
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
        if self._written.ended:
            outside: Any = self._outside or sys.__stderr__
            return int(outside.write(string))
        self._written.add(self.parent_header, self, string, get_ident())
        if self.echo is not None:
            self._written.ask_next(self)
        if not self._written.timer_runs:
            self._written.look_after(string)
        return len(string)

    @unseen
    def flush(self) -> None:
        """Overridden for redirections, and to keep the promise: what was written has left the process.

        A Stop in the meantime loses nothing. What other cells have written is left to the thread that sends.
        """
        if not self.hand_over() and self.pub_thread is not None:
            self.pub_thread.wait_until_left()

    def hand_over(self) -> bool:
        """As `flush`, without waiting: whoever calls sends something right after. Return whether it is
        redirected.
        """
        redirect = active_redirect(self.name)
        if redirect is not None:
            if hasattr(redirect.target, "flush"):
                redirect.target.flush()
        elif self.pub_thread is not None and self._pieces:
            self._written.hand_over(self.pub_thread.put)
        return redirect is not None

    def _flush(self) -> None:
        """Overridden: see `Written.flush`. Thread: IOPub."""
        self._written.flush()

    def send(self, parent: dict[str, Any], text: str, date: datetime) -> None:
        """Send a stream message. Thread: the one that sends."""
        if not text:
            return
        message = self.session.msg("stream", {"name": self.name, "text": text}, parent=parent)
        message["header"]["date"] = date
        for hook in self._hooks:
            message = hook(message)
            if message is None:
                return
        self.session.pid = getpid()  # or a forked child would send nothing
        self.session.send(self.pub_thread, message, ident=self.topic)

    def close(self) -> None:
        """Overridden: it stays open for the next cells, and for what the kernel has to say under this."""
        self.flush()

    @unseen
    def isatty(self) -> bool:
        """Overridden for redirections."""
        redirect = active_redirect(self.name)
        if redirect is None:
            return bool(super().isatty())  # type: ignore[no-untyped-call]
        return bool(getattr(redirect.target, "isatty", bool)())

    @unseen
    def fileno(self) -> int:
        """Overridden for redirections, and to be the descriptor that is watched.

        What is written to it, by `faulthandler` or a child, appears under the cell. ipykernel's is where
        nobody looks, that of the process's own output.
        """
        redirect = active_redirect(self.name)
        if redirect is not None:
            return int(redirect.target.fileno())
        own = int(super().fileno())  # type: ignore[no-untyped-call]
        return int(self._original_stdstream_fd) if self._should_watch else own

    @property
    def watched_pipe(self) -> int | None:
        """The pipe of the file descriptor, if it is watched."""
        return self._fid if self._should_watch else None

    @property
    def descriptor_outside(self) -> int | None:
        """The descriptor of the process's own output, which is not watched."""
        return getattr(self, "_original_stdstream_copy", None)

    @unseen
    def __getattr__(self, name: str) -> Any:
        """What only the target has, `getvalue` or `buffer`."""
        redirect = None if name.startswith("_") else active_redirect(self.name)
        if redirect is None:
            raise AttributeError(f"{OutStream.__name__!r} object has no attribute {name!r}")
        return getattr(redirect.target, name)

    def direct(self) -> Direct:
        """A file that writes to this stream whatever is redirected."""
        return Direct(self.accept, self.flush)

    def forget(self) -> None:
        """In a forked child: see `Written.forget`."""
        self._drain_lock, self._begun = Lock(), []
        self._written.forget()

    # The file descriptor

    def drain(self) -> None:
        """Write what is in the pipe, in the calling context. Thread: any."""
        if self._fid is None:  # not watched, on Windows never
            return
        with self._drain_lock:
            self._read_lines()
            self._write_begun()

    def _read_lines(self) -> None:
        """Write what is in the pipe, up to the end of the last line. Under the lock."""
        while self._should_watch and not self.all_came():
            # What is on its way comes soon, unless the other process is stopped or gone.
            if not readable([int(self._fid or 0)], _PATIENCE):
                return
            data = os.read(int(self._fid or 0), _AT_ONCE)
            if data:
                lines, end, begun = self._decoder.decode(data).rpartition("\n")
                if end:
                    self.accept("".join((*self._begun, lines, end)))
                    self._begun.clear()
                self._begun.append(begun)
                if self._outside is not None:
                    self._outside.pass_on(data)
            elif self._passage is not None:  # it is gone
                self._fid, self._passage = self._passage.pipe, None
            else:
                return
            if len(self._begun) > _MOST_READS:
                self._write_begun()

    def _write_begun(self) -> None:
        begun = "".join(self._begun)
        self._begun.clear()
        if begun:
            self.accept(begun)

    def all_came(self) -> bool:
        """Whether nothing is on its way from the file descriptor. Thread: any."""
        if self._passage is not None:
            return self._passage.all_came()
        return self._fid is None or not readable([int(self._fid)], 0)

    def has_come(self) -> bool:
        """Whether something is on its way from the file descriptor, or is just being written. Thread: any.

        In this order: what has gone from the pipe is with whoever has the lock, or has been written.
        """
        return not self.all_came() or self._drain_lock.locked() or bool(self._begun)

    def use_passage(self, passage: Passage) -> None:
        """From now on read what comes through `passage`, whose pipe is that of the descriptor."""
        with self._drain_lock:
            self._fid, self._passage = passage.fd, passage
        os.close(self._leaves[1])  # the thread waits at the pipe, where the other process may be faster

    def _setup_stream_redirects(self, name: str) -> None:
        """Overridden for `use_passage`."""
        self._leaves = os.pipe()
        super()._setup_stream_redirects(name)  # type: ignore[no-untyped-call]
        self._outside = Outside(self._original_stdstream_copy)

    def _watch_pipe_fd(self) -> None:
        """Overridden: only waits for data, and lets `drain` read it, one reader at a time."""
        keep_running(self._watch_pipe, _log)
        os.close(self._leaves[0])
        keep_running(self._watch_passage, _log)

    def _watch_pipe(self) -> None:
        while self._should_watch and self._leaves[0] not in self._wait(self._leaves[0]):
            with self._drain_lock:
                self._read_lines()

    def _watch_passage(self) -> None:
        while self._should_watch:
            with self._drain_lock:
                self._read_lines()
            self._wait()

    def _wait(self, *others: int) -> list[int]:
        """Wait for data. The end of a line comes soon; a beginning that is a prompt is shown soon."""
        descriptors = [int(self._fid or 0), *others]
        ready = readable(descriptors, _PAUSE if self._begun else None)
        if not ready:
            with self._drain_lock:
                self._write_begun()
            ready = readable(descriptors)
        return ready
