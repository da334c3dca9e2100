"""The cell receipt: quiet lines under a cell that left something behind."""

from __future__ import annotations

from collections.abc import Callable

from .coroutines import Leak, NeverAwaitedHook
from .executors import UserLoop
from .settle import Settling, describe_leaks


class CollectUnreachable:
    """Post-cell hook: add the coroutines that went away without having been awaited."""

    def __init__(self, never_awaited: NeverAwaitedHook) -> None:
        self._never_awaited = never_awaited

    def __call__(self, settling: Settling) -> None:
        """See `settle.Hook`."""
        settling.leaks.extend(self._never_awaited.drain())


class ReportFailedTasks:
    """Post-cell hook: show the exceptions of the cell's tasks that nobody retrieved while it ran."""

    def __init__(self, user_loop: UserLoop) -> None:
        self._user_loop = user_loop

    def __call__(self, settling: Settling) -> None:
        """See `settle.Hook`."""
        failed = settling.execution.failed
        while failed:
            self._user_loop.report_failure(failed.pop())


class ShowReceipt:
    """Post-cell hook: show one line for each thing that the cell left behind, unless it is silent.

    `place` says where a leak was created; `show` displays lines under the cell.
    """

    def __init__(self, place: Callable[[Leak], str], show: Callable[[list[str]], None]) -> None:
        self._place = place
        self._show = show

    def __call__(self, settling: Settling) -> None:
        """See `settle.Hook`."""
        lines = describe_leaks(settling.leaks, self._place)
        if lines and not settling.execution.cell.silent:
            self._show(lines)
