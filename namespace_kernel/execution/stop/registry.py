"""The cells beside the foreground, for whoever stops them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from namespace_kernel.base.execution import Execution
from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.threads import RLock

#: For so many seconds a cell that was stopped is not stopped again only because the kernel ends.
LATELY = 2.0


class SideCells:
    """The cells that run beside the foreground, and how to stop each.

    Thread: any. The lock is reentrant because a signal handler on the main thread stops cells.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._stops: dict[Execution, Callable[[], object]] = {}
        #: Lanes whose cell has not come yet, and whether it was stopped already.
        self._coming: dict[str, bool] = {}
        #: When those that run were stopped last.
        self._stopped: dict[Execution, float] = {}

    def expect(self, lane_id: str) -> None:
        """A cell of this lane will come; a Stop that is quicker is kept for it."""
        with self._lock:
            self._coming[lane_id] = False

    def forget(self, lane_id: str) -> None:
        """No cell of this lane will come any more."""
        with self._lock:
            self._coming.pop(lane_id, None)

    def enter(self, execution: Execution, stop: Callable[[], object]) -> None:
        """Register a running cell."""
        with self._lock:
            self._stops[execution] = stop
            if self._coming.pop(execution.cell.lane_id or "", False):
                self._stop(execution, stop)

    def leave(self, execution: Execution) -> None:
        """Forget a cell that is over."""
        with self._lock:
            self._stops.pop(execution, None)
            self._stopped.pop(execution, None)

    def stop(
        self,
        wanted: Callable[[Execution], bool] = lambda execution: True,
        coming: Callable[[str], bool] = lambda lane_id: False,
    ) -> list[Execution]:
        """Stop the wanted cells, and those to come of the lanes `coming`; return those that ran."""
        with self._lock:
            self._coming = {lane_id: stopped or coming(lane_id) for lane_id, stopped in self._coming.items()}
            chosen = [(execution, stop) for execution, stop in self._stops.items() if wanted(execution)]
            for execution, stop in chosen:
                self._stop(execution, stop)
        return [execution for execution, _ in chosen]

    def _stop(self, execution: Execution, stop: Callable[[], object]) -> None:
        self._stopped[execution] = monotonic()
        stop()

    def wait(self, timeout: float) -> None:
        """Wait until none is registered, at most `timeout` seconds."""
        until = monotonic() + timeout
        while self._stops and monotonic() < until:
            time.sleep(0.01)

    def stopped_lately(self, execution: Execution) -> bool:
        """Whether it was stopped in the last `LATELY` seconds."""
        return monotonic() - self._stopped.get(execution, -math.inf) < LATELY

    def runs(self, execution: Execution) -> bool:
        """Whether `execution` is registered."""
        return execution in self._stops
