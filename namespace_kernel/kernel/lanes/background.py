"""`%%background`: cells that run beside the others, and `cell(N)`, the handle of one.

Such a cell begins in its turn, so numbers and history keep the order of the notebook, and then goes on
in a lane of its own: a plain cell on a worker thread, an awaiting one on the user loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import replace
from types import TracebackType
from typing import Any

from namespace_kernel.base.cell import Outcome
from namespace_kernel.base.threads import Lock, RLock, Thread
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.ipython.engine import clear_frames, running_frame
from namespace_kernel.kernel.execute import CellRequests
from namespace_kernel.kernel.options import KernelOptions
from namespace_kernel.kernel.stop import SideStops
from namespace_kernel.kernel.wire.request import Request
from namespace_kernel.kernel.wire.request_fields import tags_of
from namespace_kernel.routing.directives import is_background, runs_elsewhere

from .cell_replies import CellReplies
from .executors import Bridges
from .lanes import Announced, BackgroundLane, Lane

#: How many handles of cells that have ended are kept: each keeps the cell's result or error.
_KEPT = 100

#: How often, in seconds, whoever waits in a plain cell looks again, whatever happened to the lock.
_SLICE = 0.2


class BackgroundCell:
    """The handle of a background cell: `cell(5)`.

    Awaitable: `await cell(5)` gives the cell's result or raises its error. A cell that was stopped raises
    `concurrent.futures.CancelledError`.

    Thread: any.
    """

    def __init__(self, number: int, cancel: Callable[[], object]) -> None:
        self.number = number
        self._cancel = cancel
        self._outcome: Outcome | None = None
        self._trace: TracebackType | None = None
        # Held until the cell has ended. Not an event: a Stop in the midst of its `wait` locks that for good.
        self._gate = Lock()
        self._gate.acquire()
        self._callbacks: list[Callable[[], object]] = []

    def done(self) -> bool:
        """Whether the cell has ended."""
        return self._outcome is not None

    def result(self, timeout: float | None = None) -> Any:
        """Wait until the cell has ended; return its result or raise its error.

        Raises `TimeoutError` after `timeout` seconds.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error.with_traceback(self._trace)  # without the frames of those who asked before
        assert self._outcome is not None
        return self._outcome.value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait until the cell has ended; return its error, `None` if it succeeded."""
        outcome = self._wait(timeout)
        if isinstance(outcome.error, (KeyboardInterrupt, asyncio.CancelledError)):
            return concurrent.futures.CancelledError(f"In [{self.number}] was stopped")
        return outcome.error

    def cancel(self) -> bool:
        """Stop the cell, as `%stop N`; whether it was running."""
        if self.done():
            return False
        self._cancel()
        return True

    def __await__(self) -> Generator[Any, None, Any]:
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        self.call_when_done(lambda: loop.call_soon_threadsafe(wake))
        yield from future
        return self.result()

    def __repr__(self) -> str:
        if self._outcome is None:
            state = "runs"
        else:
            state = "done" if self._outcome.succeeded else f"failed: {self._outcome.error!r}"
        return f"<background cell In [{self.number}], {state}>"

    def call_when_done(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the cell has ended, on some thread; at once if it has."""
        self._callbacks.append(callback)
        if self.done():
            self._call()

    def finish(self, outcome: Outcome) -> None:
        """The cell has ended so. Thread: the one that ran it."""
        self._trace = None if outcome.error is None else outcome.error.__traceback__
        self._outcome = replace(outcome, detail=None)
        self._cancel = bool  # let go of the cell's lane: a handle lives long
        self._gate.release()
        self._call()

    def _call(self) -> None:
        while self._callbacks:
            self._callbacks.pop()()

    def _wait(self, timeout: float | None) -> Outcome:
        remaining = float("inf") if timeout is None else timeout
        while self._outcome is None:
            if remaining <= 0:
                raise TimeoutError(f"In [{self.number}] still runs")
            if self._gate.acquire(timeout=min(_SLICE, remaining)):
                self._gate.release()
            remaining -= _SLICE
        return self._outcome


class BackgroundCells:
    """Starts them, so many at a time as the option says.

    Thread: `take` the lane's; the rest any.
    """

    def __init__(
        self,
        options: KernelOptions,
        bridges: Bridges,
        cells: CellRequests,
        replies: CellReplies,
        side_cells: SideCells,
        stops: SideStops,
    ) -> None:
        self._options = options
        self._bridges = bridges
        self._cells = cells
        self._replies = replies
        self._side_cells = side_cells
        self._stops = stops
        self._lock = RLock()
        self._handles: dict[int, BackgroundCell] = {}
        self._running: set[Announced] = set()
        self._waiting: deque[tuple[Announced, BackgroundCell]] = deque()

    def take(self, lane: Lane, request: Request) -> bool:
        """Start the cell of `request` if it asks for it; whether it does."""
        content, metadata = request.message["content"], request.message["metadata"]
        code, tags = content["code"], tags_of(metadata)
        if lane.is_background or not is_background(code, tags):
            return False
        own = BackgroundLane(lane.context.copy(), self._bridges)
        self._side_cells.expect(own.lane_id or "")  # it can be stopped from now on
        announced = self._cells.announce(own, request)
        if announced.cell is None:
            self._run(announced)
            return True
        if content.get("allow_stdin") and "cellId" not in metadata:
            self._replies.give_early(announced)  # a terminal shows no prompt before it has the reply
        handle = BackgroundCell(announced.cell.number, lambda: self._cancel(announced))
        wait = None
        if runs_elsewhere(code, tags):
            wait = self._bridges.leaving.expect(own.lane_id or "")
        with self._lock:
            self._handles.pop(handle.number, None)
            self._handles[handle.number] = handle
            self._forget()
            self._waiting.append((announced, handle))
            self._start_some()
            waits = any(one is announced for one, _ in self._waiting)
        if waits:
            self._cells.tell(
                announced,
                "waits for its turn: as many cells run in the background as may "
                f"(NamespaceKernel.background_cells = {self._options.background_cells})",
            )
        elif wait is not None:
            wait()  # what it reads is what the cells before it have left
        return True

    def handle(self, number: int) -> BackgroundCell:
        """The handle of the background cell `number`. Raises `LookupError` if there is none."""
        try:
            return self._handles[number]
        except KeyError:
            known = ", ".join(map(str, self.numbers())) or "none"
            raise LookupError(
                f"In [{number}] is no background cell, or it ended long ago; those that run: {known}"
            ) from None

    def cancel(self, number: int) -> bool:
        """Stop the background cell `number`, also while it waits for its turn; whether there is one."""
        handle = self._handles.get(number)
        return handle is not None and handle.cancel()

    def numbers(self) -> list[int]:
        """The numbers of those that have not ended."""
        with self._lock:
            return [number for number, handle in self._handles.items() if not handle.done()]

    def forget(self) -> None:
        """Drop the handles of those that have ended (`%reset`)."""
        with self._lock:
            self._handles = {key: one for key, one in self._handles.items() if not one.done()}

    def stop_waiting(self) -> None:
        """End those that wait for their turn, as stopped. Thread: any but one that handles a signal."""
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        for announced, handle in waiting:
            self._end_unrun(announced, handle)

    def _end_unrun(self, announced: Announced, handle: BackgroundCell) -> None:
        announced.stopped = True
        handle.finish(self._run(announced))

    def _cancel(self, announced: Announced) -> None:
        with self._lock:
            entry = next((entry for entry in self._waiting if entry[0] is announced), None)
            if entry is not None:
                self._waiting.remove(entry)
        if entry is not None:
            self._end_unrun(*entry)
        else:
            self._stops.stop_lane(announced.lane.lane_id)

    def _run(self, announced: Announced) -> Outcome:
        try:
            return self._cells.run(announced)
        finally:
            self._side_cells.forget(announced.lane.lane_id or "")

    def _start_some(self) -> None:
        while self._waiting and len(self._running) < max(1, self._options.background_cells):
            announced, handle = self._waiting.popleft()
            self._running.add(announced)
            name = f"lane-{announced.lane.lane_id}"
            thread = Thread(target=self._work, args=(announced, handle), name=name, daemon=True)
            try:
                thread.start()
            except BaseException as error:  # Python has no more threads
                self._running.discard(announced)
                handle.finish(Outcome(error=error))
                raise

    def _work(self, announced: Announced, handle: BackgroundCell) -> None:
        outcome = Outcome(error=KeyboardInterrupt())
        try:
            outcome = self._run(announced)
        except KeyboardInterrupt:
            pass  # a Stop that came late
        finally:
            self._bridges.leaving.forget(announced.lane.lane_id or "")
            handle.finish(outcome)
            with self._lock:
                self._running.discard(announced)
                self._start_some()
            # The handle keeps the error, whose frames keep all that was done with this cell.
            clear_frames(running_frame(outcome.error))
            del announced

    def _forget(self) -> None:
        ended = [number for number, handle in self._handles.items() if handle.done()]
        for number in ended[: max(0, len(ended) - _KEPT)]:
            del self._handles[number]
