"""What a process that runs cells sends to the kernel: at once, whole, and in order."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from io import FileIO
from queue import SimpleQueue
from typing import Any

from namespace_kernel.base.threads import Lock
from namespace_kernel.remote.memory.handover import Handover
from namespace_kernel.remote.transfer.frames import write_message
from namespace_kernel.remote.transfer.messages import Printed

#: So many texts are sent by themselves in one go, and per second. Further ones are collected.
_BURST, _RATE = 30, 300
#: Seconds for which texts are collected, and how many at most.
_DELAY, _MOST = 0.02, 1000


class Outgoing:
    """Writes messages to `pipe`; regions go by `handover`.

    Guarantees: what was printed has left the process when `send` returns, but in a flood; so it is seen also
    if the next line kills the process. A message is whole, whatever interrupts its sender.

    Thread: any; the one that made it is the one that `KeyboardInterrupt` is raised in.
    """

    def __init__(self, pipe: FileIO, handover: Handover | None = None) -> None:
        self._pipe = pipe
        self._handover = handover
        self._waiting: deque[object] = deque()
        self._lock = Lock()
        self._sender: int | None = None
        self._interrupted = threading.get_ident()
        self._allowance, self._since = float(_BURST), time.monotonic()
        self._collected: SimpleQueue[None] = SimpleQueue()
        threading.Thread(target=self._send_collected, name="outgoing", daemon=True).start()

    def send(self, message: object) -> None:
        """Send one message, and those that wait before it."""
        self._waiting.append(message)
        if isinstance(message, Printed) and not self._may_send() and len(self._waiting) < _MOST:
            if self._collected.empty():
                self._collected.put(None)
            return
        self._flush()

    def _may_send(self) -> bool:
        now = time.monotonic()
        self._allowance = min(_BURST, self._allowance + (now - self._since) * _RATE)
        self._since = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _flush(self) -> None:
        ident = threading.get_ident()
        if self._sender == ident:
            return  # some `__del__` prints while we send: it will be sent next
        masks = ident == self._interrupted and hasattr(signal, "pthread_sigmask")
        try:
            if masks:  # an exception in the midst of a message would be the end of all understanding
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            with self._lock:
                self._sender = ident
                try:
                    while self._waiting:
                        for message in joined(self._take()):
                            write_message(self._pipe, message, self._handover)
                        message = None
                except OSError:  # the kernel has gone: this process is about to end
                    self._waiting.clear()
                finally:
                    self._sender = None
        finally:
            if masks:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def _take(self) -> list[object]:
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def _send_collected(self) -> None:
        while True:
            self._collected.get()
            time.sleep(_DELAY)
            self._flush()


def joined(messages: Iterable[object]) -> list[Any]:
    """The messages, texts that follow each other in one stream as one."""
    found: list[Any] = []
    texts: list[str] = []
    for message in messages:
        last = found[-1] if found else None
        if isinstance(message, Printed) and isinstance(last, Printed) and message.stream == last.stream:
            texts.append(message.text)
            continue
        if texts:
            found[-1] = Printed(last.stream, last.text + "".join(texts))  # type: ignore[union-attr]
            texts = []
        found.append(message)
    if texts:
        found[-1] = Printed(found[-1].stream, found[-1].text + "".join(texts))
    return found


class EventStream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a process that runs cells. In a forked child it writes to `descriptor`,
    each line at once: its parent and others write there, too.

    Thread: any.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, name: str, descriptor: int, emit: Callable[[Printed], None]) -> None:
        self.name = name
        self._descriptor = descriptor
        self._emit = emit
        self._pid = os.getpid()
        #: In a forked child, the beginning of a line, by thread.
        self._begun: dict[int, str] = {}

    def write(self, text: str) -> int:
        """See `io.TextIOBase`."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if os.getpid() != self._pid:
            thread = threading.get_ident()
            lines, end, begun = text.rpartition("\n")
            if end:
                self._write_out(self._begun.pop(thread, "") + lines + end)
            if begun:
                self._begun[thread] = self._begun.get(thread, "") + begun
        elif text:
            self._emit(Printed(self.name, text))
        return len(text)

    def flush(self) -> None:
        """See `io.TextIOBase`."""
        while self._begun:
            self._write_out(self._begun.popitem()[1])

    def _write_out(self, text: str) -> None:
        data = text.encode(self.encoding, self.errors)
        while data:
            data = data[os.write(self._descriptor, data) :]

    def writable(self) -> bool:
        """See `io.TextIOBase`."""
        return True

    def fileno(self) -> int:
        """The descriptor, for children."""
        return self._descriptor
