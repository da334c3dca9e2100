"""A thread for requests that ask the user's objects, or a database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from namespace_kernel.base.originals import keep_running, monotonic
from namespace_kernel.base.threads import HiddenThread, current_thread
from namespace_kernel.kernel.wire.protocol_thread import ProtocolThread
from namespace_kernel.kernel.wire.request import Request

from .haste import Haste

_log = logging.getLogger("namespace_kernel")

#: Seconds after which a request counts as slow.
_SLOW = 1.0

_haste = Haste()


class RequestThread:
    """Handles requests one after the other.

    If one takes longer than a second (a user's `__dir__` that blocks), another thread takes over those
    that wait.

    Thread: `submit` any.
    """

    def __init__(self, name: str, handle: Callable[[Request], None], timers: ProtocolThread) -> None:
        self._queue: SimpleQueue[Request] = SimpleQueue()
        self._name = name
        self._handle = handle
        self._timers = timers
        #: The thread that takes requests, and since when it has been handling one.
        self._current: threading.Thread | None = None
        self._busy_since = 0.0
        self._start()

    def submit(self, request: Request) -> None:
        """Queue `request`."""
        self._queue.put(request)
        self._timers.call_later(_SLOW, self._relieve)

    def _start(self) -> None:
        work = (self._work, _log)
        thread = HiddenThread(target=keep_running, args=work, name=self._name, daemon=True)
        self._current, self._busy_since = thread, 0.0
        thread.start()

    def _relieve(self) -> None:
        """Thread: that of the timers, alone."""
        if not self._queue.empty() and self._busy_since and monotonic() - self._busy_since >= _SLOW:
            self._start()

    def _work(self) -> None:
        while self._current is current_thread():
            request = self._queue.get()
            self._busy_since = monotonic()
            with _haste:
                self._handle(request)
            if self._current is current_thread():
                self._busy_since = 0.0
