"""A thread for code of the user's: pickling runs some, which may never end."""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.threads import HiddenThread, Thread

T = TypeVar("T")

#: Deeply nested values are pickled by as many nested calls.
_STACK = 64 * 2**20


class HungError(Exception):
    """What was called has shown no sign of life for too long."""


class _EndNow(BaseException):
    """Raised in a thread that is not waited for any more."""


def start_thread(run: Callable[[], None], name: str, stack: int = 0) -> Thread:
    """Start a thread that belongs to no cell."""
    thread = HiddenThread(target=contextvars.Context().run, args=(run,), name=name, daemon=True)
    before = threading.stack_size(stack) if stack else 0
    try:
        contextvars.Context().run(thread.start)
    finally:
        if stack:
            threading.stack_size(before)
    return thread


class Hands:
    """Calls functions on a thread that is replaced when it hangs.

    Thread: one at a time calls.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._thread: Thread | None = None
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        #: When the function that runs was last seen to get on.
        self._alive_at = 0.0

    def alive(self) -> None:
        """The function that runs gets on. Thread: its."""
        self._alive_at = monotonic()

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call it, and wait. Raises what it raises, and `HungError`."""
        if self._thread is None:
            calls = self._calls = queue.SimpleQueue()
            self._thread = start_thread(lambda: _work(calls), "Journal's pickling", _STACK)
        done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self.alive()
        self._calls.put(lambda: done.put(_outcome(function, args)))
        value, error = self._await(done)
        if error is not None:
            raise error
        result: T = value
        return result

    def _await(self, done: queue.SimpleQueue[T]) -> T:
        while True:
            try:
                return done.get(timeout=self._patience)
            except queue.Empty:
                if monotonic() - self._alive_at >= self._patience:
                    self._let_go()
                    raise HungError from None

    def _let_go(self) -> None:
        """Nobody waits for the thread any more; it ends as soon as Python's code runs there."""
        thread, self._thread = self._thread, None
        self._calls.put(None)
        if thread is not None and thread.ident is not None:
            ident, error = ctypes.c_ulong(thread.ident), ctypes.py_object(_EndNow)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, error)

    def close(self) -> None:
        """Let the thread end."""
        self._calls.put(None)
        self._thread = None


def _outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    try:
        return function(*args), None
    except BaseException as error:
        return None, error.with_traceback(None)


def _work(calls: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    with contextlib.suppress(_EndNow):
        while True:
            call = calls.get()
            if call is None:
                return
            call()
            del call


def cpu_clock() -> float:
    """Seconds that the calling thread has computed."""
    return time.thread_time()
