"""Stop while an async cell's loop runs on the main thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from threading import main_thread
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Protocol
from weakref import WeakMethod

from namespace_kernel.base.asyncio_tasks import (
    AROUND_TASKS,
    asyncio_executes,
    coroutine_of,
    frame_of,
    is_inside,
    waits,
)
from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.started import CALLBACK, called_by_loop
from namespace_kernel.base.threads import frames_of_threads

from . import step_on_main
from .step_on_main import APART, PATIENCE
from .thread_stop import MOMENT, MOST

#: A Stop that has cancelled a cell looks whether the loop goes on, each time after so many seconds.
HELD_UP = 0.3

#: What is done in the signal handler, which gets the frame that executes.
Reaction = Callable[[FrameType | None], object]


class Kept(NamedTuple):
    """A Stop that came where it must not be raised."""

    #: What executed: a task, or a callback; and in which turn of the loop.
    current: asyncio.Task[object] | None
    turns: int
    since: float


class Controller(step_on_main.Controller, Protocol):
    """What is asked of `InterruptController`."""

    pending: bool
    callback_runs: Callable[[], bool]

    @property
    def turn(self) -> int:
        """Which cell runs."""

    def stop_turn(self, turn: int, is_still_wanted: Callable[[], bool]) -> bool:
        """Send a Stop that the cell `turn` alone gets."""

    def settle(self) -> None:
        """Let what has been sent arrive."""

    def install(self) -> None:
        """Take SIGINT back from user code that took it."""


class AsyncCode:
    """While entered, the code of an async cell runs on the main thread, in `task`."""

    def __init__(
        self,
        controller: Controller,
        execution: Execution,
        task: asyncio.Task[object],
        loop: Any,
    ) -> None:
        self._controller = controller
        self._execution = execution
        self._task = task
        self._loop = loop
        #: What held up the cell at the last Stop, a task or a turn of the loop, and since which one.
        self._in_the_way: tuple[object, float] = (None, 0.0)
        #: What comes again is of which Stop: another number, and it is not wanted any more.
        self._number = 0
        #: The tasks that the last one has cancelled, or was raised in.
        self._ended: list[asyncio.Task[Any]] = []
        #: What the next signal is for, if not for a Stop of the user's.
        self._sent: Reaction | None = None

    def __enter__(self) -> None:
        self._controller.target = self
        if self._execution.interrupted or self._controller.pending:
            self._end_soon()

    def __exit__(self, kind: type[BaseException] | None, error: object, tb: TracebackType | None) -> None:
        if self._number:
            self._number += 1
            self._controller.settle()
        self._controller.target = None
        self._controller.install()

    def interrupt(self, frame: FrameType | None) -> None:
        """Raise in the cell's code, or cancel it where it waits."""
        sent, self._sent = self._sent, None
        if sent is None:
            self._number += 1
            self._stop(frame)
        else:
            sent(frame)

    def _stop(self, frame: FrameType | None, again: bool = False) -> None:
        """As `interrupt`; or as what looks again after one."""
        now, is_over, current = monotonic(), self._task.done(), self._loop.anchors.current_task()
        # The home thread may be taking the step.
        stop: Callable[[], object] | None = self._loop.anchors.stop_step
        is_own = current is self._task or current in self._execution.tasks
        if current is not None and stop is None:  # an eager task is noted after its first step
            is_own = is_own or current_execution.get() is self._execution
        if not again:
            self._ended = self._end_soon(current) if is_own or not is_over else []
        elif current in self._ended:
            return  # it cleans up
        raises = stop or partial(self._raise, frame, current, now)
        if not is_over and self._controller.callback_runs():
            raises()  # in the callback, which holds up the cell
            return
        runs: object = current
        if current is None and stop is None:
            runs = self._loop.turns if self._is_in_callback(frame) else None
            is_own = runs is not None and current_execution.get() is self._execution
        elif current is not None and stop is None and not _executes(frame, coroutine_of(current)):
            runs, is_own = None, False  # asyncio is just taking a step of it, and must not be torn apart
        if not again and stop is None:
            self._look_again(self._number)
        if is_own:
            raises()
            return
        other, since = self._in_the_way
        if runs is not None and runs != other:
            self._in_the_way = runs, now
            if stop is not None:
                frame = frames_of_threads().get(self._loop.owner or 0)
            if frame is not None:
                self._explain_later(runs, self._controller.lines.describe_frame(frame))
        elif runs is not None and not again and now - since >= APART:
            self._in_the_way = None, 0.0
            raises()

    def _look_again(self, number: int, before: int = -1, sent: int = -1) -> None:
        """Stop what holds up the loop, as long as Stop `number` counts: it came before what would end the
        cell, or is new.

        `before` was the loop's turn at the last look, `sent` that in which something was stopped, if any was.
        """
        weak = WeakMethod(self._look)

        def look() -> None:
            method = weak()  # what a cell has must not be kept for this
            if method is not None:
                method(number, before, sent)

        self._controller.timers.call_later(HELD_UP, look)

    def _look(self, number: int, before: int, sent: int) -> None:
        turns = self._loop.turns
        if self._number != number:
            return
        frame = frames_of_threads().get(main_thread().ident or 0)
        is_code = called_by_loop(frame) is not None and self._loop.anchors.current_task() not in self._ended
        if is_code and turns == before != sent:
            sent = turns
            self._send(partial(self._stop, again=True), number, turns)
        self._look_again(number, turns, sent)

    def _send(self, react: Reaction, number: int, turns: int) -> None:
        """Let `react` be called in the signal handler, unless a Stop or another turn came first."""

        def is_still_wanted() -> bool:
            if self._number != number or self._loop.turns != turns:
                return False
            self._sent = react
            return True

        self._controller.stop_turn(self._controller.turn, is_still_wanted)

    def _raise(self, frame: FrameType | None, current: asyncio.Task[object] | None, since: float) -> None:
        """Raise `KeyboardInterrupt` in `frame`; in a moment, where asyncio's own code executes.

        In the midst of that it would leave a task that nobody steps, or a transport neither open nor closed.
        The cell's own task is not cancelled, too, where it is raised: its `finally` may await something.
        """
        if monotonic() - since > MOST or not asyncio_executes(frame):
            if _executes(frame, coroutine_of(self._task)):
                self._ended.append(self._task)
            self._number += 1  # it has arrived
            raise KeyboardInterrupt
        kept = Kept(current, self._loop.turns, since)
        again = partial(self._send, partial(self._raise_again, kept), self._number, kept.turns)
        self._controller.timers.call_later(MOMENT, again)

    def _raise_again(self, kept: Kept, frame: FrameType | None) -> None:
        """As `_raise`, if the same executes as before, or the first step of an eager task of it."""
        if self._loop.turns != kept.turns:
            return
        current = self._loop.anchors.current_task()
        if kept.current is not None:
            hits = _executes(frame, coroutine_of(kept.current))
        elif current in self._tasks():
            hits = False  # it was due, so it is cancelled already
        else:
            is_own = self._is_in_callback(frame) and current_execution.get() is self._execution
            hits = is_own or self._controller.callback_runs()
        if hits:
            self._raise(frame, kept.current, kept.since)

    def _is_in_callback(self, frame: FrameType | None) -> bool:
        """Whether `frame` is in a callback with code of a cell, where no task's step is taken.

        Others may be asyncio's own, or take a task's step, which must not be torn apart.
        """
        is_cells = False
        while frame is not None and frame.f_code is not CALLBACK:
            is_cells = is_cells or self._controller.lines.is_cell_file(frame.f_code.co_filename)
            frame = frame.f_back
        return frame is not None and is_cells

    def _end_soon(self, current: asyncio.Task[object] | None = None) -> list[asyncio.Task[Any]]:
        """Cancel the cell's tasks soon. Returns those that have been, to which others will be added."""
        self._execution.interrupted = self._execution.interrupted or not self._task.done()
        # A step that is due is taken before `_cancel`, and may be the last one. Such a task is only marked.
        due = [task for task in self._tasks() if task is not current and not waits(task) and task.cancel()]
        self._loop.call_soon_threadsafe(self._cancel, due)
        return due

    def _cancel(self, ended: list[asyncio.Task[Any]]) -> None:
        for task in self._tasks():
            if task not in ended:
                ended.append(task)
                task.cancel()

    def _tasks(self) -> list[asyncio.Task[Any]]:
        return [self._task, *self._execution.tasks]

    def _explain_later(self, runs: object, where: str) -> None:
        what = "a callback" if isinstance(runs, int) else "a task that another cell started"

        def explain() -> None:
            if self._controller.target is self and runs in (
                self._loop.anchors.current_task(),
                self._loop.turns,
            ):
                self._controller.notices.notice(
                    f"the cell waits for {what}, which is busy {where}; Stop again ends it"
                )

        self._controller.timers.call_later(PATIENCE, explain)


def _executes(frame: FrameType | None, coroutine: Any) -> bool:
    """Whether `frame` is in the code of a task's `coroutine`, and not in asyncio's around it."""
    if frame_of(coroutine) is not None:
        return is_inside(frame, coroutine)
    # One of C's, as what ends an async generator: its code is what the loop calls.
    called = None
    while frame is not None and frame.f_code is not CALLBACK:
        frame, called = frame.f_back, frame
    return frame is not None and called is not None and not called.f_code.co_filename.startswith(AROUND_TASKS)
