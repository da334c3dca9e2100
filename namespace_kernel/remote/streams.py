"""What a cell prints, turned into events."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

from ..transport import Printed


class EventStream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a process that runs cells. In a forked child it writes to `descriptor`.

    Thread: any.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name: str, descriptor: int, emit: Callable[[Printed], None]) -> None:
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
