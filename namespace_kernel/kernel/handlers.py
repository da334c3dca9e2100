"""Who answers the protocol, built from the ground up: each gets what it needs, and says what it answers."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Coroutine
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from namespace_kernel.coroutines.origins import Origins
from namespace_kernel.durable.durability import Durability
from namespace_kernel.execution.stop.interrupts import InterruptController
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.ipython.tracebacks.needed_modules import needed_modules
from namespace_kernel.reports.activities import Activities

from .activity import ActivityRequests
from .comms import CommHomes, Comms
from .debugging.requests import ControlChannel, DebugTurns
from .debugging.stand_in import LazyDebugger
from .execute import CellRequests
from .introspection import Introspection, load_jedi
from .lanes.aborts import Aborts
from .lanes.answers import Answers, Handlers
from .lanes.background import BackgroundCells
from .lanes.cell_replies import CellReplies
from .lanes.executors import Bridges
from .lanes.foreground import Beside, BetweenCells, CellService, Foreground
from .lanes.gui import GuiLoop
from .lanes.lanes import Lane, Lanes
from .lanes.variable_views import VariableViews
from .lanes.warm_up import WarmUp
from .shell_channel import OtherMessages, ShellChannel
from .shutdown import Ending, Shutdown
from .stop import SideStops
from .subshells import SubshellRequests
from .wire.iopub import IOPub
from .wire.request import Message, Replies, ReplySocket

if TYPE_CHECKING:
    from .kernel import NamespaceKernel


class Parts(NamedTuple):
    """What the app builds. `context` is the foreground's, and `before_cell` is called before its cells;
    `stopped_lately` says whether a Stop came just before.
    """

    user_loop: UserLoop
    interrupts: InterruptController
    side_cells: SideCells
    activities: Activities
    origins: Origins
    bridges: Bridges
    context: contextvars.Context
    before_cell: Callable[[], None]
    stopped_lately: Callable[[], bool]
    durability: Durability


class Cells(NamedTuple):
    """Who runs cells, and who begins, stops and ends that."""

    lanes: Lanes
    foreground: Foreground
    background: BackgroundCells
    beside: Beside
    gui: GuiLoop
    stops: SideStops
    aborts: Aborts
    ending: Ending


class Others(NamedTuple):
    """Who answers what is no cell."""

    handlers: Handlers
    answers: Answers
    comm_homes: CommHomes
    comms: Comms
    introspection: Introspection
    subshells: SubshellRequests
    shutdown: Shutdown


class Built(NamedTuple):
    """All of them, and the two channels on which messages arrive."""

    cells: Cells
    others: Others
    shell_channel: ShellChannel
    control_channel: ControlChannel


def build(kernel: NamespaceKernel, parts: Parts) -> Built:
    """Build it. Thread: main, before `start`."""
    iopub = IOPub(kernel.session, kernel.iopub_thread, kernel._topic)
    cells = _cells(kernel, parts, iopub)
    others = _others(kernel, parts, cells, iopub)
    return Built(
        cells, others, _shell_channel(kernel, cells, others), _control_channel(kernel, cells, others)
    )


def _cells(kernel: NamespaceKernel, parts: Parts, iopub: IOPub) -> Cells:
    session, shell, log = kernel.session, kernel.shell, kernel.log
    streams, thread = kernel.streams, kernel.shell_channel_thread
    side_cells, bridges = parts.side_cells, parts.bridges
    gui = GuiLoop(shell, streams)
    lane = Lane(None, parts.context, bridges.of_foreground(parts.context), gui.wake)
    ending = Ending(lane.put, kernel.ends_process, parts.stopped_lately)
    stops = SideStops(side_cells, parts.user_loop, shell, thread)
    aborts = Aborts(kernel, kernel.shell_stream, thread, iopub)
    replies = CellReplies(kernel, session, shell, iopub, parts.interrupts, aborts)
    requests = CellRequests(kernel, shell, kernel.parents, streams, iopub, replies, _debugger(kernel))
    background = BackgroundCells(kernel, bridges, requests, replies, side_cells, stops)
    beside = Beside(background, side_cells, stops, ending, thread)
    service = CellService(requests, background, parts.interrupts, parts.before_cell)
    lanes = Lanes(lane, bridges, service, stops, thread.manager)
    between = BetweenCells(lane, gui, parts.user_loop.anchors, iopub, shell, streams, log)
    warm_up = WarmUp(lane, thread, chain(needed_modules.load(), load_jedi(shell)))
    foreground = Foreground(lane, between, service, warm_up, ending, kernel.forked, log)
    return Cells(lanes, foreground, background, beside, gui, stops, aborts, ending)


def _others(kernel: NamespaceKernel, parts: Parts, cells: Cells, iopub: IOPub) -> Others:
    session, shell, parents, streams = kernel.session, kernel.shell, kernel.parents, kernel.streams
    handlers = Handlers(kernel.shell_handlers, session, kernel.log)
    answers = Answers(handlers, parents, streams, iopub)
    comm_homes = CommHomes(kernel, session, parents)
    comms = Comms(
        kernel.comm_manager,
        comm_homes,
        kernel,
        shell,
        answers,
        cells.lanes.foreground,
        parts.user_loop,
        parts.side_cells,
    )
    introspection = Introspection(kernel, session)
    subshells = SubshellRequests(cells.lanes, cells.aborts, session)
    threads = (kernel.control_thread, kernel.shell_channel_thread)
    shutdown = Shutdown(kernel, kernel, session, cells.ending, threads)
    for one in (comms, introspection, subshells, shutdown, ActivityRequests(parts.activities, session)):
        one.register(kernel)
    return Others(handlers, answers, comm_homes, comms, introspection, subshells, shutdown)


def _shell_channel(kernel: NamespaceKernel, cells: Cells, others: Others) -> ShellChannel:
    session = kernel.session
    return ShellChannel(
        kernel,
        session,
        kernel.shell_stream,
        cells.lanes,
        cells.aborts,
        VariableViews(kernel, session, kernel.shell, others.answers),
        OtherMessages(others.answers, others.comms, kernel.shell_channel_thread),
        kernel.iopub_thread,
    )


def _control_channel(kernel: NamespaceKernel, cells: Cells, others: Others) -> ControlChannel:
    debugger, stream = _debugger(kernel), kernel.control_stream
    return ControlChannel(
        kernel,
        kernel.session,
        stream,
        None if debugger is None else DebugTurns(debugger, kernel),
        cells.lanes.foreground,
        ReplySocket(kernel.control_thread, stream),
        others.handlers,
        kernel.streams,
    )


def _debugger(kernel: NamespaceKernel) -> LazyDebugger | None:
    """There is none without debugpy."""
    return getattr(kernel, "debugger", None)


_Answer: TypeAlias = Callable[[Replies, list[bytes], Message], Coroutine[Any, Any, None]]


def answered_by(find: Callable[[Built], _Answer]) -> Callable[..., Coroutine[Any, Any, None]]:
    """A kernel's method of ipykernel's name for what `find` finds: a subclass may override and call it."""

    async def answer(self: NamespaceKernel, stream: Replies, ident: list[bytes], parent: Message) -> None:
        """Overridden: one of the kernel's parts answers."""
        await find(self.built)(stream, ident, parent)

    return answer
