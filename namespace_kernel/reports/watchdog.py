"""Says which line blocks the user loop while tasks wait for their turn.

The loop counts its turns. From another thread one sees whether the count stands still, and whether the
thread that runs the loop is in a callback or waits for events. Nothing is done while the loop has no
work, and nothing in the loop's own thread but counting.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterable
from contextvars import Context
from dataclasses import dataclass
from types import FrameType
from typing import Any

from namespace_kernel.base.asyncio_tasks import all_tasks_of
from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.lines import Lines
from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.threads import FREE_THREADED, Timers, frames_of_threads
from namespace_kernel.execution.user_loop.user_loop import UserLoop

from .blocked import Blocked, awaited_instead
from .receipt import Kind, Receipts, Remark

#: Looks per blocking time.
_LOOKS = 4


@dataclass(slots=True)
class _Block:
    """One callback that does not end. `since` and `until` are `monotonic()`."""

    turn: int
    since: float
    until: float = 0.0
    execution: Execution | None = None


class LoopWatchdog:
    """`limit` gives the seconds after which a block is told, 0 for never. `running` are the running cells.

    It is to be armed by each task that begins.

    Thread: `arm` any; all else on the timers'.
    """

    def __init__(
        self,
        user_loop: UserLoop,
        receipts: Receipts,
        running: Iterable[Execution],
        lines: Lines,
        limit: Callable[[], float],
        timers: Timers,
    ) -> None:
        self._loop = user_loop.loop
        self._receipts = receipts
        self._running = running
        self._lines = lines
        self._limit = limit
        self._later = timers.call_later
        #: Until then a look is due. A time and not a flag, which a Stop could leave set for good.
        self._due = 0.0
        self._block: _Block | None = None

    def arm(self) -> None:
        """Watch from now on, as long as the loop has work."""
        now = monotonic()
        if now >= self._due and (limit := self._limit()) > 0:
            self._due = now + limit
            self._later(limit / _LOOKS, self._look)

    def _look(self) -> None:
        self._due = 0.0  # before looking: a task that is not seen arms again
        frame = self._callback()
        block = self._block
        if block is not None and (frame is None or block.turn != self._loop.turns):
            self._end(block)
            block = None
        if frame is not None and block is None:
            block = _Block(self._loop.turns, monotonic())
        self._block = block
        untold = block is not None and block.execution is None
        innermost = frames_of_threads().get(self._loop.owner or 0)
        if frame is not None and innermost is not None and block is not None and untold:
            blocked = Blocked(innermost, self._lines)
            if self._is_too_long(block):
                who = self._who_waits() or blocked.waits_for_itself(self._loop._ready)
                if who:
                    self._tell(block, frame, blocked, str(who))
            del blocked
        del frame, innermost
        if block is not None or any(self._running) or self._tasks():
            self.arm()

    def _is_too_long(self, block: _Block) -> bool:
        return monotonic() - block.since >= self._limit() > 0

    def _tasks(self) -> list[Any]:
        return all_tasks_of(self._loop)

    def _callback(self) -> FrameType | None:
        """The frame of the loop's callback that executes now (`asyncio.Handle._run`), if one does."""
        frame = frames_of_threads().get(self._loop.owner or 0)
        called: FrameType | None = None
        while frame is not None:
            if frame.f_code is asyncio.Handle._run.__code__:
                called = frame  # the outermost: a callback may take turns of the loop itself
            frame = frame.f_back
        return called

    def _who_waits(self) -> str:
        """Who waits for the loop while it is blocked, in words; "" if nobody does."""
        loop = self._loop
        selector = getattr(loop, "_selector", None)
        events = [] if selector is None else selector.select(0)
        if len(self._tasks()) < 2:
            # What is due may all be the blocking task's own; but who connects to a server is another.
            return "a client of its server waits" if any(_is_server(key.fd) for key, _ in events) else ""
        timers = [timer for timer in list(loop._scheduled)[:1] if not timer.cancelled()]
        waits = loop._ready or events or any(timer.when() <= loop.time() for timer in timers)
        return "tasks wait" if waits else ""

    def _context_of(self, callback: FrameType) -> Context | None:
        if FREE_THREADED:  # the variables of a frame that executes meanwhile must not be looked at
            task: Any = self._loop.anchors.current_task()
            return None if task is None else task.get_context()
        return getattr(callback.f_locals.get("self"), "_context", None)

    def _tell(self, block: _Block, callback: FrameType, blocked: Blocked, who: str) -> None:
        context = self._context_of(callback)
        execution = context.get(current_execution) if context is not None else None
        frame = blocked.frame()
        if execution is None or frame is None:
            return
        block.execution = execution
        place, _, code = self._lines.describe_line(frame).removeprefix("at ").partition(": ")
        itself = blocked.waits_for_itself(self._loop._ready)
        if itself is not None:
            use = awaited_instead(itself)
            forever = Remark(
                f"{place} waits for ever: `{code}` blocks the user loop, which is to do what it waits for. "
                f"Stop the cell, and use `{use}`",
                f"{place} waits for ever",
            )
            self._receipts.note(execution, Kind.BLOCKING, lambda: forever, block.turn)
            self._receipts.show(execution)
            return
        remedy = blocked.remedy(execution)

        def remark() -> Remark:
            if not block.until and self._loop.turns != block.turn:
                block.until = monotonic()
            seconds = (block.until or monotonic()) - block.since
            said = "blocked the user loop for" if block.until else "has been blocking the user loop for"
            summary = f"{place} {said} {seconds:.0f} s"
            return Remark("; ".join(filter(None, (f"{summary} while {who}: `{code}`", remedy))), summary)

        self._receipts.note(execution, Kind.BLOCKING, remark, block.turn)
        self._receipts.show(execution)

    def _end(self, block: _Block) -> None:
        if block.execution is not None:
            block.until = block.until or monotonic()
            self._receipts.show(block.execution)


def _is_server(descriptor: int) -> bool:
    """Whether `descriptor` is a socket that accepts connections."""
    with contextlib.suppress(OSError):  # closed meanwhile, or no socket
        copy = os.dup(descriptor)
        try:
            one = socket.socket(fileno=copy)
        except OSError:
            os.close(copy)
            raise
        with one:
            return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return False
