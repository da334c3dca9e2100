"""What outlives the process, and what is said before the system ends it."""

from __future__ import annotations

from pathlib import Path

from jupyter_core.paths import jupyter_data_dir

from namespace_kernel.durable.black_box import BlackBox
from namespace_kernel.durable.durability import Durability
from namespace_kernel.durable.memory_watch import MemoryWatch, Shares
from namespace_kernel.namespace.reserved_names import MISSING

from .ground import Ground


def build_durability(ground: Ground) -> Durability:
    """Thread: main."""
    kernel = ground.kernel
    return Durability(
        kernel.namespace,
        lambda: kernel.durable,
        lambda: (int(kernel.durable_size) * 2**20, float(kernel.durable_days)),
        ground.notice,
        lambda name, value: kernel.shell.user_ns_hidden.get(name, MISSING) is value,
        jupyter_data_dir,
    )


def build_black_box(ground: Ground, connection_file: Path, durability: Durability) -> BlackBox:
    """Thread: main."""
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


def watch_memory(ground: Ground, black_box: BlackBox) -> None:
    """From now on memory is looked at while cells run. Thread: main."""
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
