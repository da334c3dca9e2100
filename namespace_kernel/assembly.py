"""Builds every part of a kernel, ground floor first.

The kernel and its shell exist already: ipykernel makes them. A part gets what it needs in its constructor.
"""

from __future__ import annotations

import contextvars
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import get_ident

from jupyter_core.paths import jupyter_data_dir

from namespace_kernel.attribution.child_processes import ChildProcesses
from namespace_kernel.attribution.inheritance import Inheritance
from namespace_kernel.attribution.redirects import Redirects
from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.lines import Leak
from namespace_kernel.base.patching import Patches
from namespace_kernel.base.threads import current_thread
from namespace_kernel.coroutines.never_awaited import NeverAwaitedHook
from namespace_kernel.coroutines.origins import Origins, OriginTracking
from namespace_kernel.durable.black_box import BlackBox
from namespace_kernel.durable.durability import Durability
from namespace_kernel.durable.memory_watch import MemoryWatch, Shares
from namespace_kernel.execution.bridge import ExecutionContextBridge
from namespace_kernel.execution.hooks import Hook, close_coroutines
from namespace_kernel.execution.stop.interrupts import InterruptController
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.execution.stop.swallowed import SwallowedStops
from namespace_kernel.execution.stop.system_patch import SystemFront
from namespace_kernel.execution.stop.wakeup import SignalWakeup
from namespace_kernel.execution.user_loop.asyncio_patch import AsyncioFront
from namespace_kernel.execution.user_loop.signal_patch import SignalFront
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.ipython.captures import capture_nothing, end_captures
from namespace_kernel.ipython.engine import LetGoOfError, ShellEngine, UserLoopRunner
from namespace_kernel.ipython.tracebacks.class_sources import ClassSources
from namespace_kernel.ipython.tracebacks.stacks import StackFront
from namespace_kernel.ipython.tracebacks.thread_errors import ThreadErrors
from namespace_kernel.kernel.handlers import Parts
from namespace_kernel.kernel.kernel import NamespaceKernel
from namespace_kernel.kernel.lanes.executors import Bridges, Sites
from namespace_kernel.kernel.wire.passages import Room
from namespace_kernel.kernel.wire.protocol_thread import ProtocolThread
from namespace_kernel.kernel.wire.stdout import CellStream
from namespace_kernel.namespace.reserved_names import MISSING
from namespace_kernel.remote.sites.dask import DaskSite
from namespace_kernel.remote.sites.isolated import IsolatedSite
from namespace_kernel.remote.spawning.multiprocessing_patch import MultiprocessingFront
from namespace_kernel.reports.activities import Activities
from namespace_kernel.reports.hooks import CollectLeaks, ReportFailedTasks, ShowReceipt
from namespace_kernel.reports.idle_loops import TellOfIdleLoops
from namespace_kernel.reports.remarks import CellReceipts
from namespace_kernel.reports.watchdog import LoopWatchdog
from namespace_kernel.routing.router import Router


@dataclass(frozen=True, slots=True)
class House:
    """What the app starts and ends. The `patches` are in force while the kernel serves."""

    user_loop: UserLoop
    sites: Sites
    black_box: BlackBox
    durability: Durability
    patches: Patches


@dataclass(frozen=True, slots=True)
class Ground:
    """What the parts stand on. `context` is the one of the foreground's cells.

    The kernel's shell tells lines of code (`Lines`) and shows notices in the calling context (`Notices`). A
    notice that is given to this goes to the foreground's cell, whatever thread or task it comes from.
    """

    kernel: NamespaceKernel
    timers: ProtocolThread
    context: contextvars.Context

    def notice(self, line: str) -> None:
        """See `Notices`."""
        context = self.context.copy()
        context.run(capture_nothing)
        context.run(self.kernel.shell.notice, line)

    def report_task(self, error: BaseException, what: str) -> None:
        """Show the exception of a task that nobody retrieved, or of a callback."""
        if self.kernel.report_failed_tasks:
            self.kernel.shell.show_task_error(error, what)

    def runs_cells(self) -> bool:
        """Whether the calling thread is one where cells run: main, or a subshell's."""
        is_main = get_ident() == self.timers.manager.foreground_ident
        return is_main or current_thread().name.startswith("lane-")


@dataclass(frozen=True, slots=True)
class Coroutines:
    """Where coroutines come from, and which of them nobody awaits."""

    tracking: OriginTracking
    origins: Origins
    never_awaited: NeverAwaitedHook


@dataclass(frozen=True, slots=True)
class Running:
    """What runs cells, and stops them."""

    interrupts: InterruptController
    user_loop: UserLoop
    wakeup: SignalWakeup
    signals: SignalFront
    asyncio: AsyncioFront
    side_cells: SideCells
    room: Room

    def before_cell(self) -> None:
        """Called before each cell of the foreground. Thread: main."""
        self.room.make()
        self.signals.apply()
        self.wakeup.take_descriptor()
        self.asyncio.note_leftover()


@dataclass(frozen=True, slots=True)
class Attribution:
    """Whose output it is."""

    inheritance: Inheritance
    redirects: Redirects
    children: ChildProcesses


def assemble(kernel: NamespaceKernel, timers: ProtocolThread, connection_file: Path) -> House:
    """Build the parts of `kernel`, which has them from then on. Thread: main, before anything is served."""
    ground = Ground(kernel, timers, contextvars.copy_context())
    durability = _durability(ground)
    black_box = _black_box(ground, connection_file, durability)
    running = _running(ground, black_box)
    receipts = _receipts(ground)
    coroutines = _coroutines(ground, running.user_loop, receipts)
    attribution = _attribution(ground, coroutines.tracking, receipts)
    sites = _sites(kernel, attribution.children)
    bridges = _bridges(ground, running, coroutines, receipts, sites, black_box, durability)
    kernel.attach(
        Parts(
            running.user_loop,
            running.interrupts,
            running.side_cells,
            _activities(ground, running.user_loop, attribution, receipts),
            coroutines.origins,
            bridges,
            ground.context,
            running.before_cell,
            durability,
        )
    )
    _take_signals(ground, running)
    _watch_memory(ground, black_box)
    patches = _patches(kernel, running, coroutines, attribution)
    return House(running.user_loop, sites, black_box, durability, patches)


def _durability(ground: Ground) -> Durability:
    kernel = ground.kernel
    return Durability(
        kernel.namespace,
        lambda: kernel.durable,
        lambda: (int(kernel.durable_size) * 2**20, float(kernel.durable_days)),
        ground.notice,
        lambda name, value: kernel.shell.user_ns_hidden.get(name, MISSING) is value,
        jupyter_data_dir,
    )


def _black_box(ground: Ground, connection_file: Path, durability: Durability) -> BlackBox:
    kernel, shell = ground.kernel, ground.kernel.shell
    return BlackBox(
        connection_file,
        shell.events.cells,
        shell,
        lambda: kernel.ending.requested,
        shell.notice,
        kernel.log,
        durability.restorable,
    )


def _watch_memory(ground: Ground, black_box: BlackBox) -> None:
    kernel, shell = ground.kernel, ground.kernel.shell
    watch = MemoryWatch(
        shell.events.cells,
        kernel.namespace.live.copy,
        Shares(lambda: float(kernel.memory_warning), lambda: float(kernel.memory_stop)),
        lambda cell: kernel.stop_cell(lambda execution: execution is cell),
        shell.notice,
        ground.timers,
        black_box.note,
    )
    watch.start()


def _running(ground: Ground, black_box: BlackBox) -> Running:
    kernel, shell = ground.kernel, ground.kernel.shell
    interrupts = InterruptController(
        ground, shell, ground.timers, lambda: kernel.beside.stop(), lambda: bool(shell.events.messages)
    )
    user_loop = UserLoop(shell, shell, ground.report_task, interrupts.step_of)
    wakeup = SignalWakeup(
        ground.timers, interrupts, lambda: signals.apply(), getattr(kernel, "debugger", None)
    )
    signals = SignalFront(lambda: user_loop.home_ident, wakeup.wake_main)
    asyncio = AsyncioFront(user_loop.loop, ground.runs_cells)
    streams = (kernel._stdout, kernel._stderr)
    room = Room([one for one in streams if isinstance(one, CellStream)], black_box.fileno)
    ground.timers.call_later(room.delay, room.make)
    return Running(interrupts, user_loop, wakeup, signals, asyncio, SideCells(), room)


def _take_signals(ground: Ground, running: Running) -> None:
    running.interrupts.install()
    running.wakeup.install()
    ground.timers.watch(running.wakeup.fileno(), running.wakeup.signalled)


def _receipts(ground: Ground) -> CellReceipts:
    kernel, shell = ground.kernel, ground.kernel.shell

    def publish(display_id: str, data: dict[str, str], update: bool) -> None:
        if not kernel.ending.requested:
            shell.display_pub.publish(data, transient={"display_id": display_id}, update=update)

    return CellReceipts(publish, kernel.reports, ground.timers, shell)


def _coroutines(ground: Ground, user_loop: UserLoop, receipts: CellReceipts) -> Coroutines:
    def take(leak: Leak) -> bool:
        """A coroutine went away in the calling context."""
        execution = current_execution.get()
        if execution is not None:
            receipts.leaked(execution.owner or execution, leak)
        return execution is not None

    tracking = OriginTracking(lambda: user_loop.loop.call_soon_threadsafe(tracking.apply))
    user_loop.news.comes_home.append(tracking.apply)
    user_loop.news.task_ended.append(receipts.refresh)
    origins = Origins(tracking, ground.kernel.namespace.look_up, ground.kernel.shell)
    return Coroutines(tracking, origins, NeverAwaitedHook(origins.leak_of, take))


def _attribution(ground: Ground, tracking: OriginTracking, receipts: CellReceipts) -> Attribution:
    kernel = ground.kernel

    def thread_ended(execution: Execution) -> None:
        """A thread or a job that a cell started is over. Thread: it."""
        kernel.forked.end_if_child()
        receipts.refresh(execution)

    inheritance = Inheritance(
        kernel.parents.variables(),
        kernel.parents.threads_inherit,
        kernel.shell.is_users_file,
        thread_ended,
        tracking.apply,
    )
    redirects = Redirects(lambda stream: issubclass(type(stream), CellStream), CellStream.direct)
    return Attribution(inheritance, redirects, ChildProcesses(kernel.streams.take_in))


def _sites(kernel: NamespaceKernel, children: ChildProcesses) -> Sites:
    return Sites(
        IsolatedSite(lambda: int(kernel.isolated_processes), children.note),
        DaskSite(kernel.namespace.look_up, lambda: int(kernel.dask_result_limit) * 2**20),
    )


def _bridges(
    ground: Ground,
    running: Running,
    coroutines: Coroutines,
    receipts: CellReceipts,
    sites: Sites,
    black_box: BlackBox,
    durability: Durability,
) -> Bridges:
    kernel = ground.kernel

    def begins(execution: Execution) -> None:
        black_box.begin(execution)
        durability.begin(execution)

    engine = ShellEngine(kernel.shell, UserLoopRunner(running.user_loop), coroutines.origins)
    build = partial(
        ExecutionContextBridge,
        kernel.namespace,
        router=_router(kernel, engine),
        engine=engine,
        running=kernel.shell.events.cells,
        begins=begins,
        hooks=(
            durability.note,
            *_hooks(ground, running, coroutines, receipts),
            black_box.end,
            durability.end,
        ),
    )
    return Bridges(build, sites, running.user_loop, running.interrupts, running.side_cells)


def _router(kernel: NamespaceKernel, engine: ShellEngine) -> Router:
    return Router(
        kernel.shell.transform_cell,
        kernel.namespace.look_up,
        lambda: engine.awaits_on_user_loop,
        lambda: kernel.plain_cells == "loop",
    )


def _hooks(
    ground: Ground, running: Running, coroutines: Coroutines, receipts: CellReceipts
) -> tuple[Hook, ...]:
    shell = ground.kernel.shell
    return (
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
        # Last: the tables show what the namespace is when the cell is done.
        shell.live_tables.after_cell,
    )


def _activities(
    ground: Ground, user_loop: UserLoop, attribution: Attribution, receipts: CellReceipts
) -> Activities:
    """Also who watches over what runs."""
    kernel, shell = ground.kernel, ground.kernel.shell
    cells = shell.events.cells
    watchdog = LoopWatchdog(
        user_loop, receipts, cells, shell, lambda: float(kernel.blocking_time), ground.timers
    )
    user_loop.news.task_began.append(watchdog.arm)
    return Activities(cells, user_loop, attribution.children, shell, attribution.inheritance.jobs)


def _patches(
    kernel: NamespaceKernel, running: Running, coroutines: Coroutines, attribution: Attribution
) -> Patches:
    return Patches(
        *coroutines.never_awaited.patches,
        *running.asyncio.patches,
        *running.signals.patches,
        *SystemFront().patches,
        *SwallowedStops(lambda: running.interrupts.cell_runs).patches,
        *ClassSources(kernel.shell.cell_files).patches,
        *StackFront(kernel.shell.is_cell_file).patches,
        *ThreadErrors(kernel.shell.advise).patches,
        *attribution.inheritance.patches,
        *attribution.redirects.patches,
        *attribution.children.patches,
        *MultiprocessingFront(kernel.namespace.live).patches,
    )
