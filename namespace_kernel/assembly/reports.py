"""What the user is told of what runs, and of what a cell has left behind."""

from __future__ import annotations

from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.reports.activities import Activities
from namespace_kernel.reports.remarks import CellReceipts
from namespace_kernel.reports.watchdog import LoopWatchdog

from .attribution import Attribution
from .ground import Ground


def build_receipts(ground: Ground) -> CellReceipts:
    """The notes under cells. Thread: main."""
    kernel, shell = ground.kernel, ground.kernel.shell

    def publish(display_id: str, data: dict[str, str], update: bool) -> None:
        if not kernel.ending.requested:
            shell.display_pub.publish(data, transient={"display_id": display_id}, update=update)

    return CellReceipts(publish, kernel.reports, ground.timers, shell, kernel.parents.threads_inherit)


def build_activities(
    ground: Ground, user_loop: UserLoop, attribution: Attribution, receipts: CellReceipts
) -> Activities:
    """What runs, for `%ps`; and who says when a task blocks the loop. Thread: main."""
    kernel, shell = ground.kernel, ground.kernel.shell
    cells = shell.events.cells
    watchdog = LoopWatchdog(
        user_loop, receipts, cells, shell, lambda: float(kernel.blocking_time), ground.timers
    )
    user_loop.news.task_began.append(watchdog.arm)
    return Activities(cells, user_loop, attribution.children, shell, attribution.inheritance.jobs)
