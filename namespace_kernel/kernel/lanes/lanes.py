"""Lanes: each runs its cells one after the other, and lanes overlap.

The foreground is one, served by the main thread. Each subshell (JEP 91) is another, with a worker
thread of its own, its own context variables, and the same namespace.
"""

from __future__ import annotations

import contextvars
import logging
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

from namespace_kernel.base.cell import Cell
from namespace_kernel.base.originals import keep_running, monotonic
from namespace_kernel.base.threads import Thread
from namespace_kernel.execution.bridge import ExecutionContextBridge
from namespace_kernel.ipython.captures import capture_nothing
from namespace_kernel.kernel.stop import SideStops
from namespace_kernel.kernel.wire.protocol_thread import SubshellThreads
from namespace_kernel.kernel.wire.request import Message, Request

from .executors import Bridges

_log = logging.getLogger("namespace_kernel")

#: The id of the lane for urgent cells.
URGENT = "urgent"

#: A cell that only asks what runs, or ends it: one line, one of these magics.
_URGENT_CELL = re.compile(r"\s*%(ps|stop|tasks|output)\b[^\n]*\s*")


def is_urgent(code: object) -> bool:
    """Whether a cell with this code is answered at once, though others wait."""
    return isinstance(code, str) and _URGENT_CELL.fullmatch(code) is not None


class Lane:
    """A queue of cells, and what they run with.

    `lane_id` is the subshell's id, `None` for the foreground. `wake` is called when a cell is put in.
    """

    #: Whether it exists for one cell that does not hold up the next one.
    is_background = False

    def __init__(
        self,
        lane_id: str | None,
        context: contextvars.Context,
        bridge: ExecutionContextBridge,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.lane_id = lane_id
        self.context = context
        self.bridge = bridge
        #: Cells to run; `None` ends the service.
        self.cells: SimpleQueue[Request | None] = SimpleQueue()
        self._wake = wake
        #: By client, the cell that it sent last.
        self._latest: dict[object, Request] = {}
        #: Until then (`time.monotonic`), cells that arrive are aborted.
        self.abort_until = 0.0
        #: The cell that runs, `None` between two, and how many have run.
        self.running: Request | None = None
        self.served = 0

    def copy_context(self) -> contextvars.Context:
        """A copy of its context, for code beside its cells, which is not captured with them. Thread: any."""
        context = self.context.copy()
        context.run(capture_nothing)
        return context

    def put(self, request: Request | None) -> None:
        """Add a cell, or the end. Thread: any."""
        if request is not None:
            self._latest[request.client] = request
        self.cells.put(request)
        self._wake()

    def has_waiting_of(self, client: object) -> bool:
        """Whether a cell that this client sent has not begun yet. Thread: protocol."""
        latest = self._latest.get(client)
        return latest is not None and "busy" not in latest.sent

    @property
    def is_idle(self) -> bool:
        """Whether no cell runs or waits. Thread: any."""
        return self.running is None and self.cells.empty()

    def abort_for(self, seconds: float) -> None:
        """Let cells that arrive within so many seconds be aborted. Thread: protocol."""
        if seconds:
            self.abort_until = monotonic() + seconds

    def take_waiting(self) -> list[Request]:
        """Take the cells that wait. Thread: protocol or control."""
        waiting = []
        ends = False
        self._latest.clear()
        while True:
            try:
                request = self.cells.get_nowait()
            except Empty:
                break
            if request is None:
                ends = True
            else:
                waiting.append(request)
        if ends:
            self.cells.put(None)
        return waiting


class BackgroundLane(Lane):
    """A lane for one cell that runs beside the others, in `context`. Thread: any."""

    is_background = True

    def __init__(self, context: contextvars.Context, bridges: Bridges) -> None:
        super().__init__(f"background-{uuid.uuid4()}", context, bridges.beside_it(context))


class Service(Protocol):
    """Whoever runs the cells of all lanes."""

    def serve(self, lane: Lane, request: Request) -> None:
        """Run one cell of `lane`. Thread: the lane's."""


class Lanes:
    """The foreground and the subshells.

    Thread: any; creation and deletion come from the control thread.
    """

    def __init__(
        self,
        foreground: Lane,
        bridges: Bridges,
        service: Service,
        stops: SideStops,
        threads: SubshellThreads,
    ) -> None:
        self.foreground = foreground
        self._bridges = bridges
        self._service = service
        self._stops = stops
        self._threads = threads
        self._urgent: Lane | None = None
        self._subshells: dict[str, Lane] = {}

    def get(self, lane_id: str | None) -> Lane | None:
        """The lane of that id, if there is one."""
        if lane_id is None:
            return self.foreground
        return self._urgent if lane_id == URGENT else self._subshells.get(lane_id)

    def create(self) -> str:
        """Start a subshell; return its id."""
        lane = self._new(str(uuid.uuid4()))
        thread = self._thread_of(lane)
        lane_id = lane.lane_id or ""
        self._threads[lane_id], self._subshells[lane_id] = thread, lane
        thread.start()
        return lane_id

    def urgent(self) -> Lane:
        """The lane of cells that do not wait for others: `%ps` and the like. Thread: protocol."""
        if self._urgent is None:
            self._urgent = self._new(URGENT)
            self._thread_of(self._urgent).start()
        return self._urgent

    def delete(self, lane_id: str) -> list[Request] | None:
        """End a subshell, and stop its running cell; return those that wait. `None` if there is none."""
        lane = self._subshells.pop(lane_id, None)
        if lane is None:
            return None
        self._threads.pop(lane_id, None)
        waiting = lane.take_waiting()
        lane.put(None)
        self._stops.stop_lane(lane_id)
        return waiting

    def list_subshell(self) -> list[str]:
        """The ids of the subshells."""
        return self._threads.list_subshell()

    def _new(self, lane_id: str) -> Lane:
        context = self.foreground.copy_context()
        return Lane(lane_id, context, self._bridges.beside_it(context))

    def _thread_of(self, lane: Lane) -> threading.Thread:
        work, name = partial(self._work, lane), f"lane-{lane.lane_id}"
        return Thread(target=keep_running, args=(work, _log), name=name, daemon=True)

    def _work(self, lane: Lane) -> None:
        while True:
            try:
                request = lane.cells.get()
                if request is None:
                    return
                self._service.serve(lane, request)
            except KeyboardInterrupt:
                continue  # a Stop that came late must not end the lane


@dataclass(slots=True, eq=False)
class Announced:
    """A cell that has begun: it has its number. `error` is why there is no `cell`.

    `stopped` is set if it ends before its code begins.
    """

    lane: Lane
    request: Request
    metadata: Message
    cell: Cell | None = None
    error: Exception | None = None
    stopped: bool = False
