"""Errors that come out of a function of ours, which stands in front of one of Python's, without our frames.

The user has called Python's function, and sees what Python's own would show: a file of this package in the
traceback of a missing program would be taken for the cause.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_PACKAGE = __name__.partition(".")[0]

#: Where all code of ours lies.
OWN_FOLDER = Path(__file__).resolve().parents[1]
#: What Python runs as `__main__`.
_PROGRAM = str(Path(__file__).parents[1] / "__main__.py")


def is_own(frame: FrameType) -> bool:
    """Whether it is of code of this package."""
    name = dict.get(frame.f_globals, "__name__")
    if name == "__main__":
        return frame.f_code.co_filename == _PROGRAM
    return type(name) is str and name.partition(".")[0] == _PACKAGE


def without_own_frames(trace: TracebackType | None, *, also_last: bool = False) -> TracebackType | None:
    """Return `trace` without the frames of this package, as IPython leaves out its own.

    The last one stays, unless `also_last`: an error that is raised here is our business. Changes the
    chain in place, so `%debug` and the exception itself see the same.
    """
    kept: TracebackType | None = None
    first: TracebackType | None = None
    while trace is not None:
        following = trace.tb_next
        if not is_own(trace.tb_frame) or (following is None and not also_last):
            if kept is None:
                first = trace
            else:
                kept.tb_next = trace
            kept = trace
        trace = following
    if kept is not None:
        kept.tb_next = None
    return first


def hide(error: BaseException) -> None:
    """Take our frames out of the traceback of `error`; to be called in the `except` that raises it again.

    A bare `raise` adds no frame (from Python 3.11 on).
    """
    error.__traceback__ = without_own_frames(error.__traceback__, also_last=True)


def unseen(function: Callable[P, T]) -> Callable[P, T]:
    """`function`, whose errors have no frame of ours. Thread: as for the function."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            hide(error)
            raise

    return call


def argument_of(frame: FrameType, name: str) -> Any:
    """What a function that runs has as its argument `name` now.

    Until Python 3.12 a frame that is asked keeps a copy of all its variables till the function's end: what
    the function deletes meanwhile would stay. So the copy is emptied, unless somebody else has it
    (`locals()`), or there is a debugger, which writes it back.

    Thread: the one that runs the function.
    """
    values = frame.f_locals
    value = values.get(name)
    if _KEEPS_A_COPY and sys.getrefcount(values) == _NOBODY_ELSE_S and sys.gettrace() is None:
        values.clear()
    return value


_KEEPS_A_COPY = sys.version_info < (3, 13)
#: The references to the copy that there are in any case: the frame's, ours, and that of the question.
_NOBODY_ELSE_S = 3
