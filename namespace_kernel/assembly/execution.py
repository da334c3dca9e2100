"""What runs cells and stops them."""

from __future__ import annotations

from typing import NamedTuple

from namespace_kernel.durable.black_box import BlackBox
from namespace_kernel.execution.stop.interrupts import InterruptController
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.execution.stop.wakeup import SignalWakeup
from namespace_kernel.execution.user_loop.asyncio_patch import AsyncioFront
from namespace_kernel.execution.user_loop.signal_patch import SignalFront
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.kernel.wire.passages import Room
from namespace_kernel.kernel.wire.stdout import CellStream

from .ground import Ground


class Running(NamedTuple):
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
        self.wakeup.before_cell()
        self.asyncio.note_leftover()


def build_running(ground: Ground, black_box: BlackBox) -> Running:
    """The loop, and who knows what a Stop would end. Thread: main."""
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


def take_signals(ground: Ground, running: Running) -> None:
    """From now on a Stop is for the cell that runs. Thread: main."""
    running.interrupts.install()
    running.wakeup.install()
    ground.timers.watch(running.wakeup.fileno(), running.wakeup.signalled)
