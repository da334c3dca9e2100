"""Stop while an async cell's loop runs on the main thread."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Protocol

from namespace_kernel.base.asyncio_tasks import AROUND_TASKS, coroutine_of, frame_of, is_inside, waits
from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.started import CALLBACK

from . import step_on_main
from .step_on_main import APART, PATIENCE


class Controller(step_on_main.Controller, Protocol):
    """What is asked of `InterruptController`."""

    pending: bool
    callback_runs: Callable[[], bool]

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

    def __enter__(self) -> None:
        self._controller.target = self
        if self._execution.interrupted or self._controller.pending:
            self._end_soon()

    def __exit__(self, kind: type[BaseException] | None, error: object, tb: TracebackType | None) -> None:
        self._controller.target = None
        self._controller.install()

    def interrupt(self, frame: FrameType | None) -> None:
        """Raise in the cell's code, or cancel it where it waits."""
        is_over, current = self._task.done(), self._loop.anchors.current_task()
        # The home thread may be taking the step.
        stop: Callable[[], object] = self._loop.anchors.stop_step or _raise
        is_own = current is self._task or current in self._execution.tasks
        if current is not None and stop is _raise:  # an eager task is noted after its first step
            is_own = is_own or current_execution.get() is self._execution
        if is_own or not is_over:
            self._end_soon(current)
        if not is_over and self._controller.callback_runs():
            stop()  # in the callback, which holds up the cell
            return
        runs: object = current
        if current is None and stop is _raise:
            runs = self._loop.turns if self._is_in_callback(frame) else None
            is_own = runs is not None and current_execution.get() is self._execution
        elif current is not None and stop is _raise and not _executes(frame, coroutine_of(current)):
            return  # asyncio is just taking a step of it, and must not be torn apart
        if is_own:
            stop()
            return
        other, since = self._in_the_way
        now = monotonic()
        if runs != other:
            self._in_the_way = runs, now
            if stop is not _raise:
                frame = sys._current_frames().get(self._loop.owner or 0)
            if runs is not None and frame is not None:
                self._explain_later(runs, self._controller.lines.describe_frame(frame))
        elif runs is not None and now - since >= APART:
            self._in_the_way = None, 0.0
            stop()

    def _is_in_callback(self, frame: FrameType | None) -> bool:
        """Whether `frame` is in a callback with code of a cell, where no task's step is taken.

        Others may be asyncio's own, or take a task's step, which must not be torn apart.
        """
        is_cells = False
        while frame is not None and frame.f_code is not CALLBACK:
            is_cells = is_cells or self._controller.lines.is_cell_file(frame.f_code.co_filename)
            frame = frame.f_back
        return frame is not None and is_cells

    def _end_soon(self, current: asyncio.Task[object] | None = None) -> None:
        self._execution.interrupted = self._execution.interrupted or not self._task.done()
        # A step that is due is taken before `_cancel`, and may be the last one. Such a task is only marked.
        due = [task for task in self._tasks() if task is not current and not waits(task) and task.cancel()]
        self._loop.call_soon_threadsafe(self._cancel, due)

    def _cancel(self, already: list[asyncio.Task[Any]]) -> None:
        for task in self._tasks():
            if task not in already:
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


def _raise() -> None:
    raise KeyboardInterrupt
