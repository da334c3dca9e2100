"""What a cell prints, turned into events: by Python, and by C code and children."""

from __future__ import annotations

import io
import os
import select
import threading
from collections.abc import Callable

from ..transport import Printed

Emit = Callable[[Printed], None]


class EventStream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a process that runs cells. In a forked child it writes to `descriptor`.

    Thread: any. `emit` must take no lock that is written in Python: an interrupt may come at any time.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name: str, descriptor: int, emit: Emit) -> None:
        self.name = name
        self._descriptor = descriptor
        self._emit = emit
        self._pid = os.getpid()

    def write(self, text: str) -> int:
        """See `io.TextIOBase`."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if os.getpid() != self._pid:
            os.write(self._descriptor, text.encode(self.encoding, self.errors))
        elif text:
            self._emit(Printed(self.name, text))
        return len(text)

    def writable(self) -> bool:
        """See `io.TextIOBase`."""
        return True

    def fileno(self) -> int:
        """The descriptor, for children."""
        return self._descriptor


class DescriptorCapture:
    """Reads what is written to a file descriptor, 1 or 2, from now on.

    Thread: its own reads; `drain` any.
    """

    def __init__(self, name: str, descriptor: int, emit: Emit) -> None:
        self._name = name
        self._emit = emit
        self._reader, writer = os.pipe()
        os.dup2(writer, descriptor)
        os.close(writer)
        os.set_blocking(self._reader, False)
        self._lock = threading.Lock()
        threading.Thread(target=self._read, name=f"descriptor-{descriptor}", daemon=True).start()

    def drain(self) -> None:
        """Take in what has been written so far."""
        with self._lock:
            while True:
                try:
                    data = os.read(self._reader, 1 << 16)
                except BlockingIOError:
                    return
                if not data:
                    return
                self._emit(Printed(self._name, data.decode("utf-8", "backslashreplace")))

    def _read(self) -> None:
        while True:
            select.select([self._reader], [], [])
            self.drain()
