"""Builds every part of a kernel, ground floor first.

The kernel and its shell exist already: ipykernel makes them. A part gets what it needs in its constructor.
"""

from __future__ import annotations

import contextvars
from pathlib import Path
from typing import NamedTuple

from namespace_kernel.base.patching import Patches
from namespace_kernel.execution.stop.swallowed import SwallowedStops
from namespace_kernel.execution.stop.system_patch import SystemFront
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.ipython.tracebacks.class_sources import ClassSources
from namespace_kernel.ipython.tracebacks.stacks import StackFront
from namespace_kernel.ipython.tracebacks.thread_errors import ThreadErrors
from namespace_kernel.kernel.handlers import Parts
from namespace_kernel.kernel.kernel import NamespaceKernel
from namespace_kernel.kernel.lanes.executors import Sites
from namespace_kernel.kernel.wire.protocol_thread import ProtocolThread
from namespace_kernel.remote.spawning.multiprocessing_patch import MultiprocessingFront

from .attribution import Attribution, Coroutines, build_attribution, build_coroutines
from .cells import build_bridges, build_sites
from .durable import Keeping, build_keeping, watch_memory
from .execution import Running, build_running, take_signals
from .ground import Ground
from .reports import build_activities, build_receipts


class House(NamedTuple):
    """What the app starts and ends. The `patches` are in force while the kernel serves."""

    user_loop: UserLoop
    sites: Sites
    keeping: Keeping
    patches: Patches


def assemble(kernel: NamespaceKernel, timers: ProtocolThread, connection_file: Path) -> House:
    """Build the parts of `kernel`, which has them from then on. Thread: main, before anything is served."""
    ground = Ground(kernel, timers, contextvars.copy_context())
    keeping = build_keeping(ground, connection_file)
    running = build_running(ground, keeping.black_box)
    receipts = build_receipts(ground)
    coroutines = build_coroutines(ground, running.user_loop, receipts)
    attribution = build_attribution(ground, coroutines.tracking, receipts)
    sites = build_sites(kernel, attribution.children)
    bridges = build_bridges(ground, running, coroutines, receipts, sites, keeping)
    kernel.attach(
        Parts(
            running.user_loop,
            running.interrupts,
            running.side_cells,
            build_activities(ground, running.user_loop, attribution, receipts),
            coroutines.origins,
            bridges,
            ground.context,
            running.before_cell,
            running.wakeup.stopped_lately,
            keeping.durability,
        )
    )
    take_signals(ground, running)
    watch_memory(ground, keeping.black_box)
    patches = _patches(kernel, running, coroutines, attribution)
    return House(running.user_loop, sites, keeping, patches)


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
