"""Tasks that belong to a thread: each of their steps is taken there, wherever the loop is.

A greenlet can only be resumed on the thread that made it, and SQLAlchemy's asyncio suspends one inside
`await`. So whenever the loop has come to a thread, the suspended tasks are looked at: those with a greenlet
of the other thread are *away*. A step of such a task is taken on the other thread while the loop waits for
it. The home thread is free whenever the loop is on the main one. The main thread is free while it waits, for
a cell or for the loop; while it runs a plain cell, the step waits for the cell's end.

There are always two threads only, main and home: nobody else steps the loop's tasks.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from threading import get_ident
from typing import Any, TypeAlias, TypeVar

from namespace_kernel.base.asyncio_tasks import coroutine_of
from namespace_kernel.base.threads import Lock
from namespace_kernel.base.weak_references import WeakThings
from namespace_kernel.execution.stop.thread_stop import ThreadStop

from .greenlets import holds_greenlet_of_this_thread, with_greenlets_of_others

T = TypeVar("T")
#: Entered around a step of a task.
Guard: TypeAlias = Callable[[asyncio.Task[object]], contextlib.AbstractContextManager[None]]

#: After so many seconds the loop no longer waits for a main thread that does not take a step.
_SLICE = 0.2


class Step:
    """One step of a task, for another thread. Who holds `lock` may change `taken` and `withdrawn`."""

    def __init__(self, handle: events.Handle) -> None:
        self.handle = handle
        self.task: asyncio.Task[object] = handle._callback.__self__  # type: ignore[attr-defined]
        self.taken = self.withdrawn = self.ran = self.is_over = False
        self.error: BaseException | None = None
        #: Not an event: this is one call into C, which a Stop cannot tear apart.
        self.ended: SimpleQueue[None] = SimpleQueue()


class Anchors:
    """Knows the tasks that are away, and has their steps taken.

    `ask_home` makes the home thread call `take_at_home` soon. `guard` is entered by the main thread around a
    step of a task, with the task.

    Guarantees: a step is taken once, on the task's thread, and no other task is stepped meanwhile.
    """

    def __init__(
        self,
        loop: Any,
        ask_home: Callable[[], None],
        guard: Guard,
    ) -> None:
        self._loop = loop
        self._ask_home = ask_home
        self._guard = guard
        #: Those that were asked to stay on the main thread.
        self._staying: WeakThings[asyncio.Task[object]] = WeakThings()
        self._main: int | None = None
        self._runner: int | None = None
        self._lock = Lock()
        self._wake_main: Callable[[], None] | None = None
        self._for_main: Step | None = None
        #: Raises `KeyboardInterrupt` in the step that the home thread takes for the main one; `None` if none.
        self.stop_step: Callable[[], object] | None = None
        self.for_home: Step | None = None
        self._stepped: asyncio.Task[object] | None = None
        #: Steps for which the main thread had no time.
        self._parked: deque[events.Handle] = deque()

    def start(self) -> None:
        """The calling thread is the main one."""
        self._main = get_ident()

    def arrive(self) -> None:
        """The loop is about to run on the calling thread: find who is away, if it was elsewhere before."""
        ident = get_ident()
        if ident == self._runner:
            return
        self._runner = ident
        loop = self._loop
        if not ("greenlet" in sys.modules or self._staying or loop.away or self._parked):
            return
        away = with_greenlets_of_others(loop)
        if ident != self._main:
            away.update(self._staying)
        loop.away = away
        if ident == self._main:
            loop._ready.extend(self._take_parked())
        if away:
            for number, handle in enumerate(list(loop._ready)):  # others may add to it meanwhile
                if not handle.cancelled() and loop.is_away(handle._callback):
                    loop._ready[number] = self.deferring(handle)

    def current_task(self) -> asyncio.Task[object] | None:
        """The task whose code executes, on whichever thread. Thread: any.

        Since 3.14 asyncio answers for the calling thread, where the loop may just wait for another's step.
        """
        return self._stepped or asyncio.current_task(self._loop)

    def deferring(self, handle: events.Handle) -> events.Handle:
        """A handle that takes the step of `handle` on the task's thread. Thread: any."""
        # A context of its own: the step's is entered by the thread that takes it.
        return events.Handle(self._hand_over, (handle,), self._loop, copy_context())

    @contextlib.contextmanager
    def staying(self, task: asyncio.Task[object]) -> Iterator[bool]:
        """While entered, all steps of `task` are the main thread's; yields whether this one is.

        Thread: the loop's, in the task.
        """
        is_main = get_ident() == self._main
        self._staying.add(task)
        if self._runner != self._main:
            self._loop.away.add(task)
        try:
            yield is_main
        finally:
            self._staying.discard(task)  # `away` is looked through after this step

    # The thread that runs the loop

    def _hand_over(self, handle: events.Handle) -> None:
        """Have the step of `handle` taken. Called in the loop."""
        if handle.cancelled():
            return
        step = Step(handle)
        if step.task not in self._loop.away:
            handle._run()
            return
        if not (self._to_home(step) if self._runner == self._main else self._to_main(step)):
            return
        if not step.ran:
            self._loop._ready.append(self.deferring(handle))
        if step.error is not None:
            raise step.error

    def _to_home(self, step: Step) -> bool:
        stopped: BaseException | None = None
        self.for_home = step
        self._ask_home()
        while not step.is_over:
            try:
                step.ended.get()
            except KeyboardInterrupt as error:  # the step goes on all the same, and must not be left alone
                stopped = error
        step.error = step.error or stopped
        return True

    def _to_main(self, step: Step) -> bool:
        with self._lock:
            wake = self._wake_main
            if wake is None:
                self._parked.append(step.handle)
                return False
            self._for_main = step
        wake()
        while True:
            with contextlib.suppress(Empty):
                step.ended.get(timeout=_SLICE)
                return True
            with self._lock:
                if not step.taken:  # a toolkit's loop, or a Stop that came at that moment
                    step.withdrawn, self._for_main = True, None
                    self._parked.append(step.handle)
                    return False

    # The main thread

    def wait(self, get: Callable[[], T], wake: Callable[[], None]) -> T:
        """Return `get()`, which waits, and take steps meanwhile. `wake` makes `get` return at once.

        Thread: main; elsewhere it is `get()`.
        """
        if get_ident() != self._main:
            return get()
        try:
            with self._lock:
                self._wake_main = wake
                parked = bool(self._parked)
            if parked:
                self._loop.call_soon_threadsafe(self._release_parked)
            return get()
        finally:
            with self._lock:
                self._wake_main = None
                step, self._for_main = self._for_main, None
            if step is not None:
                with self._guard(step.task):
                    self._take(step, step.handle._run)

    def _release_parked(self) -> None:
        for handle in self._take_parked():
            self._loop._ready.append(self.deferring(handle))

    def _take_parked(self) -> list[events.Handle]:
        with self._lock:
            parked = list(self._parked)
            self._parked.clear()
        return parked

    # The home thread

    def take_at_home(self) -> None:
        """Take the step that the main thread waits for. Thread: home."""
        step, self.for_home = self.for_home, None
        if step is not None:
            self._take(step, partial(self._run_stoppably, step.handle))

    def _run_stoppably(self, handle: events.Handle) -> None:
        stop = ThreadStop()
        self.stop_step = stop.stop
        try:
            handle._run()
        finally:
            self.stop_step = None
            try:
                stop.close()
            except KeyboardInterrupt:  # it came before `close` could catch it
                stop.close()

    def _take(self, step: Step, run: Callable[[], None]) -> None:
        """Take it as if the loop ran on the calling thread, which it does not."""
        loop, task = self._loop, step.task
        others_loop, hooks = asyncio._get_running_loop(), sys.get_asyncgen_hooks()
        runner = loop.owner, loop._thread_id
        try:
            with self._lock:
                if step.withdrawn:
                    return
                step.taken = True
            asyncio._set_running_loop(loop)
            loop.owner = loop._thread_id = get_ident()
            self._stepped = task
            sys.set_asyncgen_hooks(loop._asyncgen_firstiter_hook, loop._asyncgen_finalizer_hook)
            try:
                step.ran = True
                run()
            except (SystemExit, KeyboardInterrupt) as error:
                step.error = error
            finally:
                self._stepped = None
                loop.owner, loop._thread_id = runner
                asyncio._set_running_loop(others_loop)
                sys.set_asyncgen_hooks(*hooks)
            stays = task in self._staying or holds_greenlet_of_this_thread(coroutine_of(task))
            if task.done() or not stays:
                loop.away.discard(task)
        finally:
            step.is_over = True
            step.ended.put(None)


async def on_main(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await `coroutine` with all of its steps on the main thread, as in `create_task(on_main(poll()))`.

    For what belongs to a thread: `threading.local`, an `RLock`, a connection of `sqlite3`. While a plain cell
    runs, the coroutine waits. Outside a notebook it changes nothing.
    """
    anchors = getattr(asyncio.get_running_loop(), "anchors", None)
    task = asyncio.current_task()
    try:
        if anchors is None or task is None:
            return await coroutine
        with anchors.staying(task) as is_main:
            if not is_main:
                await asyncio.sleep(0)  # the next step is there
            return await coroutine
    finally:
        coroutine.close()  # it was cancelled before it began
