"""What asyncio does not tell about tasks and coroutines: which there are, and where each stands."""

from __future__ import annotations

import asyncio
import gc
import operator
import os
import selectors
import sys
from _thread import get_ident
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any, TypeVar, cast

from .frames import OWN_FOLDER
from .threads import frames_of_threads

T = TypeVar("T")

#: Where the code is that stands around a task's own: asyncio's, and that of our loop.
AROUND_TASKS = (os.path.dirname(asyncio.__file__), str(OWN_FOLDER))
#: Where a loop's own code is, also while it waits.
OF_THE_LOOP = (*AROUND_TASKS, str(selectors.__file__))
#: asyncio's own code and that of our loop; and Python's library, which both use.
_OF_ASYNCIO = (AROUND_TASKS[0], str(OWN_FOLDER / "execution" / "user_loop"))
#: What our loop calls. Not what starts child processes: that expects the exception where a child is whole.
_BESIDE_ASYNCIO = str(OWN_FOLDER / "base")
_LIBRARY, _PACKAGES = os.path.dirname(os.__file__) + os.sep, ("site-packages", "dist-packages")

#: asyncio keeps every task in a weak set, under another name since 3.12. Since 3.14 only those of a class in
#: Python, as `nest_asyncio` has them: of the others each thread has a list, and `all_tasks` knows all lists.
_REGISTRY = "_scheduled_tasks" if hasattr(asyncio.tasks, "_scheduled_tasks") else "_all_tasks"
_ARE_LISTED_IN_C = sys.version_info >= (3, 14)
_Task, _all_tasks, _set_running_loop = asyncio.Task, asyncio.all_tasks, asyncio._set_running_loop


def coroutines_of_tasks(coroutines: list[CoroutineType[Any, Any, Any]]) -> set[int]:
    """The ids of those of `coroutines` that an unfinished task of any loop drives.

    Thread: any.
    """
    tasks = [
        *snapshot(getattr(asyncio.tasks, _REGISTRY)),
        *snapshot(getattr(asyncio.tasks, "_eager_tasks", ())),
    ]
    if _ARE_LISTED_IN_C and coroutines:  # a list for each loop, and nobody knows all loops
        tasks += [one for one in gc.get_referrers(*coroutines) if issubclass(type(one), _Task)]
    return {id(coroutine_of(task)) for task in tasks if not task.done()}


def coroutine_of(task: object) -> Any:
    """The coroutine that a task drives; `None` where there is none.

    `get_coro()` of a task that an eager task factory has run to its end ends the process in Python 3.12.1.
    """
    return getattr(task, "_coro", None)


def snapshot(things: Iterable[T]) -> list[T]:
    """What is in a set (a weak one, as a rule) that other threads add to meanwhile."""
    while True:
        try:
            return list(things)
        except RuntimeError:  # "Set changed size during iteration"
            continue


def all_tasks_of(loop: Any) -> list[asyncio.Task[Any]]:
    """The tasks of `loop` that are not done, whatever they are made by. Thread: any."""
    tasks = [
        task
        for task in snapshot(getattr(asyncio.tasks, _REGISTRY))
        if not task.done() and task.get_loop() is loop
    ]
    return tasks + _listed_in_c(loop) if _ARE_LISTED_IN_C else tasks


def _listed_in_c(loop: Any) -> list[asyncio.Task[Any]]:
    if asyncio._get_running_loop() is not loop:
        return list(_all_tasks(loop))
    # Of the loop that runs in the calling thread only those are told that were made there, and ours moves.
    # The three steps are one call into C, which a Stop cannot tear apart.
    steps: Any = partial(_set_running_loop, None), partial(_all_tasks, loop), partial(_set_running_loop, loop)
    try:
        _, tasks, _ = map(operator.call, steps)
        return list(tasks)
    finally:
        _set_running_loop(loop)


class Around:
    """A coroutine of ours around a cell's own, `_body`."""

    _body: Any


class CellCoroutine(Around):
    """What the task of a cell drives: `body`, and to whoever looks at the task it is the cell's code.

    `repr`, `print_stack` and asyncio's messages name the cell, its file and the line where it waits or runs,
    not the code around it.

    Thread: the loop's; who looks, any.
    """

    #: The body's own, so that no frame of ours comes in between.
    __slots__ = ("close", "send", "throw")

    def __init__(self, body: Any, name: str, is_cell_file: Callable[[str], bool]) -> None:
        self._body = body
        self._is_cell_file = is_cell_file
        self.__name__ = self.__qualname__ = name
        self.send, self.throw, self.close = body.send, body.throw, body.close

    def __repr__(self) -> str:
        return f"<coroutine object {self.__qualname__} at {id(self):#x}>"

    @property
    def cr_frame(self) -> Any:
        """The cell's frame; `None` as long as none of its code runs."""
        coroutine = self._cells()
        return self._running_frame() if coroutine is None else frame_of(coroutine)

    @property
    def cr_code(self) -> CodeType | None:
        """The code of `cr_frame`."""
        code: CodeType | None = getattr(self.cr_frame, "f_code", None)
        return code

    @property
    def cr_await(self) -> object:
        """What the cell waits for."""
        coroutine = self._cells()
        return None if coroutine is None else awaited_by(coroutine)

    @property
    def cr_origin(self) -> None:
        """Nobody has forgotten to await it."""

    @property
    def cr_running(self) -> bool:
        """Whether it runs."""
        return bool(innermost(self).cr_running)

    @property
    def cr_suspended(self) -> bool:
        """Whether it waits."""
        return bool(innermost(self).cr_suspended)

    @property
    def cr_state(self) -> str:
        """What `inspect.getcoroutinestate` says. Python has it since 3.15, and reads it there."""
        state: str = innermost(self).cr_state
        return state

    def _cells(self) -> Any:
        """The coroutine of the cell's code, where that waits."""
        coroutine = innermost(self)
        while (frame := frame_of(coroutine)) is not None and not self._is_cell_file(frame.f_code.co_filename):
            coroutine = awaited_by(coroutine)
        return None if frame is None else coroutine

    def _running_frame(self) -> _Outermost | None:
        outermost = frame_of(self)
        # Not this call's own frame: it would keep itself, and with it what the cell has, till a collection.
        stacks = {**frames_of_threads(), get_ident(): sys._getframe(1)} if outermost else {}
        for frame in stacks.values():
            found, inner = None, cast(FrameType | None, frame)
            while inner is not None and inner is not outermost:
                found = inner if self._is_cell_file(inner.f_code.co_filename) else found
                inner = inner.f_back
            if inner is not None:
                return None if found is None else _Outermost(found)
        return None


class _Outermost:
    """A frame that runs, for asyncio, which would print all that it was called by."""

    f_back = None

    def __init__(self, frame: FrameType) -> None:
        self._frame = frame

    def __getattr__(self, name: str) -> Any:
        return getattr(self._frame, name)


Coroutine.register(CellCoroutine)  # a task asks for no more than these three

#: What a coroutine, a generator and an async generator call their frame, and what they wait for. Others are
#: asked for nothing: they may answer with code of their own.
_PREFIXES = {
    CoroutineType: ("cr", "await"),
    GeneratorType: ("gi", "yieldfrom"),
    AsyncGeneratorType: ("ag", "await"),
}


def innermost(coroutine: Any) -> Any:
    """The coroutine that a coroutine of ours stands around, if it is one."""
    while issubclass(type(coroutine), Around):
        coroutine = coroutine._body
    return coroutine


def frame_of(coroutine: Any) -> FrameType | None:
    """The frame of a coroutine that is not over; `None` also where it is not Python's."""
    coroutine = innermost(coroutine)
    prefix, _ = _PREFIXES.get(type(coroutine), ("", ""))
    return getattr(coroutine, f"{prefix}_frame") if prefix else None


def executes(coroutine: Any) -> bool:
    """Whether the code of a coroutine executes at this moment."""
    coroutine = innermost(coroutine)
    prefix, _ = _PREFIXES.get(type(coroutine), ("", ""))
    return bool(prefix) and bool(getattr(coroutine, f"{prefix}_running"))


def frames_of(coroutine: Any) -> list[FrameType]:
    """The frames of a coroutine that is suspended, and of those it awaits, outermost first.

    Thread: any; of one that is just being resumed, what is seen may be a moment old.
    """
    frames = []
    while (frame := frame_of(coroutine)) is not None:
        frames.append(frame)
        coroutine = awaited_by(coroutine)
    return frames


def awaited_by(coroutine: Any) -> Any:
    """What a coroutine that has a frame (`frame_of`) is suspended in; `None` if it is not."""
    coroutine = innermost(coroutine)
    return getattr(coroutine, "_".join(_PREFIXES[type(coroutine)]))


def was_never_started(value: object) -> bool:
    """Whether `value` is a coroutine whose code has not begun (`inspect.CORO_CREATED`)."""
    return (
        type(value) is CoroutineType
        and value.cr_frame is not None
        and not value.cr_running
        and not value.cr_suspended
    )


def waits(task: Any) -> bool:
    """Whether a task waits for what is not there yet. If not, it runs, is done, or its next step is due.

    Thread: any.
    """
    waiter = getattr(task, "_fut_waiter", None)
    return waiter is not None and not waiter.done()


def asyncio_executes(frame: FrameType | None) -> bool:
    """Whether `frame` is of asyncio's own code, or of what this has called in Python's library or in ours."""
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_OF_ASYNCIO):
            return True
        is_librarys = path.startswith(_LIBRARY) and not any(folder in path for folder in _PACKAGES)
        if not is_librarys and not path.startswith(_BESIDE_ASYNCIO):
            return False
        frame = frame.f_back
    return False


def is_inside(frame: FrameType | None, coroutine: Any) -> bool:
    """Whether `frame` was called, however indirectly, by the code of `coroutine`.

    Thread: the one that executes `frame`. The frames of a greenlet end where it was started; who resumed it
    stands in its parent.
    """
    own = frame_of(coroutine)
    module: Any = sys.modules.get("greenlet")
    greenlet: Any = None if module is None else module.getcurrent()
    while frame is not own and (frame is not None or greenlet is not None):
        if frame is not None:
            frame = frame.f_back
        else:
            greenlet = greenlet.parent
            frame = None if greenlet is None else greenlet.gr_frame
    return frame is not None
