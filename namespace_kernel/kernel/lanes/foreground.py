"""The service of cells: of every lane, and the loop of the main thread, which serves the foreground."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from namespace_kernel.base.originals import Originals, describe_replaced, keep_running, put_back, shield
from namespace_kernel.execution.stop.interrupts import InterruptController
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.execution.user_loop.anchors import Anchors
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.kernel.execute import CellRequests
from namespace_kernel.kernel.forked_children import ForkedChild
from namespace_kernel.kernel.shutdown import Ending
from namespace_kernel.kernel.stop import SideStops
from namespace_kernel.kernel.wire.iopub import IOPub
from namespace_kernel.kernel.wire.protocol_thread import ProtocolThread
from namespace_kernel.kernel.wire.request import Request
from namespace_kernel.kernel.wire.standard_streams import StandardStreams

from .background import BackgroundCells
from .gui import GuiLoop
from .lanes import Lane
from .warm_up import WarmUp


class CellService:
    """Runs a cell in its lane, or has it run beside the others.

    `before_cell` is called before each of the foreground's.

    Thread: the lane's, main for the foreground.
    """

    def __init__(
        self,
        cells: CellRequests,
        background: BackgroundCells,
        interrupts: InterruptController,
        before_cell: Callable[[], None],
    ) -> None:
        self._cells = cells
        self._background = background
        self._interrupts = interrupts
        self._before_cell = before_cell

    def serve(self, lane: Lane, request: Request) -> None:
        """Run the cell of `request` and answer, or hand it over to run beside the others.

        Guarantees: whatever fails meanwhile, there is one reply, and busy and idle are a pair.
        """
        lane.running = request
        try:  # no `shield`: the fewer frames are above a cell, the deeper it can recurse
            if lane.lane_id is None:
                self._before_cell()
                self._interrupts.begin_cell()
            if request.error is not None or not self._background.take(lane, request):
                self._cells.run_unshielded(self._cells.announce(lane, request))
            elif lane.lane_id is None:
                self._interrupts.hand_over()
        except BaseException as error:
            self._cells.fail(lane, request, error, put_back(error))
        finally:
            lane.running = None
            lane.served += 1
            if lane.lane_id is None:
                self._interrupts.end_cell()


class BetweenCells:
    """What the main thread does until the next cell comes: a toolkit's loop runs, and steps of tasks.

    Thread: main.
    """

    def __init__(
        self,
        lane: Lane,
        gui: GuiLoop,
        anchors: Anchors,
        iopub: IOPub,
        shell: NamespaceShell,
        streams: StandardStreams,
        log: logging.Logger,
    ) -> None:
        self._lane = lane
        self._gui = gui
        self._anchors = anchors
        self._iopub = iopub
        self._shell = shell
        self._streams = streams
        self._log = log

    def next_request(self, originals: Originals) -> Request | None:
        """Wait for the next cell; `None` after a step of a task, or after a failure, which is shown."""
        return shield(partial(self._wait, originals), self._failed)

    def _wait(self, originals: Originals) -> Request | None:
        lane = self._lane
        # What a signal's handler or a toolkit's callback prints meanwhile appears under the last cell.
        next_cell = partial(lane.context.copy().run, self._gui.next_cell, lane.cells)
        request: Request | None = self._anchors.wait(next_cell, partial(lane.put, None))
        if request is None:
            self.let_idle_go()
        else:
            originals.note_modules()
        return request

    def let_idle_go(self) -> None:
        """There is no next cell, for which the last idle may have waited."""
        self._iopub.send_now()

    def _failed(self, error: BaseException, replaced: list[str]) -> None:
        """A signal's handler is called on the main thread, and may raise while no cell runs."""
        self._log.error("between two cells", exc_info=error)
        heading = "Between two cells a signal's handler, or what ran then, failed:"
        self._lane.context.copy().run(self._shell.show_failure, heading, error)
        self._streams.flush()
        tell_replaced(self._shell, replaced)


class Foreground:
    """The main thread's loop: a cell, and between two of them a toolkit's loop and steps of tasks.

    Thread: main.
    """

    def __init__(
        self,
        lane: Lane,
        between: BetweenCells,
        service: CellService,
        warm_up: WarmUp,
        ending: Ending,
        forked: ForkedChild,
        log: logging.Logger,
    ) -> None:
        self._lane = lane
        self._between = between
        self._service = service
        self._warm_up = warm_up
        self._ending = ending
        self._forked = forked
        self._log = log

    def serve(self, originals: Originals) -> None:
        """Run cells until the kernel is asked to end."""
        keep_running(partial(self._serve_cells, originals), self._log)
        self._between.let_idle_go()

    def _serve_cells(self, originals: Originals) -> None:
        while not self._ending.requested:
            request = self._between.next_request(originals)
            if request is not None:
                self._service.serve(self._lane, request)
            self._forked.end_if_child()
            if request is not None:
                self._warm_up.cell_ended(request)


def tell_replaced(shell: NamespaceShell, replaced: list[str]) -> None:
    """Say which of Python's functions have been put back, if any. Thread: the cell's."""
    if replaced:
        shell.notice(describe_replaced(replaced))


class Beside:
    """The cells beside the foreground, all of them."""

    def __init__(
        self,
        background: BackgroundCells,
        side_cells: SideCells,
        stops: SideStops,
        ending: Ending,
        timers: ProtocolThread,
    ) -> None:
        self._background = background
        self._side_cells = side_cells
        self._stops = stops
        self._ending = ending
        self._timers = timers

    def stop(self) -> None:
        """Stop them, where no cell runs in the foreground. Thread: main, in the signal handler."""
        if self._ending.requested:
            return  # `end` does it, once: a second Stop would come in the midst of a `finally`
        self._stops.stop(coming=lambda lane_id: True)
        self._timers.call_later(0.0, self._background.stop_waiting)

    def end(self, timeout: float) -> None:
        """Stop all for the kernel's end, and give their `finally` up to `timeout` seconds. Thread: main.

        Jupyter's servers send a Stop before they ask for the end; it reached these if no other cell runs.
        """
        cells = self._side_cells
        self._background.stop_waiting()
        cells.stop(lambda execution: not cells.stopped_lately(execution), coming=lambda lane_id: True)
        cells.wait(timeout)
