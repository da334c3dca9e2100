"""Notice coroutines that go away without having been awaited.

CPython calls `warnings._warn_unawaited_coroutine` when such a coroutine is destroyed, in whatever
thread drops the last reference. With origin tracking at depth 1 the coroutine knows the line that
created it. If that line is in a cell we keep a record; anything else goes to the hook that was
there before. Nothing is done for a coroutine that is awaited, apart from the origin.
"""

from __future__ import annotations

import gc
import linecache
import sys
import traceback
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import CoroutineType
from typing import Any

from ..tasks import was_never_started

#: How many unreported leaks are kept; a loop that leaks a million coroutines needs no million lines.
_KEPT = 1000

_pythons_own: Any = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Leak:
    """A coroutine that was closed, and the line that created it (`line` 0 if unknown)."""

    name: str
    filename: str
    line: int


def track_origins() -> None:
    """Let coroutines created in the calling thread know the line that created them.

    Thread: each one that runs user code, for itself.
    """
    if sys.get_coroutine_origin_tracking_depth() == 0:
        sys.set_coroutine_origin_tracking_depth(1)


def leak_of(coroutine: CoroutineType[Any, Any, Any]) -> Leak:
    """Describe `coroutine`."""
    origin = coroutine.cr_origin
    filename, line = origin[0][:2] if origin else ("", 0)
    return Leak(coroutine.__qualname__, filename, line)


def find_open(is_cell_file: Callable[[str], bool]) -> list[CoroutineType[Any, Any, Any]]:
    """All coroutines created by a line of a cell whose code has not begun, wherever they are kept.

    Scans the heap: for commands of the user, not for every cell.
    """
    return [
        one
        for one in gc.get_objects()
        if was_never_started(one) and (leak := leak_of(one)).line and is_cell_file(leak.filename)
    ]


class NeverAwaitedHook:
    """Collects leaks whose creating line is in a cell.

    `is_cell_file` tells whether a file name is a cell's. `take` is offered each leak, where it happens,
    and returns whether it took it. Thread: any; destruction can happen anywhere.
    """

    def __init__(
        self, is_cell_file: Callable[[str], bool], take: Callable[[Leak], bool] = lambda leak: False
    ) -> None:
        self._is_cell_file = is_cell_file
        self._take = take
        self._leaks: deque[Leak] = deque(maxlen=_KEPT)
        self._previous: Callable[[Any], None] | None = None
        self._installed = False

    def install(self) -> None:
        """Put the hook in front of the one that is there."""
        if not self._installed:
            self._installed = True
            self._previous = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
            warnings._warn_unawaited_coroutine = self._notice  # type: ignore[attr-defined]

    def uninstall(self) -> None:
        """Put the previous hook back, unless someone else took our place; then only pass on."""
        self._installed = False
        if warnings._warn_unawaited_coroutine == self._notice:  # type: ignore[attr-defined]
            warnings._warn_unawaited_coroutine = self._previous  # type: ignore[attr-defined]

    def drain(self) -> list[Leak]:
        """Return the leaks noticed since the last call that nobody took."""
        leaks = []
        while self._leaks:
            leaks.append(self._leaks.popleft())
        return leaks

    def _notice(self, coroutine: Any) -> None:
        if self._installed and type(coroutine) is CoroutineType:
            leak = leak_of(coroutine)
            if leak.line and self._is_cell_file(leak.filename):
                if not self._take(leak):
                    self._leaks.append(leak)
                return
        if self._previous is _pythons_own:
            _warn(coroutine)
        elif self._previous is not None:
            self._previous(coroutine)


def _warn(coroutine: Any) -> None:
    """Warn as Python's own function does, which would take ours for the place where it went away."""
    lines = [f"coroutine '{coroutine.__qualname__}' was never awaited"]
    if coroutine.cr_origin:
        lines.append("Coroutine created at (most recent call last)")
        frames = [(*frame, linecache.getline(*frame[:2])) for frame in reversed(coroutine.cr_origin)]
        lines.append("".join(traceback.format_list(frames)).rstrip())
    warnings.warn("\n".join(lines), RuntimeWarning, stacklevel=3, source=coroutine)
