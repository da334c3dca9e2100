"""An event loop that may be used from threads where it is not running.

asyncio's loops belong to the thread that runs them; `call_soon` from elsewhere may corrupt or
oversleep. The user loop runs next door while a sync cell uses it (`create_task`, `call_later`,
`future.set_result`), so each entry point looks where it is called from. In the loop's own thread it
costs one comparison.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import select
import sys
from asyncio import events
from collections.abc import Callable, Coroutine, Generator
from contextlib import nullcontext
from contextvars import Context
from functools import partial
from threading import get_ident
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, TypeAlias, TypeVar

from namespace_kernel.base.frames import hide, unseen
from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.safe_facts import attribute_of_class
from namespace_kernel.base.started import is_nobodys, nobodys_context
from namespace_kernel.base.weak_references import WeakThings

from .anchors import Anchors, Guard
from .loop_servers import LoopServers
from .loop_signals import LoopSignals
from .loop_visitors import LoopListener, LoopVisitors

T = TypeVar("T")
#: What a task is made of.
Startable: TypeAlias = Coroutine[Any, Any, T] | Generator[Any, None, T]

#: What gives attributes without any code of Python.
_STORED_IN_C = (GetSetDescriptorType, MemberDescriptorType)

#: Seconds without an event after which the loop's home thread lets go of it.
_LINGER = 0.002


class ThreadAwareLoop(LoopServers, LoopSignals, LoopVisitors):
    """Mixed in before a native loop class.

    Guarantees: `call_soon`, `call_at`, `call_later`, `create_task`, `run_until_complete`, `run_forever`,
    `stop`, `add_reader` and its like work in every thread; elsewhere `run_until_complete` and `run_forever`
    wait, interruptibly, for the loop to do the work.
    """

    #: The thread that lets go of the loop while there is nothing to do, so that another can have it at once.
    home: int | None = None
    #: Whether it has done so, and will run the loop as soon as there is something to do.
    rests = False
    #: Whether the last `run_forever` ended for that reason.
    was_idle = False
    #: Until when (`loop.time()`) it does so at the latest.
    rests_until = math.inf
    _may_rest = _in_turn = False
    #: How often the loop has looked for events and run what was due.
    turns = 0

    def __init__(
        self,
        listener: LoopListener | None = None,
        ask_home: Callable[[], None] = lambda: None,
        guard: Guard = lambda task: nullcontext(),
    ) -> None:
        #: Threads that are making a task, and for which the loop does not run.
        self._apart: set[int] = set()
        super().__init__()
        self.listener = listener
        self.anchors = Anchors(self, ask_home, guard)
        self.away: WeakThings[asyncio.Task[object]] = WeakThings()
        # On the instance, because nest_asyncio replaces methods on the class.
        vars(self).update(
            run_forever=self._run_forever,
            run_until_complete=self._run_until_complete,
            _run_once=self._turn,
        )
        # Becomes readable when the selector has an event, which stays there. Only epoll is known to allow it.
        self._events: Any = select.poll() if hasattr(select, "epoll") else None
        #: Whether it can rest.
        self.can_rest = self._events is not None
        if self._events is not None:
            self._events.register(self._selector.fileno(), select.POLLIN)

    def _turn(self) -> None:
        self.turns += 1
        type(self)._run_once(self)

    def _turn_at_home(self) -> None:
        """As `_turn`, and leave `run_forever` if there is nothing to do."""
        if self._may_rest and self._is_idle():
            self.was_idle = self._stopping = True
            return
        # A callback may take turns itself (nest_asyncio), and does not expect the loop to stop meanwhile.
        nested, self._in_turn = self._in_turn, True
        self._may_rest = False
        try:
            self._turn()
        finally:
            self._in_turn = nested
        self._may_rest = not nested

    def _is_idle(self) -> bool:
        """Whether for a moment there is nothing to do. Thread: the loop's."""
        seconds = self._seconds_to_wait()
        if seconds is not None and seconds <= _LINGER:
            return False
        return not self.letting_in(self._events.poll, _LINGER * 1000)

    def _seconds_to_wait(self) -> float | None:
        """Until the next timer; 0 if something is due, `None` if nothing ever will be."""
        if self._ready:
            return 0.0
        try:
            due = self._scheduled[0].when()
        except IndexError:
            return None
        return max(0.0, due - self.time())

    def has_work(self) -> bool:
        """Whether a turn would find something to do at once. Thread: home, while the loop is nobody's."""
        return self._seconds_to_wait() == 0 or bool(self._events.poll(0))

    def wait_for_work(self) -> None:
        """Wait until there is something to do, and leave it where it is.

        Thread: home. Another may take the loop meanwhile.
        """
        self.rests_until = math.inf  # before looking: whoever adds a timer from now on finds this
        seconds = self._seconds_to_wait()
        if seconds is not None:
            self.rests_until = self.time() + seconds
        if self._events is not None:
            self._events.poll(None if seconds is None else math.ceil(seconds * 1000))

    def oversleeps(self) -> bool:
        """Whether whoever rests must be woken, now that the loop has been used. Thread: the user's."""
        timers = self._scheduled
        return bool(self._ready or (timers and timers[0].when() < self.rests_until))

    def time(self) -> float:
        """Overridden: a notebook that freezes Python's time does not stop the loop."""
        return monotonic()

    def is_running(self) -> bool:
        """As `asyncio.loop.is_running`: a loop that rests runs, for all that its users can tell."""
        if self._apart and get_ident() in self._apart:
            return False
        return self.rests or bool(super().is_running())

    # These four are called so often that they do without `unseen`.

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> events.Handle:
        """As `asyncio.loop.call_soon`, in any thread."""
        try:
            if self.away and self.is_away(callback):
                handle = events.Handle(callback, args, self, context)
                self._ready.append(self.anchors.deferring(handle))
                if self.owner != get_ident():
                    self._write_to_self()
                return handle
            if self.owner == get_ident():
                return super().call_soon(callback, *args, context=context)
            return self.call_soon_threadsafe(callback, *args, context=context)
        except BaseException as error:
            hide(error)
            raise

    def is_away(self, callback: object) -> bool:
        """Whether `callback` takes a step of a task that is away. Thread: any."""
        stored = attribute_of_class(type(callback), "__self__")  # of a method, which is not asked itself
        task = stored.__get__(callback) if type(stored) in _STORED_IN_C else None
        return asyncio.isfuture(task) and task in self.away

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> events.TimerHandle:
        """As `asyncio.loop.call_at`, in any thread; `call_later` comes here, too."""
        try:
            if self.owner == get_ident():
                return super().call_at(when, callback, *args, context=context)
            timer = events.TimerHandle(when, callback, args, self, context)
            self.call_soon_threadsafe(self._schedule, timer)
            return timer
        except BaseException as error:
            hide(error)
            raise

    def create_task(self, coro: Startable[T], **options: Any) -> asyncio.Task[T]:
        """As `asyncio.loop.create_task`, in any thread."""
        try:
            if is_nobodys():
                return nobodys_context().run(partial(self._create_task, coro, **options))
            return self._create_task(coro, **options)
        except BaseException as error:
            hide(error)
            raise

    def _create_task(self, coro: Startable[T], **options: Any) -> asyncio.Task[T]:
        if self.listener is None:
            return super().create_task(coro, **options)
        if "context" not in options and self.get_task_factory() is None:
            context = self.listener.context_of_task()
            if context is not None:
                options["context"] = context
        make = super().create_task if self.get_task_factory() is None else self._make_apart
        task = make(coro, **options)
        self.listener.task_created(task)
        return task

    def _make_apart(self, coro: Startable[T], **options: Any) -> asyncio.Task[T]:
        """Let the user's task factory make a task. If the loop runs, an eager one takes the first step in the
        calling thread, where the loop may not be.
        """
        if asyncio._get_running_loop() is self:
            return super().create_task(coro, **options)
        self._apart.add(get_ident())
        try:
            return super().create_task(coro, **options)
        finally:
            self._apart.discard(get_ident())

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> events.Handle:
        """As asyncio's, but of no cell where the end of an object calls it."""
        try:
            if context is None and is_nobodys():
                context = nobodys_context()
            return super().call_soon_threadsafe(callback, *args, context=context)
        except BaseException as error:
            hide(error)
            raise

    def _schedule(self, timer: events.TimerHandle) -> None:
        if not timer.cancelled():
            heapq.heappush(self._scheduled, timer)
            timer._scheduled = True  # type: ignore[attr-defined]

    @unseen
    def _run_forever(self) -> None:
        if self.home is not None and get_ident() not in (self.home, self.borrower):
            self.wait_for_stop()
            return
        self._check_running()
        self._may_rest = self.was_idle = False
        self.owner = get_ident()
        at_home = self.can_rest and self.owner == self.home
        vars(self)["_run_once"] = self._turn_at_home if at_home else self._turn
        try:
            with self.mutex:
                self.is_busy = True
                type(self).run_forever(self)
        finally:
            self.owner, self.is_busy = None, False


def new_loop(*parts: Any) -> ThreadAwareLoop:
    """Create a thread-aware loop of the platform's native kind."""
    kind = "ProactorEventLoop" if sys.platform == "win32" else "SelectorEventLoop"
    native = getattr(asyncio, kind)
    loop: ThreadAwareLoop = type("UserEventLoop", (ThreadAwareLoop, native), {})(*parts)
    return loop
