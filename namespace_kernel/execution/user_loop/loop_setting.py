"""What `asyncio.get_event_loop()` answers, from Python 3.14 on: nothing here rests on asyncio's policies.

In the threads where cells run a loop is always set: the user's own while it is open, else the user loop. So C
code that asks for it (`asyncio.Future()`) and whoever holds Python's own function are answered, too.
Until 3.13 a policy does it: `loop_policy`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from namespace_kernel.base.asyncio_tasks import all_tasks_of
from namespace_kernel.base.frames import unseen
from namespace_kernel.base.patching import Function, Patch

from .asyncio_names import twice


class LoopAnswers:
    """Sets the user loop wherever `serves` is true and no other loop is set.

    Thread: main for installing.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, serves: Callable[[], bool]) -> None:
        self._loop = loop
        self._serves = serves
        self._set = asyncio.events.set_event_loop
        self._before: asyncio.AbstractEventLoop | None = None
        #: The loops that cells have set, each for its thread.
        self._own = threading.local()
        self.patches = (
            Patch(asyncio.events, "get_event_loop", self._answering, undone=self._unset),
            Patch(asyncio, "get_event_loop", lambda _: asyncio.events.get_event_loop),
            *twice(asyncio.events, "set_event_loop", self._noting),
            # Where there are policies still, a new one knows of no loop.
            Patch(asyncio.events, "_set_event_loop_policy", self._setting_again),
            *twice(asyncio.tasks, "current_task", _in_python_too),
            *twice(asyncio.tasks, "all_tasks", _of_all_threads),
        )

    def renew(self) -> None:
        """To be called before a cell: a loop that is closed is set no more. Thread: one that is served."""
        self._current()

    def _current(self) -> asyncio.AbstractEventLoop:
        """The loop that was set in this thread, if it is open; else the user loop. It is set from now on."""
        loop = getattr(self._own, "loop", None)
        if loop is None or loop.is_closed():
            self._own.loop, loop = None, self._loop
        self._set(loop)
        return loop

    def _unset(self) -> None:
        self._set(self._before)

    def _answering(self, function: Function) -> Function:
        try:
            self._before = function()
        except RuntimeError:
            self._before = None
        self._set(self._loop)

        @unseen
        def get_event_loop() -> object:
            if asyncio._get_running_loop() is None and self._serves():
                return self._current()
            return function()

        return get_event_loop

    def _noting(self, function: Function) -> Function:
        @unseen
        def set_event_loop(loop: asyncio.AbstractEventLoop | None) -> None:
            function(loop)  # it knows what a loop is
            if self._serves():
                self._own.loop = loop
                self._current()

        return set_event_loop

    def _setting_again(self, function: Function) -> Function:
        @unseen
        def set_event_loop_policy(policy: object) -> None:
            function(policy)  # it knows what a policy is
            if self._serves():
                self._current()

        return set_event_loop_policy


def _in_python_too(function: Function) -> Function:
    """Tasks written in Python, which `nest_asyncio` makes of all, are listed apart from those in C."""
    in_python: dict[Any, Any] = asyncio.tasks._current_tasks  # type: ignore[attr-defined]

    @unseen
    def current_task(loop: asyncio.AbstractEventLoop | None = None) -> object:
        task = function(loop)
        if task is None and in_python:
            task = in_python.get(asyncio._get_running_loop() if loop is None else loop)
        return task

    return current_task


def _of_all_threads(function: Function) -> Function:
    """Of the loop that runs, Python's own tells the tasks of the calling thread only: the user loop moves."""

    @unseen
    def all_tasks(loop: asyncio.AbstractEventLoop | None = None) -> object:
        asked = asyncio._get_running_loop() if loop is None else loop
        return function(loop) if asked is None else set(all_tasks_of(asked))

    return all_tasks
