"""What other threads do with a loop that runs next door: they wait for it, or act while it stands still.

The loop holds a lock while it runs callbacks, and lets go of it while it waits for events. So whoever has the
lock is between two of the loop's iterations.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextvars import Context
from functools import partial
from queue import SimpleQueue
from threading import get_ident
from time import sleep
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from namespace_kernel.base.frames import unseen
from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.threads import RLock

from .anchors import Anchors
from .native_loop import NativeLoop

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

T = TypeVar("T")

#: After so many seconds in one callback the loop counts as blocked: the callback may wait for the visitor.
_PATIENCE = 1.0
#: How often a visitor looks, and for how often the loop lets one go first that has stopped waiting.
_SLICE, _SLICES = 0.0002, 50

#: Seconds in which code that has stopped the loop may wait for that, before a line says that it was stopped.
_STOP_IS_MEANT = 0.1


class LoopListener(Protocol):
    """Is told what happens on the loop."""

    def context_of_task(self) -> Context | None:
        """The context of a new task, in the thread that creates it; `None` for a copy of the calling one."""

    def task_created(self, task: asyncio.Task[object]) -> None:
        """Called with each new task, in the thread that creates it."""

    def gathering_created(self, future: asyncio.Future[Any]) -> None:
        """Called with each future of `asyncio.gather` and `shield`, in the thread that creates it."""

    def stopped(self) -> None:
        """Called in the loop when code has stopped it, and nobody waits for that."""


class LoopVisitors(NativeLoop):
    """Mixed in before a native loop class.

    Thread: any.
    """

    #: The thread that runs the loop at this moment; `None` while it moves.
    owner: int | None = None
    #: Its own thread, and the one that has borrowed it.
    home: int | None = None
    borrower: int | None = None
    #: Whether it runs callbacks.
    is_busy = False
    #: How often it has looked for events and run what was due.
    turns = 0

    listener: LoopListener | None = None
    #: Has the steps of the tasks that are `away` taken on the thread where they belong.
    anchors: Anchors

    def __init__(self) -> None:
        super().__init__()
        self.mutex: Any = RLock()  # also for what its stub leaves out
        self._visitor_waits = False
        self._waits_for_stop: list[SimpleQueue[bool | None]] = []
        self._stop_came = False
        selector = self._selector
        selector.select = partial(self.letting_in, selector.select)

    # Between two iterations

    def still(self, function: Callable[..., T], *args: object, **options: object) -> T:
        """Call `function` while the loop stands still; if it is blocked, as ever."""
        if self.owner == get_ident() or self._is_blocked():
            return function(*args, **options)
        with self.mutex:  # nothing else: a Stop must not find it taken and nobody there to release it
            self._visitor_waits = False
            return function(*args, **options)

    def _is_blocked(self) -> bool:
        turn, until = self.turns, monotonic() + _PATIENCE
        self._visitor_waits = True
        while self.is_busy and self.turns == turn:
            if monotonic() > until:
                return True
            sleep(_SLICE)
        return False

    def letting_in(self, wait: Callable[..., T], *args: object) -> T:
        """Return `wait(*args)`, and let others in meanwhile. Called in the loop."""
        if not self.mutex._is_owned():
            return wait(*args)  # another thread takes a step, and the loop's waits for it
        self.is_busy = False
        self.mutex.release()
        try:
            for _ in range(_SLICES):
                if not self._visitor_waits:
                    break
                sleep(_SLICE)
            self._visitor_waits = False
            return wait(*args)
        finally:
            self.mutex.acquire()
            self.is_busy = True

    @unseen
    def add_reader(self, fd: FileDescriptorLike, callback: Callable[..., object], *args: object) -> None:
        """As `asyncio.loop.add_reader`."""
        self._change(super().add_reader, fd, callback, *args)

    @unseen
    def remove_reader(self, fd: FileDescriptorLike) -> bool:
        """As `asyncio.loop.remove_reader`."""
        return bool(self._change(super().remove_reader, fd))

    @unseen
    def add_writer(self, fd: FileDescriptorLike, callback: Callable[..., object], *args: object) -> None:
        """As `asyncio.loop.add_writer`."""
        self._change(super().add_writer, fd, callback, *args)

    @unseen
    def remove_writer(self, fd: FileDescriptorLike) -> bool:
        """As `asyncio.loop.remove_writer`."""
        return bool(self._change(super().remove_writer, fd))

    def _change(self, function: Callable[..., T], *args: object) -> T:
        if self.owner == get_ident():
            return function(*args)
        try:
            return self.still(function, *args)
        finally:
            self._write_to_self()

    # Waiting for it

    @unseen
    def wait_for_stop(self) -> None:
        """As `asyncio.loop.run_forever`, while the loop runs elsewhere: wait until it is stopped."""
        self._check_closed()
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("Cannot run the event loop while another loop is running")
        stopped: SimpleQueue[bool | None] = SimpleQueue()
        self._waits_for_stop.append(stopped)
        try:
            if self._stop_came:  # as in asyncio: it was stopped before it ran
                self._stop_came = False
                return
            while self._wait(stopped) is None:
                pass
        finally:
            self._waits_for_stop.remove(stopped)

    def stop(self) -> None:
        """As `asyncio.loop.stop`: whoever waits for the end of `run_forever` need not wait any more.

        The loop itself goes on, except for an async cell, which runs it on.
        """
        if self._waits_for_stop:
            for stopped in list(self._waits_for_stop):
                stopped.put(True)
        elif self.home is None or self.owner not in (self.home, None):
            self.halt()
        else:
            self._stop_came = True
            self.call_later(_STOP_IS_MEANT, self._tell_of_stop)

    def halt(self) -> None:
        """Let `run_forever` return where the loop runs. Thread: the loop's."""
        super().stop()

    def _tell_of_stop(self) -> None:
        came, self._stop_came = self._stop_came, False
        if came and self.listener is not None:
            self.listener.stopped()

    @unseen
    def close(self) -> None:
        """As `asyncio.loop.close`; while it runs for others, a plain cell's closing it changes nothing."""
        if self.owner == get_ident() or not self.is_running():
            super().close()

    @unseen
    def _run_until_complete(self, future: Any) -> Any:
        if self.owner == get_ident():
            return type(self).run_until_complete(self, future)
        if not inspect.isawaitable(future):
            raise TypeError("An asyncio.Future, a coroutine or an awaitable is required")

        async def wait() -> Any:
            return await future

        # Not `run_coroutine_threadsafe`: a Stop while its future is waited for may leave that locked, and
        # then the loop would wait for it for ever. This queue is one call into C.
        ended: SimpleQueue[asyncio.Task[Any] | None] = SimpleQueue()
        started: list[asyncio.Task[Any]] = []

        def start() -> None:
            task = asyncio.ensure_future(future if asyncio.iscoroutine(future) else wait(), loop=self)
            started.append(task)
            task.add_done_callback(ended.put)

        def cancel() -> None:
            for task in started:
                task.cancel()

        try:
            self.call_soon_threadsafe(start)
            while (task := self._wait(ended)) is None:
                pass
        except BaseException:
            self.call_soon_threadsafe(cancel)
            raise
        return task.result()

    def _wait(self, ended: SimpleQueue[T | None]) -> T | None:
        """Wait for the loop; `None` if there is nothing yet. Tasks of the calling thread go on meanwhile."""
        return self.anchors.wait(ended.get, partial(ended.put, None))
