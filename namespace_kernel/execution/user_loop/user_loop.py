"""The user loop: one event loop for life, which moves between its own thread and the main thread.

A loop belongs to a thread only while it runs. So it lives at home, on a thread of its own, where
tasks and widgets go on while a sync cell blocks the main thread; and for a foreground async cell it
is stopped there, between two iterations, and run on the main thread until the cell is done, because
only there does SIGINT break a blocking call.

While it has nothing to do the home thread does not run it but rests: it waits for an event, and the cell
need not ask for the loop. Two waits for another thread less: with two loaded cores, a fifth of the time of
`await asyncio.sleep(0)`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context as ContextVars
from functools import partial
from queue import SimpleQueue
from threading import get_ident
from types import FrameType
from typing import Any, TypeVar

from namespace_kernel.base.asyncio_tasks import (
    OF_THE_LOOP,
    CellCoroutine,
    all_tasks_of,
    coroutine_of,
    executes,
)
from namespace_kernel.base.execution import Execution
from namespace_kernel.base.lines import Lines, Notices
from namespace_kernel.base.originals import monotonic, repair
from namespace_kernel.base.started import called_by_loop, execution_in, started_of
from namespace_kernel.base.threads import FREE_THREADED, Condition, Thread, frames_of_threads
from namespace_kernel.execution.stop.thread_stop import raiser_in

from .anchors import Guard
from .tasks import LoopNews, LoopTasks
from .thread_aware_loop import new_loop

T = TypeVar("T")

#: After this many seconds, say what the loop is busy with.
_PATIENCE = 0.5

#: How often, in seconds, a waiting cell looks whether it was stopped.
_SLICE = 0.05


class UserLoop:
    """Owns the loop and its home thread.

    `report` shows a task's exception that nobody retrieved; it is called in the task's context. `guard` is
    entered on the main thread around a step of a task that belongs there while the loop is at home.

    Guarantees: at most one thread runs the loop; whoever stops it, it runs again.
    """

    def __init__(
        self,
        notices: Notices,
        lines: Lines,
        report: Callable[[BaseException, str], None],
        guard: Guard = lambda task: contextlib.nullcontext(),
    ) -> None:
        self.news = LoopNews()
        self.tasks = LoopTasks(notices, lines, report, self.news)
        self.loop = new_loop(self.tasks, self._ask_home, guard)
        self.anchors = self.loop.anchors
        self.loop.set_exception_handler(self.tasks.callback_failed)
        self._notices = notices
        self._lines = lines
        # Guards the flags. Waited on by main (a foreground cell) and by the home thread.
        self._condition = Condition()
        self._wanted = False
        self._taken = False
        self._at_home = False
        self._closing = False
        #: Whether the home thread waits for the loop's next event, also while the loop is borrowed.
        self._rests = False
        self._home = Thread(target=self._live, name="User loop", daemon=True)

    def start(self) -> None:
        """Start the home thread. Thread: main."""
        self.anchors.start()
        self._home.start()

    # Moving

    def borrow(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Wait until the loop has left home; then the calling thread may run it.

        A task that blocks the loop delays this; the user is told whose line it is. Raises
        `KeyboardInterrupt` if `stopped()` becomes true meanwhile; the loop then stays at home.

        Thread: main.
        """
        with self._condition:
            self._wanted = True
            if not self._at_home:
                self._take()
                return
        self.loop.call_soon_threadsafe(self._leave_home)
        patience = monotonic() + _PATIENCE
        while not self._has_left(_SLICE):
            if stopped():
                self.give_back()
                raise KeyboardInterrupt
            if monotonic() > patience and (where := self._whereabouts()):
                patience = float("inf")
                ends = f"Stop ends the wait{self._what_ends_it()}"
                self._notices.notice(f"waiting for the user loop, which is busy {where}; {ends}")
        self._take()

    def _take(self) -> None:
        self._taken, self.loop.rests = True, False
        # What is scheduled before it runs the loop wakes nobody.
        self.loop.owner = self.loop.borrower = get_ident()
        self.anchors.arrive()

    def _has_left(self, timeout: float) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: not self._at_home, timeout)

    def give_back(self) -> None:
        """Let the loop go home. Thread: the borrower."""
        loop = self.loop
        with self._condition:
            self._wanted = False
            if self._taken:
                self._taken = False
                loop.owner, loop.borrower, loop.rests = None, None, self._rests
            self._condition.notify_all()
            if self._rests and loop.oversleeps():
                loop._write_to_self()

    def _leave_home(self) -> None:
        if self._wanted and self._at_home:
            self.loop.halt()

    def _live(self) -> None:
        self.loop.home = get_ident()
        while self._comes_to_run():
            for tell in self.news.comes_home:
                tell()
            self.anchors.arrive()
            try:
                self.loop.run_forever()
            except BaseException as error:
                repair(error)
                self._notices.notice(f"a task raised {type(error).__name__}; the user loop goes on")
            finally:
                with self._condition:
                    self._at_home = False
                    self.loop.rests = self.loop.was_idle and not self._wanted
                    self._condition.notify_all()
        self.loop.home = None

    def _comes_to_run(self) -> bool:
        """Rest until the loop, not borrowed, has work; whether it is to be run. Thread: home."""
        while True:
            with self._condition:
                self._rests = False
                self._condition.wait_for(
                    lambda: not self._wanted or self._closing or self.anchors.for_home is not None
                )
                if self._closing:
                    self.loop.rests = False
                    return False
                if not self._wanted:
                    if not self.loop.can_rest or self.loop.has_work():
                        self._at_home, self.loop.rests = True, False
                        return True
                    self._rests = self.loop.rests = True
            if self._rests:
                self.loop.wait_for_work()
            self.anchors.take_at_home()

    def _ask_home(self) -> None:
        with self._condition:
            self._condition.notify_all()
            if self._rests:
                self.loop._write_to_self()

    def end_step(self, tasks: Iterable[asyncio.Task[Any]], turn: int) -> None:
        """Raise `KeyboardInterrupt` in the one of `tasks` that has kept the home thread since that turn of
        the loop (`loop.turns`), some time ago: to be cancelled takes a turn. Thread: any.
        """
        home = self._keeper_since(turn)
        if home is not None and any(executes(coroutine_of(task)) for task in tasks):
            raiser_in(home)()

    def end_callback(self, turn: int, execution: Execution | None = None) -> bool:
        """As `end_step`, of a callback that is no task's step, only if it belongs to `execution` where that
        is given; whether it is there. Thread: any.
        """
        found = self.callback()
        home = self._keeper_since(turn)
        if found is None or home is None or (execution is not None and found[1] is not execution):
            return False
        raiser_in(home)()
        return True

    def callback(self) -> tuple[FrameType, Execution] | None:
        """Where the home thread calls a callback of a cell's that is no task's step, and which cell's.
        Thread: any.
        """
        # The variables of a frame that executes meanwhile must not be looked at.
        if FREE_THREADED or self.anchors.current_task() is not None or self.loop.owner != self._home.ident:
            return None
        frame = called_by_loop(frames_of_threads().get(self._home.ident or 0))
        execution = None if frame is None else execution_in(frame)
        return None if frame is None or execution is None else (frame, execution)

    def _keeper_since(self, turn: int) -> int | None:
        home, loop = self._home.ident, self.loop
        return home if loop.owner == home and loop.turns == turn else None

    def _whereabouts(self) -> str:
        """The line that keeps the loop; nothing if only its own code runs, on a machine with much to do."""
        frame = frames_of_threads().get(self._home.ident or 0)
        if frame is None or frame.f_code.co_filename.startswith(OF_THE_LOOP):
            return ""
        return self._lines.describe_frame(frame)

    def _what_ends_it(self) -> str:
        """The line that ends what keeps the loop, in words; nothing if that has no number."""
        started, turn = started_of(self.anchors.current_task()), self.loop.turns
        if started is not None:
            return f", `%stop task {started.number}` the task"
        return f", `%stop callback {turn}` the callback" if self.callback() is not None else ""

    @property
    def home_ident(self) -> int | None:
        """The home thread's ident."""
        return self._home.ident

    # Tasks

    def start_cell(self, execution: Execution, body: Awaitable[T], context: ContextVars) -> asyncio.Task[T]:
        """Create the task that runs a cell's own code. Thread: the one that runs the loop, or is about to.

        Not `loop.create_task`: a cell is not among the tasks that it starts.
        """
        name = execution.cell.execution_id
        coroutine: Any = CellCoroutine(body, name, self._lines.is_cell_file)
        task: asyncio.Task[T] = asyncio.Task(coroutine, loop=self.loop, context=context, name=name)
        execution.own_task = task
        self.tasks.began()
        return task

    # The end

    def close(self, timeout: float) -> None:
        """Cancel all tasks, let them finish for `timeout` seconds, and stop.

        Thread: main, not borrowing. A home thread that is stuck is left behind (it is a daemon).
        """
        if not self._home.is_alive():
            return
        ending = asyncio.run_coroutine_threadsafe(self._end_tasks(), self.loop)
        ended: SimpleQueue[object] = SimpleQueue()
        ending.add_done_callback(ended.put)
        until = monotonic() + timeout
        try:
            while not ending.done():
                remaining = max(0.0, until - monotonic())
                self.anchors.wait(partial(ended.get, timeout=remaining), partial(ended.put, None))
            ending.result()
        except BaseException:  # late, cancelled or failing tasks cannot keep the process alive
            ending.cancel()
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self.loop.call_soon_threadsafe(self.loop.halt)
        self._home.join(timeout)
        if not self._home.is_alive():
            self.loop.close()

    async def _end_tasks(self) -> None:
        tasks = [task for task in all_tasks_of(self.loop) if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.loop.shutdown_asyncgens()
