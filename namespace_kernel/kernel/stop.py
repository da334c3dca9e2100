"""Stop for cells that run beside the foreground: on workers, or on the user loop for them."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType

from namespace_kernel.base.asyncio_tasks import coroutine_of, executes
from namespace_kernel.base.execution import Execution
from namespace_kernel.base.threads import frames_of_threads
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.remote.executor import ElsewhereCall

from .wire.protocol_thread import ProtocolThread

#: So many seconds after a Stop it is looked what holds up the loop, and then once more.
_PATIENCE = 0.5


class SideStops:
    """Stops some of them, ends a task of theirs that blocks the user loop, and says which cannot be stopped.

    Thread: any, also a signal handler.
    """

    def __init__(
        self, side_cells: SideCells, user_loop: UserLoop, shell: NamespaceShell, timers: ProtocolThread
    ) -> None:
        self._side_cells = side_cells
        self._user_loop = user_loop
        self._shell = shell
        self._timers = timers

    def stop(
        self,
        wanted: Callable[[Execution], bool] = lambda execution: True,
        coming: Callable[[str], bool] = lambda lane_id: False,
    ) -> None:
        """Stop the `wanted` cells, and those to come of the lanes `coming`."""
        turn = self._user_loop.loop.turns
        stopped = self._side_cells.stop(wanted, coming)
        if stopped:
            self._timers.call_later(_PATIENCE, lambda: self._look(stopped, turn))

    def stop_lane(self, lane_id: str | None) -> None:
        """Stop the cell that runs in that lane."""
        self.stop(lambda execution: execution.cell.lane_id == lane_id, lambda coming: coming == lane_id)

    def _look(self, stopped: list[Execution], turn: int) -> None:
        # What a cell has called may have begun after its Stop: before it was cancelled.
        later = self._user_loop.loop.turns
        self._timers.call_later(_PATIENCE, lambda: self._follow_up(stopped, turn, later))

    def _follow_up(self, stopped: list[Execution], turn: int, later: int) -> None:
        for execution in stopped:
            self._user_loop.end_step(execution.tasks, turn)
            self._user_loop.end_callback(later, execution)
            if execution.find(ElsewhereCall) is not None:
                continue  # it only waits here
            frame = self._blocked_in(execution)
            if frame is not None and self._side_cells.runs(execution):
                execution.at_home(
                    self._shell.notice,
                    f"{execution.cell.execution_id} runs beside the others in a call that nothing can "
                    f"interrupt, {self._shell.describe_frame(frame)}; it ends as soon as that returns",
                )

    def _blocked_in(self, execution: Execution) -> FrameType | None:
        """The innermost frame of a cell that executes; `None` for one that awaits."""
        ident: int | None = execution.thread_ident
        if execution.own_task is not None:
            ident = self._user_loop.loop.owner if executes(coroutine_of(execution.own_task)) else None
        return frames_of_threads().get(ident or 0)
