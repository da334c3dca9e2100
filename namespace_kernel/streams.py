"""`sys.stdout` and `sys.stderr`: ipykernel's, which know whose a redirection is and what C code wrote."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections import defaultdict
from functools import partial
from io import StringIO
from typing import Any

from ipykernel.iostream import PIPE_BUFFER_SIZE, OutStream

from .output import active_redirect


class CellStream(OutStream):
    """Writes to the cell that the calling context belongs to, unless that redirects it.

    What is written to the file descriptor goes to the cell that runs in the foreground. `drain` takes in
    what is still in the pipe, so that it goes to the cell that has just ended and not to the next.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._drain_lock = threading.Lock()
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]

    def write(self, string: str) -> int | None:  # type: ignore[override]
        """Overridden for redirections."""
        redirect = active_redirect(self.name)
        if redirect is None:
            return super().write(string)
        if redirect.target is None:  # `redirect_stdout(None)` is silence
            return len(string)
        written: int | None = redirect.target.write(string)
        return written

    def flush(self) -> None:
        """Overridden for redirections, and not to wait: what is scheduled first is sent first."""
        redirect = active_redirect(self.name)
        if redirect is not None:
            if hasattr(redirect.target, "flush"):
                redirect.target.flush()
        elif self.pub_thread is not None:
            for parent, text in self._flush_buffers():  # type: ignore[no-untyped-call]
                if text:
                    # Made here, so that the messages' dates have the order of the messages.
                    content = {"name": self.name, "text": text}
                    message = self.session.msg("stream", content, parent=parent)
                    self.pub_thread.schedule(partial(self._publish, message))

    def _publish(self, message: dict[str, Any] | None) -> None:
        """Send a stream message. Thread: IOPub."""
        for hook in self._hooks:
            message = hook(message)
            if message is None:
                return
        self.session.pid = os.getpid()  # or a forked child would send nothing
        self.session.send(self.pub_thread, message, ident=self.topic)

    def _flush(self) -> None:
        """Overridden: when the time is over, what was scheduled before it goes first. Thread: IOPub."""
        self.pub_thread.send_waiting()
        super()._flush()  # type: ignore[no-untyped-call]

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
        """In a forked child: what is waiting here is the parent's."""
        self._drain_lock = threading.Lock()
        self._buffer_lock = threading.RLock()
        self._buffers = defaultdict(StringIO)

    # The file descriptor

    def drain(self) -> None:
        """Write what is in the pipe, in the calling context. Thread: any."""
        if self._fid is None:  # not watched, on Windows never
            return
        with self._drain_lock:
            while self._should_watch and select.select([self._fid], [], [], 0)[0]:
                data = os.read(self._fid, PIPE_BUFFER_SIZE)
                if not data:
                    break
                OutStream.write(self, data.decode(errors="replace"))
                os.write(self._original_stdstream_copy, data)

    def _watch_pipe_fd(self) -> None:
        """Overridden: only waits for data, and lets `drain` read it, one reader at a time."""
        try:
            while self._should_watch:
                select.select([int(self._fid or 0)], [], [])
                self.drain()
        except Exception:
            self._exc = sys.exc_info()


class Direct:
    """See `CellStream.direct`."""

    def __init__(self, stream: CellStream) -> None:
        self._stream = stream

    def write(self, string: str) -> int | None:
        """As a file's."""
        return OutStream.write(self._stream, string)

    def flush(self) -> None:
        """As a file's."""
        self._stream.flush()
