"""Stop for cells that run beside the foreground."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from namespace_kernel.base.asyncio_tasks import executes
from namespace_kernel.base.cell import Outcome
from namespace_kernel.base.execution import Execution
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.kernel.lanes.background import BackgroundCells
from namespace_kernel.kernel.lanes.lanes import Announced, Lane, Lanes

from .shutdown import Ending


class SideCellHandlers:
    """Mixed into the kernel: Stop for cells that run on workers, or on the user loop for them."""

    lanes: Lanes
    run_cell: Callable[[Announced], Outcome]
    side_cells: SideCells
    background: BackgroundCells
    user_loop: UserLoop
    ending: Ending
    shell: Any
    shell_channel_thread: Any

    def new_background_lane(self, context: contextvars.Context) -> Lane:
        """A lane for one background cell, which can be stopped from now on. Thread: any."""
        lane = self.lanes.background(context)
        self.side_cells.expect(lane.lane_id or "")
        return lane

    def run_beside(self, announced: Announced) -> Outcome:
        """Run a background cell and answer. Thread: its lane's."""
        try:
            return self.run_cell(announced)
        finally:
            self.side_cells.forget(announced.lane.lane_id or "")

    def cell_has_left(self, execution: Execution) -> None:
        """What a background cell reads that runs elsewhere has been copied. Thread: its lane's."""
        self.background.has_left(execution.cell.lane_id or "")

    def stop_side_cells(
        self,
        wanted: Callable[[Execution], bool] = lambda execution: True,
        coming: Callable[[str], bool] = lambda lane_id: False,
    ) -> None:
        """Stop cells beside the foreground, and say later which of them cannot be stopped. Thread: any."""
        stopped = self.side_cells.stop(wanted, coming)

        def explain() -> None:
            for execution in stopped:
                if execution.elsewhere is not None:
                    continue  # it only waits here
                frame = self._blocked_in(execution)
                if frame is not None and self.side_cells.runs(execution):
                    execution.at_home(
                        self.shell.notice,
                        f"{execution.cell.execution_id} runs beside the others in a call that nothing can "
                        f"interrupt, {self.shell.describe_frame(frame)}; it ends as soon as that returns",
                    )

        if stopped:
            self.shell_channel_thread.call_later(1.0, explain)

    def stop_beside(self) -> None:
        """Stop where no cell runs in the foreground. Thread: main, in the signal handler."""
        if self.ending.requested:
            return  # `end_beside` does it, once: a second Stop would come in the midst of a `finally`
        self.stop_side_cells(coming=lambda lane_id: True)
        self.shell_channel_thread.call_later(0.0, self.background.stop_waiting)

    def end_beside(self, timeout: float) -> None:
        """Stop all for the kernel's end, and give their `finally` up to `timeout` seconds. Thread: main."""
        self.background.stop_waiting()
        self.side_cells.stop(coming=lambda lane_id: True)
        self.side_cells.wait(timeout)

    def stop_lane(self, lane: Lane) -> None:
        """Stop the cell that runs in `lane`. Thread: any."""
        self.stop_side_cells(
            lambda execution: execution.cell.lane_id == lane.lane_id, lambda lane_id: lane_id == lane.lane_id
        )

    def _blocked_in(self, execution: Execution) -> FrameType | None:
        """The innermost frame of a cell that executes; `None` for one that awaits."""
        ident: int | None = execution.thread_ident
        if execution.own_task is not None:
            ident = self.user_loop.loop.owner if executes(execution.own_task.get_coro()) else None
        return sys._current_frames().get(ident or 0)
