"""Post-cell hooks that collect what a cell left behind and show it."""

from __future__ import annotations

from namespace_kernel.coroutines.never_awaited import NeverAwaitedHook
from namespace_kernel.coroutines.origins import Origins
from namespace_kernel.execution.hooks import Settling
from namespace_kernel.execution.user_loop.tasks import FailedTasks
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.remote.executor import ElsewhereCall

from .remarks import CellReceipts, taken_from


class CollectLeaks:
    """Post-cell hook: add the coroutines that went away without having been awaited."""

    def __init__(self, never_awaited: NeverAwaitedHook, origins: Origins) -> None:
        self._never_awaited = never_awaited
        self._origins = origins

    def __call__(self, settling: Settling) -> None:
        """See `execution.hooks.Hook`."""
        leaks = settling.leaks
        leaks[:] = map(self._origins.in_users_code, leaks)
        leaks.extend(taken_from(settling.execution))
        leaks.extend(self._never_awaited.drain())


class ReportFailedTasks:
    """Post-cell hook: show the exceptions of the cell's tasks that nobody retrieved while it ran."""

    def __init__(self, user_loop: UserLoop) -> None:
        self._user_loop = user_loop

    def __call__(self, settling: Settling) -> None:
        """See `execution.hooks.Hook`."""
        failed = settling.execution.find(FailedTasks)
        while failed:
            self._user_loop.tasks.report_failure(failed.pop())


class ShowReceipt:
    """Post-cell hook: show what the cell left behind, which the hooks before found."""

    def __init__(self, receipts: CellReceipts) -> None:
        self._receipts = receipts

    def __call__(self, settling: Settling) -> None:
        """See `execution.hooks.Hook`."""
        receipts, execution = self._receipts, settling.execution
        if settling.leaks:
            receipts.coroutines(execution, settling.leaks)
        if execution.tasks:
            receipts.tasks(execution)
        if execution.threads:
            receipts.threads(execution)
        if execution.jobs:
            receipts.jobs(execution)
        if settling.changes.overwritten:
            receipts.engine_names(execution, settling.changes.overwritten)
        receipts.conflicts(execution, settling.changes)
        call = execution.find(ElsewhereCall)
        if call is not None:
            receipts.stayed(execution, call)
        execution.settled = True
        receipts.show(execution)
        receipts.collect(execution)  # what another thread has added since
