"""Tracebacks without the kernel's own frames, and those of exception groups."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from traceback import walk_tb
from types import TracebackType

from namespace_kernel.base.frames import without_own_frames

#: Of a group, so many members are shown, and groups within groups so deep; as in Python's own tracebacks.
_WIDTH, _DEPTH = 15, 10


def from_users_line(
    trace: TracebackType | None, is_users_file: Callable[[str], bool]
) -> TracebackType | None:
    """Return `trace` from the first line of the user's on, or all of it if there is none.

    A callback's begins in asyncio, which calls it.
    """
    first = trace
    while first is not None and not is_users_file(first.tb_frame.f_code.co_filename):
        first = first.tb_next
    return trace if first is None else first


def lines_of_error(error: BaseException | None) -> Iterator[tuple[str, int]]:
    """The files and lines that `error` went through, what it came from, and what is in its groups."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield from ((frame.f_code.co_filename, line) for frame, line in walk_tb(one.__traceback__))
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions


def groups_in(error: BaseException | None) -> Iterator[BaseExceptionGroup[BaseException]]:
    """`error` and what it came from, as far as a traceback tells it: those that are exception groups."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, BaseExceptionGroup):
            yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def lines_with_members(
    error: BaseException, structured: Callable[..., list[str]], depth: int = 0
) -> list[str]:
    """The traceback of `error`, and below it, indented, those of the exceptions in its groups.

    `structured` is IPython's `structured_traceback`. `error` itself is formatted last, so that it is the one
    that `%debug` looks at.
    """
    below: list[str] = []
    for group in groups_in(error):
        title = f"{type(group).__name__}: {group}"
        below.append("Its exceptions" if group is error else f"The exceptions in {title}")
        for number, member in enumerate(group.exceptions[:_WIDTH], 1):
            below.append(f"  +---------------- {number} ----------------")
            if depth < _DEPTH:
                member.__traceback__ = without_own_frames(member.__traceback__)
                lines = lines_with_members(member, structured, depth + 1)
            else:
                lines = traceback.format_exception_only(member)
            below += [f"  | {line}" for line in "\n".join(lines).splitlines()]
        if len(group.exceptions) > _WIDTH:
            below.append(f"  +-- and {len(group.exceptions) - _WIDTH} more")
    return [*_lines_of_one(error, structured), *below]


def _lines_of_one(error: BaseException, structured: Callable[..., list[str]]) -> list[str]:
    words = "".join(traceback.format_exception_only(type(error), error)).rstrip()
    trace = error.__traceback__
    if trace is None:
        return [words]
    outside = int(trace.tb_frame.f_code.co_name == "run_code")  # IPython's frame around the cell's code
    try:
        return list(structured(type(error), error, trace, tb_offset=outside))
    except Exception:  # the library that IPython asks about `except*` does not know it in Python 3.11
        frames = "".join(traceback.format_tb(trace.tb_next if outside else trace)).rstrip()
        return ["Traceback (most recent call last):", frames, words]
