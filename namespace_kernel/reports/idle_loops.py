"""Loops that a cell has set, that have work, and that nobody runs.

Libraries ask for the running loop; where there is none, some make one, set it and give it their tasks, for
a script that will run it. In a notebook nothing ever happens then, without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from namespace_kernel.base.asyncio_tasks import all_tasks_of, coroutine_of
from namespace_kernel.base.cell import Context
from namespace_kernel.base.execution import Execution
from namespace_kernel.execution.hooks import Settling

from .receipt import Kind, Receipts, Remark

#: Seconds after which a loop is looked at again, if the cell has started threads: one may run it.
_LATER = 0.5


class TellOfIdleLoops:
    """Post-cell hook: let the receipt say that such a loop does not run.

    `take` gives the loops that were set since it was asked last.
    """

    def __init__(self, receipts: Receipts, take: Callable[[], list[Any]]) -> None:
        self._receipts = receipts
        self._take = take

    def __call__(self, settling: Settling) -> None:
        """See `execution.hooks.Hook`."""
        execution = settling.execution
        loops = [loop for loop in self._take() if _has_work(loop)]
        if not loops or execution.route.context is not Context.MAIN:
            return
        if execution.threads:
            self._receipts.timers.call_later(_LATER, lambda: self._tell(execution, loops))
        else:
            self._tell(execution, loops)

    def _tell(self, execution: Execution, loops: list[Any]) -> None:
        for loop in filter(_has_work, loops):
            tasks = [getattr(coroutine_of(task), "__name__", "a task") for task in all_tasks_of(loop)]
            named = f": {', '.join(f'`{name}()`' for name in sorted(set(tasks))[:3])}" if tasks else ""
            summary = "an event loop that this cell has set does not run, and what waits on it never will"
            remark = Remark(
                f"{summary}{named}; put `%%async` on the cell's first line", "an event loop does not run"
            )
            self._receipts.note(execution, Kind.IDLE_LOOPS, lambda remark=remark: remark, id(loop))  # type: ignore[misc]


def _has_work(loop: Any) -> bool:
    """Whether something waits on a loop that does not run."""
    if loop.is_closed() or loop.is_running():
        return False
    return any((all_tasks_of(loop), getattr(loop, "_ready", None), getattr(loop, "_scheduled", None)))
