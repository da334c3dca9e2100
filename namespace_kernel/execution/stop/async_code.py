"""Stop while an async cell's loop runs on the main thread."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Protocol

from namespace_kernel.base.asyncio_tasks import is_inside, waits
from namespace_kernel.base.execution import Execution
from namespace_kernel.base.originals import monotonic

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
        #: Whose code executed at the last Stop, and since which one.
        self._in_the_way: tuple[asyncio.Task[object] | None, float] = (None, 0.0)

    def __enter__(self) -> None:
        self._controller.target = self
        if self._execution.interrupted or self._controller.pending:
            self._end_soon()

    def __exit__(self, kind: type[BaseException] | None, error: object, tb: TracebackType | None) -> None:
        self._controller.target = None
        self._controller.install()

    def interrupt(self, frame: FrameType | None) -> None:
        """Raise in the cell's code, or cancel it where it waits."""
        if self._task.done():
            return
        current = self._loop.anchors.current_task()
        self._end_soon(current)
        # The home thread may be taking the step.
        stop: Callable[[], object] = self._loop.anchors.stop_step or _raise
        if self._controller.callback_runs():
            stop()  # in the callback, which holds up the cell
            return
        if current is not None and stop is _raise and not is_inside(frame, current.get_coro()):
            return  # asyncio is just taking a step of it, and must not be torn apart
        if current is self._task or current in self._execution.tasks:
            stop()
            return
        other, since = self._in_the_way
        now = monotonic()
        if current is not other:
            self._in_the_way = current, now
            if stop is not _raise:
                frame = sys._current_frames().get(self._loop.owner or 0)
            if current is not None and frame is not None:
                self._explain_later(current, self._controller.lines.describe_frame(frame))
        elif current is not None and now - since >= APART:
            self._in_the_way = None, 0.0
            stop()

    def _end_soon(self, current: asyncio.Task[object] | None = None) -> None:
        self._execution.interrupted = True
        # A step that is due is taken before `_cancel`, and may be the last one. Such a task is only marked.
        due = [task for task in self._tasks() if task is not current and not waits(task) and task.cancel()]
        self._loop.call_soon_threadsafe(self._cancel, due)

    def _cancel(self, already: list[asyncio.Task[Any]]) -> None:
        for task in self._tasks():
            if task not in already:
                task.cancel()

    def _tasks(self) -> list[asyncio.Task[Any]]:
        return [self._task, *self._execution.tasks]

    def _explain_later(self, other: asyncio.Task[object], where: str) -> None:
        def explain() -> None:
            if not self._task.done() and self._loop.anchors.current_task() is other:
                self._controller.notices.notice(
                    f"the cell waits for a task that another cell started, which is busy {where}; "
                    "Stop again ends that task"
                )

        self._controller.timers.call_later(PATIENCE, explain)


def _raise() -> None:
    raise KeyboardInterrupt
