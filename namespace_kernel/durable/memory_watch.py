"""The watch over memory: a cell that takes the last of it is stopped before the system kills the kernel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from namespace_kernel.base.asyncio_tasks import coroutine_of, executes
from namespace_kernel.base.cell import Names
from namespace_kernel.base.errors import MemoryLimitError
from namespace_kernel.base.execution import Execution
from namespace_kernel.base.originals import monotonic, shield
from namespace_kernel.base.threads import Timers
from namespace_kernel.base.words import tell

from .memory import Level, of_tree, tightest
from .sizes import largest

_log = logging.getLogger("namespace_kernel")

#: Seconds between two looks; fewer where little is left, down to these: while a cell runs, and while none.
_PACE, _FASTEST, _IDLE = 0.5, 0.02, 0.1
#: With a shorter pause than that, threads take turns more often.
_HURRY = 0.05
#: Bytes per second that code may take: before so much is gone, one looks again.
_SPEED = 4 * 2**30
#: The part of the limit that a cell must have taken since it began to be what grows.
_GROWN = 0.05
#: Seconds until a cell that was stopped and goes on is stopped again, if it has taken that part of the limit
#: since: to show its error takes time and some memory, too.
_INSIST, _GOES_ON = 2.0, 0.01
#: So many bytes must be left to stop a cell, and to show its error. In a small container that may be more
#: than the user has said; there the cell is stopped earlier, but not before the second part is in use.
_ROOM, _LEAST = 48 * 2**20, 0.9
#: How many of the largest names are told, and from which size on.
_NAMES, _WORTH_SAYING = 3, 2**20


class Shares:
    """From which parts of the limit on the user is told, and a cell is stopped. 0 is never."""

    def __init__(self, tell: Callable[[], float], stop: Callable[[], float]) -> None:
        self.tell, self.stop = tell, stop


class _Seen:
    """What was seen of one running cell.

    `found` is what was in use when it began, `took` by how much that grew while its code executed, or while
    it waited and no other's did. `largest` are the names that the user was told.
    """

    def __init__(self, found: int) -> None:
        self.found, self.took = found, 0
        self.largest: str | None = None
        self.stop_again, self.stop_from = 0.0, 0.0


class MemoryWatch:
    """Looks at the memory while cells run.

    `running` are the cells that run, `names` copies the namespace, `stop` ends a cell as Stop does, `notice`
    shows a line, `seen` is told of each look, `hurry` of whether threads are to take turns more often.

    Thread: the timers'; `start` main.
    """

    def __init__(
        self,
        running: Iterable[Execution],
        names: Callable[[], Names],
        shares: Shares,
        stop: Callable[[Execution], object],
        notice: Callable[[str], object],
        timers: Timers,
        seen: Callable[[Level], object] = lambda level: None,
        level: Callable[[], Level] = tightest,
        hurry: Callable[[bool], object] = lambda on: None,
    ) -> None:
        self._running = running
        self._names = names
        self._shares = shares
        self._stop = stop
        self._notice = notice
        self._timers = timers
        self._tell_of_look = seen
        self._level = level
        self._hurry = hurry
        self._hurries = False
        self._seen: dict[Execution, _Seen] = {}
        self._before = 0
        self._has_failed = False

    def start(self) -> None:
        """Look from now on."""
        self._timers.call_later(_PACE, self._look_again)

    def _look_again(self) -> None:
        pause = shield(self.look, self._tell_of_failure)
        self._hurry_if(pause <= _HURRY)
        self._timers.call_later(pause, self._look_again)

    def _tell_of_failure(self, error: BaseException, replaced: list[str]) -> float:
        """Once, for the next look may fail as this one. Return in how many seconds to look again."""
        level = logging.DEBUG if self._has_failed else logging.ERROR
        self._has_failed = True
        tell(_log, level, "memory could not be looked at", error)
        return _PACE

    def _hurry_if(self, little_is_left: bool) -> None:
        """So that the next look need not wait for its turn, nor the end of what is stopped."""
        if self._hurries != little_is_left:
            self._hurries = little_is_left
            self._hurry(little_is_left)

    def look(self) -> float:
        """Look once; return in how many seconds to look again."""
        level = self._level()
        self._tell_of_look(level)
        grown = of_tree() if level.own is None else level.own
        seen = self._seen = {one: self._seen.get(one) or _Seen(self._before) for one in tuple(self._running)}
        growth = grown - self._before
        for cell in [one for one in seen if _executes(one)] or seen:
            seen[cell].took += max(growth, 0)
        self._before = grown
        if level.limit and seen:
            # Of several cells the one that took most.
            cell = max(seen, key=lambda one: (seen[one].took, one.since))
            is_it = growth > 0 and min(grown - seen[cell].found, seen[cell].took) >= _GROWN * level.limit
            self._act(cell, seen[cell], level, grown if is_it else 0)
        return self._pause(level)

    def _act(self, cell: Execution, about: _Seen, level: Level, grown: int) -> None:
        """`grown` is what is in use if the cell is what grows, and else 0."""
        stop = min(self._shares.stop(), max(_LEAST, 1 - _ROOM / level.limit))
        if 0 < stop <= level.share and grown:
            if monotonic() >= about.stop_again and grown >= about.stop_from:
                about.stop_again, about.stop_from = monotonic() + _INSIST, grown + _GOES_ON * level.limit
                # To look for the largest now would take more time than there is.
                cell.keep(MemoryLimitError(_words(level), about.largest or ""))
                self._stop(cell)
        elif 0 < self._shares.tell() <= level.share and about.largest is None:
            about.largest = self._largest()
            cell.at_home(self._notice, f"{_words(level)}{about.largest}")

    def _pause(self, level: Level) -> float:
        """Seconds until the rest may be gone, however slow it went so far: a cell may begin to grow now."""
        left = (level.limit - level.used) / _SPEED if level.limit else _PACE
        return max(_FASTEST if self._seen else _IDLE, min(_PACE, left))

    def _largest(self) -> str:
        names = self._names().items()
        users = {name: value for name, value in names if type(name) is str and name[:1] != "_"}
        found = largest(users, _NAMES)
        listed = ", ".join(f"`{name}` {_size(size)}" for name, size in found if size >= _WORTH_SAYING)
        return f"; the largest names: {listed}" if listed else ""


def _executes(cell: Execution) -> bool:
    """Whether its code does, and does not wait for the loop."""
    return cell.own_task is None or executes(coroutine_of(cell.own_task))


def _words(level: Level) -> str:
    return f"{_size(level.used)} of {_size(level.limit)} of memory are in use ({level.limit_name})"


def _size(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
