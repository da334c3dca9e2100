"""Which line created a coroutine that nobody awaited.

Python can note it for each coroutine (`sys.set_coroutine_origin_tracking_depth`), but that costs as much
again as awaiting one. So it does for the cells that call a coroutine function without awaiting what
comes back, and, once a function does so, always. Where that was not foreseen (a method of an object that
is not known beforehand, say) and something leaks nevertheless, the line is the one in which the coroutine
goes away, if it calls something of this name or hands it on, or else the only one in the cells that does.
"""

from __future__ import annotations

import dis
import linecache
import sys
import threading
from collections.abc import Callable, Container, Iterable
from types import FrameType

from namespace_kernel.base.lines import Leak, Lines, NativeCoroutine, leak_of
from namespace_kernel.base.syntax import tree_of

from .calls import CoroutineFunctions, Lookup, all_calls, calls_with, open_calls

_PACKAGE = __name__.partition(".")[0]

#: The lines of a file that have to do with a name, the first argument.
LinesIn = Callable[[str, str], list[int]]


class OriginTracking:
    """Switches Python's notes on and off, for each thread by itself.

    `changed` is called when they are to be on from now on, so that the threads that run can be told.

    Thread: any; each for itself.
    """

    def __init__(self, changed: Callable[[], object] = lambda: None) -> None:
        self._always = False
        self._changed = changed
        self._of_thread = threading.local()

    def always(self, on: bool = True) -> None:
        """Whether from now on everywhere, or only where `apply` is told so."""
        if self._always != on:
            self._always = on
            self._changed()

    def apply(self, needed: bool = False) -> None:
        """Switch the calling thread on or off. What the user has chosen stays."""
        depth = sys.get_coroutine_origin_tracking_depth()
        if needed or self._always:
            if depth == 0:
                sys.set_coroutine_origin_tracking_depth(1)
                self._of_thread.ours = True
        elif depth == 1 and getattr(self._of_thread, "ours", False):
            sys.set_coroutine_origin_tracking_depth(0)
            self._of_thread.ours = False


class Origins:
    """What is known about where the coroutines of cells come from.

    `lookup` gives a global's value or `None`.
    """

    def __init__(self, tracking: OriginTracking, lookup: Lookup, lines: Lines) -> None:
        self._tracking = tracking
        self._functions = CoroutineFunctions(lookup)
        self._lines = lines
        #: The lines that the error went through whose frames are being let go.
        self.error_lines: Iterable[tuple[str, int]] = ()
        #: Whether functions of the latest cell need notes whenever they run.
        self._lasting = False

    def before_cell(self, source: str, aside: bool) -> None:
        """Let Python note what may leak in a cell. `aside` if others run meanwhile.

        Thread: the one that runs the cell.
        """
        calls = self._functions.open_calls(source)
        self._lasting = bool(calls) and (aside or any(call.later for call in calls))
        if self._lasting:
            self._tracking.always()
        self._tracking.apply(bool(calls))

    def forget(self) -> None:
        """The functions of earlier cells are gone; this cell's may yet be defined."""
        self._tracking.always(self._lasting)

    def leak_of(self, coroutine: NativeCoroutine, dropped_in: FrameType | None = None) -> Leak | None:
        """Describe a coroutine that a line of a cell created, `None` for others.

        Thread: any, and anywhere: a coroutine may go away in the midst of anything.
        """
        leak = leak_of(coroutine)
        if coroutine.cr_origin:
            return leak if self._lines.is_cell_file(leak.filename) else self._passed_on(coroutine)
        name = coroutine.__name__
        if dropped_in is not None and _lets_go_of_result(dropped_in):
            filename, line = dropped_in.f_code.co_filename, dropped_in.f_lineno
            calls = _lines_calling(name, filename, handed_over=True)
            if line in calls or line in _lines_passing(name, filename):
                return Leak(leak.name, filename, line) if self._lines.is_cell_file(filename) else None
        if self._functions.is_defined(name) and not self._lines.is_cell_file(coroutine.cr_code.co_filename):
            return None  # a library's function of the same name
        if not (self.error_lines and is_own(dropped_in)):
            return self.located(leak)
        # It is of a failed cell: a line of a file that its error went through.
        files = {filename for filename, _ in self.error_lines}
        return self.located(leak, files) or self._handed_over(leak)

    def _handed_over(self, leak: Leak) -> Leak | None:
        """Find the line of a failed cell that gave a coroutine to somebody who did not get to await it."""
        name = leak.name.rpartition(".")[2]
        for filename, line in self.error_lines:
            if self._lines.is_cell_file(filename) and line in _lines_calling(
                name, filename, handed_over=True
            ):
                return Leak(leak.name, filename, line)
        return None

    def _passed_on(self, coroutine: NativeCoroutine) -> Leak | None:
        """Find the line of a cell that gave a cell's function to a library, which called it; or the one that
        called what the library made of the function, as a decorator does.
        """
        if not self._lines.is_cell_file(coroutine.cr_code.co_filename):
            return None
        return self.located(Leak(coroutine.__qualname__, "", 0), finds=(_lines_passing, _lines_calling))

    def in_users_code(self, leak: Leak) -> Leak:
        """`leak`, which the latest cell has left, with a line of the user's: Python may have noted none, or
        that of a library which made the call.
        """
        if leak.line and self._lines.is_users_file(leak.filename):
            return leak
        unknown = Leak(leak.name, "", 0)
        latest = list(self._lines.cell_files())[-1:]
        finds = (_lines_passing, _lines_calling) if leak.line else (_lines_calling, _lines_passing)
        return self.located(unknown, latest, finds) or self.located(unknown, finds=finds) or unknown

    def located(
        self, leak: Leak, files: Container[str] | None = None, finds: Iterable[LinesIn] | None = None
    ) -> Leak | None:
        """Find the line for a leak of which Python noted none. `None` if no cell calls such a thing, of
        those with the `files`, if they are given. The first of `finds` that finds any line decides.
        """
        name = leak.name.rpartition(".")[2]
        where = [file for file in list(self._lines.cell_files()) if files is None or file in files]
        for lines_in in finds or (_lines_calling, _lines_passing):
            if places := {(file, line): None for file in where for line in lines_in(name, file)}:
                filename, line = next(reversed(places))
                return Leak(leak.name, filename, line if len(places) == 1 else 0)
        return None


def _lets_go_of_result(frame: FrameType) -> bool:
    """Whether what goes away in `frame` may be a result of the line it is at, not an old value of a name."""
    instruction = dis.opname[frame.f_code.co_code[frame.f_lasti]]
    return not instruction.startswith(("STORE_", "DELETE_"))


def is_own(frame: FrameType | None) -> bool:
    """Whether it is a frame of this package, which lets go of what a cell has left."""
    name = None if frame is None else dict.get(frame.f_globals, "__name__")
    return type(name) is str and name.partition(".")[0] == _PACKAGE


def _lines_calling(name: str, filename: str, handed_over: bool = False) -> list[int]:
    """The lines of a file with calls of something called `name`, open ones or all."""
    source = "".join(linecache.getlines(filename))
    if name not in source:
        return []
    calls = all_calls(tree_of(source)) if handed_over else open_calls(tree_of(source))
    return [call.line for call in calls if call.name == name]


def _lines_passing(name: str, filename: str) -> list[int]:
    """The lines of a file with calls that are given something called `name`."""
    source = "".join(linecache.getlines(filename))
    return [call.lineno for call in calls_with(tree_of(source), name)] if name in source else []
