"""What asyncio's module functions answer in threads where no loop runs.

`asyncio.get_event_loop()` answers the user loop, also after `asyncio.run()` has set and removed its
own; `create_task` and `all_tasks`, called by a helper function in a sync cell, use the user loop.
`get_running_loop()` keeps raising: that is how libraries ask whether they are inside a loop. For the
same reason `current_task` finds none.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
from collections.abc import Callable
from functools import partial
from traceback import walk_tb
from typing import Any

from namespace_kernel.base.frames import hide, unseen
from namespace_kernel.base.patching import Function, Patch
from namespace_kernel.base.weak_references import WeakThings

from .asyncio_names import STILL, twice
from .tasks import TASK_REPRS
from .thread_aware_loop import ThreadAwareLoop

if sys.version_info >= (3, 14):
    from .loop_setting import LoopAnswers
else:
    from .loop_policy import LoopAnswers

#: What `as_completed` has no more of.
_END = object()
_RUNNER_S_RUN = asyncio.Runner.run.__code__
#: Whether `as_completed` is, where no loop runs.
_IS_REFUSED = sys.version_info >= (3, 14)


class AsyncioFront:
    """Gives the answers. Thread: that of the caller."""

    def __init__(self, loop: ThreadAwareLoop, serves: Callable[[], bool]) -> None:
        self._loop = loop
        self._serves = serves
        self._answers = LoopAnswers(loop, lambda: self._serves())
        self._leftover: asyncio.AbstractEventLoop | None = None
        self._set_loops: WeakThings[asyncio.AbstractEventLoop] = WeakThings()
        self.patches = (
            *self._answers.patches,
            *twice(asyncio.events, "set_event_loop", self._noting),
            *twice(asyncio.runners, "run", self._whole),
            Patch(asyncio.Runner, "run", self._ignoring_leftover, undone=self._only_pass_on),
            Patch(asyncio.Runner, "close", self._ignoring_leftover),
            *twice(asyncio.tasks, "create_task", self._with_user_loop),
            *twice(asyncio.tasks, "all_tasks", self._with_user_loop),
            *twice(asyncio.tasks, "gather", self._watched),
            *twice(asyncio.tasks, "shield", self._watched),
            *twice(asyncio.tasks, "as_completed", self._still_at_each),
            *twice(asyncio.tasks, "ensure_future", self._still),
            *twice(asyncio.futures, "wrap_future", self._still),
            *TASK_REPRS,
            *(Patch(kind, name, self._still) for kind, names in STILL for name in names),
        )

    def _still(self, function: Function) -> Function:
        """Where no loop runs in the calling thread, the user loop stands still for `function`."""

        def still(*args: object, **options: object) -> object:
            try:  # not `unseen`: they are called often
                if asyncio._get_running_loop() is not None or not self._serves():
                    return function(*args, **options)
                return self._loop.still(function, *args, **options)
            except BaseException as error:
                hide(error)
                raise

        return still

    def _watched(self, function: Function) -> Function:
        """`gather` and `shield` take their tasks' exceptions, which nobody hears of if nobody awaits them."""
        still = self._still(function)

        @unseen
        def watched(*args: object, **options: object) -> object:
            future = still(*args, **options)
            if future.get_loop() is self._loop and self._loop.listener is not None:
                self._loop.listener.gathering_created(future)
            return future

        return watched

    def _still_at_each(self, function: Function) -> Function:
        """As `_still`; until Python 3.12 `as_completed` is a generator, which works when it is asked.

        Since 3.14 it asks for the current task, and is refused where no loop runs.
        """
        still, ask = self._still(partial(self._as_if_running, function)), self._still(next)

        @unseen
        def as_completed(*args: object, **options: object) -> object:
            each = still(*args, **options)
            return (one for one in iter(lambda: ask(each, _END), _END)) if inspect.isgenerator(each) else each

        return as_completed

    def _as_if_running(self, function: Function, *args: object, **options: object) -> object:
        if not _IS_REFUSED or asyncio._get_running_loop() is not None or not self._serves():
            return function(*args, **options)
        asyncio._set_running_loop(self._loop)
        try:
            return function(*args, **options)
        finally:
            asyncio._set_running_loop(None)

    def _noting(self, function: Function) -> Function:
        """Note which loops cells set."""

        @unseen
        def set_event_loop(loop: asyncio.AbstractEventLoop | None) -> None:
            if isinstance(loop, asyncio.AbstractEventLoop) and loop is not self._loop and self._serves():
                with contextlib.suppress(TypeError):  # not every loop can be referred to weakly
                    self._set_loops.add(loop)
            function(loop)

        return set_event_loop

    def take_set_loops(self) -> list[asyncio.AbstractEventLoop]:
        """The loops that cells have set since this was called last, if they are still there. Thread: any."""
        loops = list(self._set_loops)
        self._set_loops.clear()
        return loops

    def note_leftover(self) -> None:
        """Note the running loop that is set though nothing of it is on the stack, before a cell.

        Playwright's sync API leaves its own between two calls, which ask for it.

        Thread: main.
        """
        self._leftover = asyncio._get_running_loop()
        self._answers.renew()

    def _whole(self, function: Function) -> Function:
        """`asyncio.run` runs its loop, or leaves none.

        A Stop may come when it has set the loop and not run it. Python leaves it set and open then, and
        `get_event_loop()` would answer it in the next cells, where it never runs.
        """
        run = self._ignoring_leftover(function)

        @unseen
        def run_or_leave_none(*args: object, **kwargs: object) -> object:
            known = list(self._set_loops)
            try:
                return run(*args, **kwargs)
            except KeyboardInterrupt as stop:
                if not any(frame.f_code is _RUNNER_S_RUN for frame, _ in walk_tb(stop.__traceback__)):
                    self._drop([loop for loop in self._set_loops if all(loop is not one for one in known)])
                raise

        return run_or_leave_none

    def _drop(self, loops: list[asyncio.AbstractEventLoop]) -> None:
        """Close those of the set `loops` that do not run, and set none in their place."""
        for loop in loops:
            if not loop.is_running():
                asyncio.set_event_loop(None)
                with contextlib.suppress(Exception):  # it was just being closed
                    loop.close()

    def _ignoring_leftover(self, run: Function) -> Function:
        @unseen
        def run_all_the_same(*args: object, **kwargs: object) -> object:
            loop = asyncio._get_running_loop()
            if loop is None or loop is not self._leftover or not self._serves():
                return run(*args, **kwargs)
            asyncio._set_running_loop(None)
            try:
                return run(*args, **kwargs)
            finally:
                asyncio._set_running_loop(loop)

        return run_all_the_same

    def _only_pass_on(self) -> None:
        """Whoever has put something before ours calls it also when it is undone."""
        self._serves = lambda: False

    def _with_user_loop(self, function: Function) -> Function:
        if function.__name__ == "create_task":

            @unseen
            def create_task(coro: Any, **options: object) -> object:
                if asyncio._get_running_loop() is None and self._serves():
                    # `name` may be None, which loops take; `context` must be absent if it is None.
                    given = {key: value for key, value in options.items() if value is not None}
                    return self._loop.create_task(coro, **given)
                return function(coro, **options)

            return create_task

        @unseen
        def all_tasks(loop: asyncio.AbstractEventLoop | None = None) -> object:
            if loop is None and asyncio._get_running_loop() is None and self._serves():
                loop = self._loop
            return function(loop)

        return all_tasks
