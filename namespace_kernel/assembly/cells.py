"""What a cell passes through: its route, where its code runs, and the steps after the code."""

from __future__ import annotations

from functools import partial

from namespace_kernel.attribution.child_processes import ChildProcesses
from namespace_kernel.execution.bridge import ExecutionContextBridge
from namespace_kernel.execution.hooks import Hook, close_coroutines
from namespace_kernel.execution.stop.interrupts import InterruptController
from namespace_kernel.ipython.captures import end_captures
from namespace_kernel.ipython.engine import LetGoOfError, ShellEngine, UserLoopRunner
from namespace_kernel.kernel.kernel import NamespaceKernel
from namespace_kernel.kernel.lanes.executors import Bridges, Sites
from namespace_kernel.remote.sites.dask import DaskSite
from namespace_kernel.remote.sites.isolated import IsolatedSite
from namespace_kernel.reports.hooks import CollectLeaks, ReportFailedTasks, ShowReceipt
from namespace_kernel.reports.idle_loops import TellOfIdleLoops
from namespace_kernel.reports.remarks import CellReceipts
from namespace_kernel.routing.router import Router

from .attribution import Coroutines
from .durable import Keeping
from .execution import Running
from .ground import Ground


def build_sites(kernel: NamespaceKernel, children: ChildProcesses) -> Sites:
    """Where cells run that do not run here. Thread: main."""
    return Sites(
        IsolatedSite(lambda: int(kernel.isolated_processes), children.note),
        DaskSite(kernel.namespace.look_up, lambda: int(kernel.dask_result_limit) * 2**20),
    )


def build_bridges(
    ground: Ground,
    running: Running,
    coroutines: Coroutines,
    receipts: CellReceipts,
    sites: Sites,
    keeping: Keeping,
) -> Bridges:
    """What takes a cell through its stages, for each lane. Thread: main."""
    kernel = ground.kernel
    engine = ShellEngine(kernel.shell, UserLoopRunner(running.user_loop), coroutines.origins)
    build = partial(
        ExecutionContextBridge,
        kernel.namespace,
        router=_router(kernel, engine, running.interrupts),
        engine=engine,
        running=kernel.shell.events.cells,
        begins=keeping.begins,
        hooks=_hooks(ground, running, coroutines, receipts, keeping),
    )
    return Bridges(build, sites, running.user_loop, running.interrupts, running.side_cells)


def _router(kernel: NamespaceKernel, engine: ShellEngine, interrupts: InterruptController) -> Router:
    return Router(
        interrupts.stoppable(kernel.shell.transform_cell),
        kernel.namespace.look_up,
        lambda: engine.awaits_on_user_loop,
        lambda: kernel.plain_cells == "loop",
    )


def _hooks(
    ground: Ground, running: Running, coroutines: Coroutines, receipts: CellReceipts, keeping: Keeping
) -> tuple[Hook, ...]:
    shell = ground.kernel.shell
    return (
        # What the cell wrote, and not what the others put in its place.
        keeping.durability.note,
        # What the others say is seen.
        end_captures,
        # What is within reach first: closing it may drop the last reference to others.
        close_coroutines,
        # The last error's frames may hold others.
        LetGoOfError(shell, coroutines.origins),
        CollectLeaks(coroutines.never_awaited, coroutines.origins),
        ReportFailedTasks(running.user_loop),
        # The receipt tells what the hooks before it found.
        TellOfIdleLoops(receipts, running.asyncio.take_set_loops),
        ShowReceipt(receipts),
        # The tables show what the namespace is when the cell is done.
        shell.live_tables.after_cell,
        # Last: what the cell has come to outlives the process.
        keeping.black_box.end,
        keeping.durability.end,
    )
