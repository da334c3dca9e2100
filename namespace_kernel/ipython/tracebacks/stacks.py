"""What is shown of the stack below a cell: nothing, as below the first line of a program.

A cell's code is called by IPython, and that by the kernel. `traceback.print_stack()` would print thirty
frames of theirs, and a warning or a record of `logging` with a `stacklevel` that is too large would name one
of them. Who asks for the frames themselves (`inspect.stack()`, `sys._getframe()`) gets them all.
"""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable
from itertools import dropwhile
from types import FrameType
from typing import Any

from namespace_kernel.base.frames import is_own
from namespace_kernel.base.patching import Patch


class StackFront:
    """Stands in for what shows stacks, or says where something comes from.

    Thread: that of the caller.
    """

    def __init__(self, is_cell_file: Callable[[str], bool]) -> None:
        self._is_cell_file = is_cell_file
        self.patches = (
            Patch(traceback, "walk_stack", self._walking),
            Patch(warnings, "_showwarnmsg", self._showing),
            Patch(logging.Logger, "findCaller", self._finding),
        )

    def _walking(self, original: Callable[..., Iterable[tuple[FrameType, int]]]) -> Callable[..., object]:
        def walk_stack(f: FrameType | None) -> object:
            if f is None:  # it counts frames, from the one that asks for the next
                return original(f)
            steps = list(original(f))
            below = self._below([frame for frame, _ in steps])
            return iter([one for one in steps[: len(steps) - len(below)] if not is_own(one[0])])

        return walk_stack

    def _showing(self, original: Callable[[Any], None]) -> Callable[[Any], None]:
        def _showwarnmsg(msg: Any) -> None:
            if (frame := self._instead_of(msg.filename, msg.lineno)) is not None:
                msg.filename, msg.lineno = frame.f_code.co_filename, frame.f_lineno
            original(msg)

        return _showwarnmsg

    def _finding(self, original: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
        def findCaller(
            self: logging.Logger, stack_info: bool = False, stacklevel: int = 1
        ) -> tuple[Any, ...]:
            filename, line, name, *stack = original(self, stack_info, stacklevel + 1)  # this is one more
            if stacklevel > 1 and (frame := instead_of(filename, line)) is not None:
                return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, *stack
            return filename, line, name, *stack

        instead_of = self._instead_of
        return findCaller

    def _instead_of(self, filename: str, line: int) -> FrameType | None:
        """Which frame of the calling code is meant, if this place is in one that is not shown."""
        frames = [frame for frame, _ in _walk(sys._getframe(1))]
        shown, below = None, self._below(frames)
        for frame in frames:
            hidden = is_own(frame) or frame in below
            if not hidden:
                shown = frame
            if (frame.f_code.co_filename, frame.f_lineno) == (filename, line):
                return shown if hidden else None
        return None

    def _below(self, frames: list[FrameType]) -> list[FrameType]:
        """Those of `frames`, innermost first, that are below the cell: all, or where a thread or a loop has
        called its function, those that have called them."""
        for at in reversed(range(len(frames))):
            code = frames[at].f_code
            if self._is_cell_file(code.co_filename):
                is_function = code.co_name != "<module>"
                rest = frames[at + 1 :]
                return list(dropwhile(lambda one: not is_own(one), rest)) if is_function else rest
        return []


_walk = traceback.walk_stack
