"""Who answers the protocol, built from the ground up: each gets what it needs, and says what it answers."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from namespace_kernel.coroutines.origins import Origins
from namespace_kernel.durable.durability import Durability
from namespace_kernel.execution.stop.interrupts import InterruptController
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.reports.activities import Activities

from .activity import ActivityRequests
from .comms import CommHomes, Comms
from .debugging.requests import ControlChannel
from .execute import CellRequests
from .introspection import Introspection, load_jedi
from .lanes.aborts import Aborts
from .lanes.answers import Answers
from .lanes.background import BackgroundCells
from .lanes.executors import Bridges
from .lanes.foreground import Beside, CellService, Foreground
from .lanes.gui import GuiLoop
from .lanes.lanes import Lane, Lanes
from .lanes.warm_up import WarmUp
from .shell_channel import ShellChannel
from .shutdown import Ending, Shutdown
from .stop import SideStops
from .subshells import SubshellRequests
from .wire.handlers import Handlers
from .wire.iopub import IOPub
from .wire.request import Message, Replies, ReplySocket

if TYPE_CHECKING:
    from .kernel import NamespaceKernel


@dataclass(frozen=True, slots=True)
class Parts:
    """What the app builds. `context` is the foreground's, and `before_cell` is called before its cells."""

    user_loop: UserLoop
    interrupts: InterruptController
    side_cells: SideCells
    activities: Activities
    origins: Origins
    bridges: Bridges
    context: contextvars.Context
    before_cell: Callable[[], None]
    durability: Durability


@dataclass(frozen=True, slots=True)
class Built:
    """What the kernel, its shell and the app use of it."""

    ending: Ending
    gui: GuiLoop
    lanes: Lanes
    background: BackgroundCells
    stops: SideStops
    beside: Beside
    foreground: Foreground
    comm_homes: CommHomes
    shell_channel: ShellChannel
    control_channel: ControlChannel
    shutdown: Shutdown
    subshells: SubshellRequests
    introspection: Introspection


def build(kernel: NamespaceKernel, parts: Parts) -> Built:
    """Build it. Thread: main, before `start`."""
    session, shell, log = kernel.session, kernel.shell, kernel.log
    parents, streams, forked = kernel.parents, kernel.streams, kernel.forked
    thread, publishing, stream = kernel.shell_channel_thread, kernel.iopub_thread, kernel.shell_stream
    debugger = getattr(kernel, "debugger", None)  # there is none without debugpy
    user_loop, interrupts, side_cells = parts.user_loop, parts.interrupts, parts.side_cells
    iopub = IOPub(session, publishing, kernel._topic)
    handlers = Handlers(kernel.shell_handlers, session, log)

    # Cells
    gui = GuiLoop(shell, streams)
    foreground_lane = Lane(None, parts.context, parts.bridges.of_foreground(parts.context), gui.wake)
    ending = Ending(foreground_lane.put, kernel.ends_process)
    stops = SideStops(side_cells, user_loop, shell, thread)
    aborts = Aborts(kernel, stream, thread, iopub)
    cells = CellRequests(kernel, session, shell, parents, streams, iopub, interrupts, aborts, debugger)
    background = BackgroundCells(kernel, parts.bridges, cells, side_cells, stops)
    beside = Beside(background, side_cells, stops, ending, thread)
    service = CellService(cells, background, interrupts, parts.before_cell)
    lanes = Lanes(foreground_lane, parts.bridges, service, stops, thread.manager)
    warm_up = WarmUp(foreground_lane, thread, load_jedi(shell))
    foreground = Foreground(
        lanes, service, gui, user_loop, interrupts, ending, forked, shell, streams, iopub, warm_up, log
    )

    # Other messages
    comm_homes = CommHomes(kernel, session, parents)
    answers = Answers(handlers, parents, streams, iopub)
    comms = Comms(
        kernel,
        comm_homes,
        kernel,
        shell,
        shell.events,
        answers,
        foreground_lane,
        user_loop,
        side_cells,
    )
    introspection = Introspection(kernel, session)
    subshells = SubshellRequests(lanes, aborts, session)
    shutdown = Shutdown(kernel, kernel, session, ending, (kernel.control_thread, thread))
    for one in (comms, introspection, subshells, shutdown, ActivityRequests(parts.activities, session)):
        one.register(kernel)

    # Channels
    shell_channel = ShellChannel(
        kernel, session, shell, stream, lanes, aborts, comms, answers, publishing, thread
    )
    replies = ReplySocket(kernel.control_thread, kernel.control_stream)
    control_channel = ControlChannel(
        kernel, kernel, session, kernel.control_stream, debugger, foreground_lane, replies, handlers, streams
    )
    return Built(
        ending,
        gui,
        lanes,
        background,
        stops,
        beside,
        foreground,
        comm_homes,
        shell_channel,
        control_channel,
        shutdown,
        subshells,
        introspection,
    )


_Answer: TypeAlias = Callable[[Replies, list[bytes], Message], Coroutine[Any, Any, None]]


def answered_by(find: Callable[[Built], _Answer]) -> Callable[..., Coroutine[Any, Any, None]]:
    """A kernel's method of ipykernel's name for what `find` finds: a subclass may override and call it."""

    async def answer(self: NamespaceKernel, stream: Replies, ident: list[bytes], parent: Message) -> None:
        """Overridden: one of the kernel's parts answers."""
        await find(self.built)(stream, ident, parent)

    return answer
