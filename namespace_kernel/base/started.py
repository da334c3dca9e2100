"""What code starts and leaves to itself: tasks, threads, jobs of thread pools. Who started each, where?"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import sys
import time
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any
from weakref import ReferenceType, finalize

from .execution import Execution, current_execution
from .frames import argument_of
from .lines import Place
from .safe_facts import callable_facts

#: Where asyncio calls a callback, and `weakref.finalize` its function.
CALLBACK, _FINALIZE = asyncio.Handle._run.__code__, finalize.__call__.__code__
_SUSPENDS = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR

#: Modules whose frames only pass on that something is to be started.
_GO_BETWEENS = frozenset(("asyncio", "threading", "concurrent", "namespace_kernel"))

_ATTRIBUTE = "_namespace_kernel_started"
_numbers = itertools.count(1)


@dataclass(slots=True, eq=False)
class Started:
    """The record of one task, thread or job of a thread pool.

    `place` is the line of the user's that started it, or, if a library did so on behalf of the user,
    where the user's function begins; `None` for what is the library's own. `name` is that of the function
    that runs in it, `thread_ident` the thread that runs a job. `since` is `time.time()`.
    """

    execution: Execution | None
    place: Place | None
    name: str
    thread_ident: int = 0
    number: int = field(default_factory=lambda: next(_numbers))
    since: float = field(default_factory=time.time)


def is_nobodys() -> bool:
    """Whether the calling code runs because an object has ended: by `__del__`, a callback of `weakref`, or
    `weakref.finalize`. What it starts is not of the cell that happens to run then. Thread: any.
    """
    return current_execution.get() is not None and _ends_something(sys._getframe(1))


def nobodys_context() -> Context:
    """A copy of the calling context, but of no cell."""
    context = copy_context()
    context.run(current_execution.set, None)
    return context


def _ends_something(frame: FrameType | None) -> bool:
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or code is _FINALIZE:
            return True
        if code.co_name == "<module>" or code is CALLBACK:  # the cell's code, or a step of a task's
            return False
        if _may_be_callback(code) and _module_of(frame) not in _GO_BETWEENS:
            value = argument_of(frame, code.co_varnames[code.co_argcount - 1])
            if issubclass(type(value), ReferenceType) and ReferenceType.__call__(value) is None:
                return True
        frame = frame.f_back
    return False


def _may_be_callback(code: CodeType) -> bool:
    """Whether it takes what `weakref` gives to a callback, the reference, perhaps after `self`."""
    return code.co_argcount in (1, 2) and not code.co_flags & _SUSPENDS


def called_by_loop(frame: FrameType | None) -> FrameType | None:
    """Where a loop calls what `frame` is part of (`asyncio.Handle._run`); `None` if it calls nothing."""
    while frame is not None and frame.f_code is not CALLBACK:
        frame = frame.f_back
    return frame


def execution_in(frame: FrameType | None) -> Execution | None:
    """What the calling code belongs to, which is in `frame`. What a callback has returned goes away in the
    loop's own code: it belongs to the callback.
    """
    if frame is not None and frame.f_code is CALLBACK:
        context = getattr(argument_of(frame, "self"), "_context", None)
        return context.get(current_execution) if isinstance(context, Context) else None
    return current_execution.get()


def note_start(
    thing: Any, target: Any, is_users_file: Callable[[str], bool], called: str | None = None
) -> Started:
    """Record that the calling code starts `thing`, which will run `target`: a coroutine, or something
    to call. Neither is asked for anything: it may answer with code of its own. `called` is the target's
    name, if that is known better. Thread: any.
    """
    name, code = callable_facts(target)
    name = called or name
    place = _place_of(sys._getframe(1), code, is_users_file)
    started = Started(current_execution.get(), place, f"{name.rpartition('<locals>.')[2]}()")
    with contextlib.suppress(AttributeError, TypeError):  # of a class that has no room for it
        object.__setattr__(thing, _ATTRIBUTE, started)
    return started


def started_of(thing: Any) -> Started | None:
    """The record of `thing`, if there is one."""
    try:
        started: Started | None = object.__getattribute__(thing, _ATTRIBUTE)
    except AttributeError:
        return None
    return started


def _place_of(
    frame: FrameType | None, code: CodeType | None, is_users_file: Callable[[str], bool]
) -> Place | None:
    while frame is not None and _module_of(frame) in _GO_BETWEENS:
        frame = frame.f_back
    if frame is not None and is_users_file(frame.f_code.co_filename):
        return Place(frame.f_code.co_filename, frame.f_lineno)
    if code is not None and is_users_file(code.co_filename):
        return Place(code.co_filename, code.co_firstlineno)
    return None


def _module_of(frame: FrameType) -> str:
    name = dict.get(frame.f_globals, "__name__")
    return name.partition(".")[0] if type(name) is str else ""
