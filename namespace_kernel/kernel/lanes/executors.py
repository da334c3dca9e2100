"""The bridge of each lane: the same namespace, engine and hooks, and executors for the lane's thread."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

from namespace_kernel.base.cell import Context
from namespace_kernel.base.execution import Execution
from namespace_kernel.execution.awaiting_cells import UserLoopExecutor
from namespace_kernel.execution.bridge import ExecutionContextBridge
from namespace_kernel.execution.plain_cells import MainThreadExecutor
from namespace_kernel.execution.side_cells import WorkerExecutor, WorkerLoopExecutor
from namespace_kernel.execution.stop.interrupts import InterruptController
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.remote.executor import ElsewhereExecutor, beside, in_foreground
from namespace_kernel.remote.sites.dask import DaskSite
from namespace_kernel.remote.sites.isolated import IsolatedSite


class Sites(NamedTuple):
    """Where cells run that do not run here."""

    isolated: IsolatedSite
    dask: DaskSite


class LeavingCells:
    """Cells beside the others that run elsewhere: when what each reads has been copied, the next may begin.

    Thread: any; a dict is atomic per operation.
    """

    def __init__(self) -> None:
        self._leaving: dict[str, SimpleQueue[None]] = {}

    def expect(self, lane_id: str) -> Callable[[], None]:
        """Say that the cell of that lane will leave; return what waits until it has."""
        left = self._leaving[lane_id] = SimpleQueue()
        return left.get

    def has_left(self, execution: Execution) -> None:
        """What the cell reads has been copied."""
        self.forget(execution.cell.lane_id or "")

    def forget(self, lane_id: str) -> None:
        """Nobody needs to wait for the cell of that lane any more."""
        left = self._leaving.pop(lane_id, None)
        if left is not None:
            left.put(None)


class Bridges:
    """Makes them. `build` gives an `ExecutionContextBridge` what all of them share."""

    def __init__(
        self,
        build: Callable[..., ExecutionContextBridge],
        sites: Sites,
        user_loop: UserLoop,
        interrupts: InterruptController,
        side_cells: SideCells,
    ) -> None:
        self._build = build
        self._sites = sites
        self._user_loop = user_loop
        self._interrupts = interrupts
        self._side_cells = side_cells
        self.leaving = LeavingCells()

    def of_foreground(self, context: contextvars.Context) -> ExecutionContextBridge:
        """The bridge of the cells that run one after the other, on the main thread."""
        stops = in_foreground(self._interrupts)
        return self._build(
            context=context,
            executors={
                Context.MAIN: MainThreadExecutor(context, self._interrupts),
                Context.ASYNC: UserLoopExecutor(self._user_loop, context, self._interrupts),
                Context.ISOLATED: ElsewhereExecutor(self._sites.isolated, context, stops),
                Context.DASK: ElsewhereExecutor(self._sites.dask, context, stops),
            },
        )

    def beside_it(self, context: contextvars.Context) -> ExecutionContextBridge:
        """The bridge of a subshell's cells, or of a background cell, on a worker thread."""
        stops, has_left = beside(self._side_cells), self.leaving.has_left
        return self._build(
            context=context,
            executors={
                Context.MAIN: WorkerExecutor(context, self._side_cells),
                Context.ASYNC: WorkerLoopExecutor(self._user_loop, context, self._side_cells),
                Context.ISOLATED: ElsewhereExecutor(self._sites.isolated, context, stops, has_left),
                Context.DASK: ElsewhereExecutor(self._sites.dask, context, stops, has_left),
            },
        )
