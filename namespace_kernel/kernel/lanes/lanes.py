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
from typing import Any

from namespace_kernel.base.cell import Cell
from namespace_kernel.base.originals import keep_running
from namespace_kernel.execution.bridge import ExecutionContextBridge
from namespace_kernel.ipython.captures import capture_nothing
from namespace_kernel.kernel.wire.request import Request

_log = logging.getLogger("namespace_kernel")

#: The id of the lane for urgent cells.
URGENT = "urgent"

#: A cell that only asks what runs, or ends it: one line, one of these magics.
_URGENT_CELL = re.compile(r"\s*%(ps|stop|tasks)\b[^\n]*\s*")


def is_urgent(code: object) -> bool:
    """Whether a cell with this code is answered at once, though others wait."""
    return isinstance(code, str) and _URGENT_CELL.fullmatch(code) is not None


class Lane:
    """A queue of cells, and what they run with.

    `lane_id` is the subshell's id, `None` for the foreground. `wake` is called when a cell is put in.
    """

    def __init__(
        self,
        lane_id: str | None,
        context: contextvars.Context,
        bridge: ExecutionContextBridge,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.lane_id = lane_id
        #: Whether it exists for one cell that does not hold up the next one.
        self.is_background = False
        self.context = context
        self.bridge = bridge
        #: Cells to run; `None` ends the service.
        self.cells: SimpleQueue[Request | None] = SimpleQueue()
        self._wake = wake
        #: Until then (`time.monotonic`), cells that arrive are aborted.
        self.abort_until = 0.0

    def copy_context(self) -> contextvars.Context:
        """A copy of its context, for code beside its cells, which is not captured with them. Thread: any."""
        context = self.context.copy()
        context.run(capture_nothing)
        return context

    def put(self, request: Request | None) -> None:
        """Add a cell, or the end. Thread: any."""
        self.cells.put(request)
        self._wake()

    def take_waiting(self) -> list[Request]:
        """Take the cells that wait. Thread: protocol or control."""
        waiting = []
        ends = False
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


class Lanes:
    """The foreground and the subshells. Also what ipykernel's `%subshell` asks.

    `build` makes a bridge for a context; `serve` runs one cell of a lane; `stop` ends a lane's running
    cell; `abort` answers a cell that will not run.

    Thread: any; creation and deletion come from the control thread.
    """

    def __init__(
        self,
        foreground: Lane,
        build: Callable[[contextvars.Context], ExecutionContextBridge],
        serve: Callable[[Lane, Request], None],
        stop: Callable[[Lane], None],
        abort: Callable[[Request], None],
    ) -> None:
        self.foreground = foreground
        self._build = build
        self._serve = serve
        self._stop = stop
        self._abort = abort
        self._lock = threading.Lock()
        #: The thread that serves the foreground, as a rule the main thread.
        self.foreground_ident: int | None = None
        self._urgent: Lane | None = None
        self._subshells: dict[str, tuple[Lane, threading.Thread]] = {}

    def background(self, context: contextvars.Context) -> Lane:
        """A lane for one cell that runs beside the others, in `context`. Thread: any."""
        lane = Lane(f"background-{uuid.uuid4()}", context, self._build(context))
        lane.is_background = True
        return lane

    def get(self, lane_id: str | None) -> Lane | None:
        """The lane of that id, if there is one."""
        if lane_id is None:
            return self.foreground
        if lane_id == URGENT:
            return self._urgent
        with self._lock:
            entry = self._subshells.get(lane_id)
        return entry[0] if entry is not None else None

    def create(self) -> str:
        """Start a subshell; return its id."""
        lane_id = str(uuid.uuid4())
        context = self.foreground.copy_context()
        lane = Lane(lane_id, context, self._build(context))
        thread = self._thread_of(lane)
        with self._lock:
            self._subshells[lane_id] = (lane, thread)
        thread.start()
        return lane_id

    def urgent(self) -> Lane:
        """The lane of cells that do not wait for others: `%ps` and the like. Thread: protocol."""
        if self._urgent is None:
            context = self.foreground.copy_context()
            self._urgent = Lane(URGENT, context, self._build(context))
            self._thread_of(self._urgent).start()
        return self._urgent

    def delete(self, lane_id: str) -> bool:
        """End a subshell: its running cell is stopped, waiting ones are aborted. False if there is none."""
        with self._lock:
            entry = self._subshells.pop(lane_id, None)
        if entry is None:
            return False
        lane = entry[0]
        for request in lane.take_waiting():
            self._abort(request)
        lane.put(None)
        self._stop(lane)
        return True

    def list_subshell(self) -> list[str]:
        """The ids of the subshells."""
        with self._lock:
            return list(self._subshells)

    def subshell_id_from_thread_id(self, ident: int) -> str | None:
        """Which subshell a thread belongs to, `None` for main. Raises `RuntimeError` for other threads."""
        if ident == self.foreground_ident:
            return None
        with self._lock:
            for lane_id, (_, thread) in self._subshells.items():
                if thread.ident == ident:
                    return lane_id
        raise RuntimeError(f"thread {ident} does not belong to a subshell of this kernel")

    def _thread_of(self, lane: Lane) -> threading.Thread:
        work, name = partial(self._work, lane), f"lane-{lane.lane_id}"
        return threading.Thread(target=keep_running, args=(work, _log), name=name, daemon=True)

    def _work(self, lane: Lane) -> None:
        while True:
            try:
                request = lane.cells.get()
                if request is None:
                    return
                self._serve(lane, request)
            except KeyboardInterrupt:
                continue  # a Stop that came late must not end the lane


@dataclass(slots=True, eq=False)
class Announced:
    """A cell that has begun: it has its number. `error` is why there is no `cell`.

    `stopped` is set if it ends before its code begins.
    """

    lane: Lane
    request: Request
    metadata: dict[str, Any]
    cell: Cell | None = None
    error: Exception | None = None
    stopped: bool = False
