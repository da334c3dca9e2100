"""Notice coroutines that go away without having been awaited.

CPython calls `warnings._warn_unawaited_coroutine` when such a coroutine is destroyed, in whatever
thread drops the last reference. If a line of a cell created it we keep a record; anything else goes to
the hook that was there before. Nothing is done for a coroutine that is awaited. Which line created it is
known as `origins` says.
"""

from __future__ import annotations

import gc
import linecache
import sys
import traceback
import warnings
from collections import deque
from collections.abc import Callable
from types import CoroutineType, FrameType
from typing import Any

from namespace_kernel.base.asyncio_tasks import was_never_started
from namespace_kernel.base.lines import Leak, NativeCoroutine
from namespace_kernel.base.patching import Patch

from .origins import is_own

#: How many unreported leaks are kept; a loop that leaks a million coroutines needs no million lines.
_KEPT = 1000

_pythons_own: Any = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]


def find_open(leak_of: Callable[[NativeCoroutine], Leak | None]) -> list[tuple[NativeCoroutine, Leak]]:
    """All coroutines from cells whose code has not begun, wherever they are kept, and what each is.

    `leak_of` describes those from cells. Scans the heap: for commands of the user, not for every cell.
    """
    return [
        (one, leak)
        for one in gc.get_objects()
        if was_never_started(one) and (leak := leak_of(one)) is not None
    ]


class NeverAwaitedHook:
    """Collects the leaks of cells.

    `leak_of` describes a coroutine that a line of a cell created, given the frame in which it goes away,
    and returns `None` for others. `take` is offered each leak, where it happens, with that frame, and returns
    whether it took it. Thread: any; destruction can happen anywhere.
    """

    def __init__(
        self,
        leak_of: Callable[[NativeCoroutine, FrameType | None], Leak | None],
        take: Callable[[Leak, FrameType | None], bool] = lambda leak, frame: False,
    ) -> None:
        self._leak_of = leak_of
        self._take = take
        self._leaks: deque[Leak] = deque(maxlen=_KEPT)
        self._previous: Callable[[object], None] | None = None
        self._installed = False
        self.patches = (
            Patch(warnings, "_warn_unawaited_coroutine", self._in_front_of, undone=self._only_pass_on),
        )

    def _in_front_of(self, previous: Callable[[object], None]) -> Callable[[object], None]:
        self._installed, self._previous = True, previous
        return self._notice

    def _only_pass_on(self) -> None:
        self._installed = False

    def drain(self) -> list[Leak]:
        """Return the leaks noticed since the last call that nobody took."""
        leaks = []
        while self._leaks:
            leaks.append(self._leaks.popleft())
        return leaks

    def _notice(self, coroutine: object) -> None:
        if self._installed and type(coroutine) is CoroutineType:
            frame = sys._getframe(1)
            leak = self._leak_of(coroutine, frame)
            if leak is not None:
                if not self._take(leak, frame):
                    self._leaks.append(leak)
                return
        if self._previous is _pythons_own:
            if not is_own(sys._getframe(1)):  # a library made it, and whoever is told then can do nothing
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
