"""What code starts and leaves to itself: tasks, threads, jobs of thread pools. Who started each, where?"""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from ..coroutines import DeferredCoroutine
from ..safe_facts import callable_facts
from .base import Execution, current_execution

#: Modules whose frames only pass on that something is to be started.
_GO_BETWEENS = frozenset(("asyncio", "threading", "concurrent", "namespace_kernel"))

_ATTRIBUTE = "_namespace_kernel_started"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Place:
    """A line of code."""

    filename: str
    line: int


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


def note_start(thing: Any, target: Any, is_users_file: Callable[[str], bool]) -> Started:
    """Record that the calling code starts `thing`, which will run `target`: a coroutine, or something
    to call. Neither is asked for anything: it may answer with code of its own. Thread: any.
    """
    name, code = callable_facts(target)
    if type(target) is DeferredCoroutine:
        name = target.__qualname__
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
