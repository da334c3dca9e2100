"""What outlives the process, and what is said before the system ends it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from jupyter_core.paths import jupyter_data_dir

from namespace_kernel.base.execution import Execution
from namespace_kernel.durable.black_box import BlackBox
from namespace_kernel.durable.durability import Durability
from namespace_kernel.durable.memory_watch import MemoryWatch, Shares
from namespace_kernel.kernel.lanes.haste import Haste
from namespace_kernel.namespace.reserved_names import MISSING

from .ground import Ground


class Keeping(NamedTuple):
    """What is told of a cell before it begins, and when it is over."""

    durability: Durability
    black_box: BlackBox

    def begins(self, execution: Execution) -> None:
        """A cell begins. Thread: the one that runs it."""
        self.black_box.begin(execution)
        self.durability.begin(execution)


def build_keeping(ground: Ground, connection_file: Path) -> Keeping:
    """The journal, and the black box, which also tells what the journal can bring back. Thread: main."""
    durability = _durability(ground)
    return Keeping(durability, _black_box(ground, connection_file, durability))


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
        hurry=Haste().begin_or_end,
    )
    watch.start()
