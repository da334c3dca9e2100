"""One cell: from the `execute_request` to its reply."""

from __future__ import annotations

import asyncio
from functools import partial

from ipykernel.ipkernel import IPythonKernel
from ipykernel.jsonutil import json_clean

from namespace_kernel.base.cell import Cell, Outcome
from namespace_kernel.base.errors import RequestError
from namespace_kernel.base.execution import complete
from namespace_kernel.base.originals import describe_replaced, shield
from namespace_kernel.ipython.shell import NamespaceShell

from .debugging.stand_in import LazyDebugger
from .lanes.answers import error_content
from .lanes.cell_replies import CellReplies
from .lanes.lanes import Announced, Lane
from .lanes.parents import Parents
from .wire.iopub import IOPub
from .wire.request import Message, Request
from .wire.request_fields import tags_of
from .wire.standard_streams import StandardStreams


class CellRequests:
    """Announces a cell, runs it, and has it answered. `kernel` makes the replies' metadata, as ipykernel's.

    Thread: the lane's, main for the foreground.
    """

    def __init__(
        self,
        kernel: IPythonKernel,
        shell: NamespaceShell,
        parents: Parents,
        streams: StandardStreams,
        iopub: IOPub,
        replies: CellReplies,
        debugger: LazyDebugger | None,
    ) -> None:
        self._kernel = kernel
        self._shell = shell
        self._parents = parents
        self._streams = streams
        self._iopub = iopub
        self._replies = replies
        self._debugger = debugger

    def announce(self, lane: Lane, request: Request) -> Announced:
        """Say that the cell begins: status, number, input. Thread: the one that keeps the order of cells."""
        message = request.message
        in_foreground = lane.lane_id is None
        if in_foreground:
            lane.context.run(self._kernel.set_parent, request.idents, message, "shell")
        else:
            lane.context.run(self._parents.adopt, request)
        self._streams.restore()
        self._iopub.busy_with_cell(message, in_foreground)
        request.sent.add("busy")
        announced = Announced(lane, request, self._kernel.init_metadata(message))
        try:
            if request.error is not None:
                raise request.error
            announced.cell = self._cell_of(lane, message)
        except Exception as error:
            announced.error = error
        self._iopub.send_now()
        return announced

    def run(self, announced: Announced) -> Outcome:
        """Run it and answer; nothing that it does keeps the reply from being sent."""
        failed = partial(self.fail, announced.lane, announced.request)
        return shield(partial(self.run_unshielded, announced), failed)

    def run_unshielded(self, announced: Announced) -> Outcome:
        """As `run`, for whoever calls `fail` if it raises."""
        lane, message = announced.lane, announced.request.message
        if lane.lane_id is not None:
            asyncio.get_event_loop()  # from now on C code finds it, too (`asyncio.Future()`)
        if self._debugger is not None:  # it does not see by itself that a thread of ours starts
            self._debugger.trace_this_thread()
        if announced.cell is None:
            raise announced.error or RuntimeError("there is no cell")
        if announced.stopped:
            outcome = lane.context.run(self._show_stop, announced.cell)
        else:
            outcome = complete(lane.bridge.execute(announced.cell))
        expressions = message["content"].get("user_expressions") or {}
        content = lane.context.run(self._replies.content_of, outcome, expressions)
        if lane.lane_id is None:  # what C code and children write is the foreground's
            lane.context.run(self._streams.drain)
        self._streams.take_from_children()
        lane.context.run(self._streams.hand_over)
        content = json_clean(content)
        metadata = self._kernel.finish_metadata(message, announced.metadata, content)
        self._replies.give(lane, announced.request, content, metadata)
        return outcome

    def fail(self, lane: Lane, request: Request, error: BaseException, replaced: list[str]) -> Outcome:
        """Answer that `error` came up around the code of a cell. The cell counts as failed."""
        content = error_content(error)
        if replaced:
            content["evalue"] += f" ({describe_replaced(replaced)})"
        try:
            if not isinstance(error, RequestError):  # of which the log has been told
                self._kernel.log.error("an execute_request failed outside the cell's code", exc_info=error)
            lane.context.run(self._streams.hand_over)
            if "busy" not in request.sent:
                self._iopub.busy_with_cell(request.message, in_foreground=False)
                request.sent.add("busy")
            if not request.sent & {"execute_reply", "error"}:
                request.sent.add("error")
                shown = {key: content[key] for key in ("ename", "evalue", "traceback")}
                self._iopub.publish_with_next("error", shown, request.message)
            self._replies.give(lane, request, content, {})
        except BaseException:  # the kernel's own parts were taken away; there is no way to say so
            self._kernel.log.exception("a cell has no reply")
        return Outcome(error=error)

    def _show_stop(self, cell: Cell) -> Outcome:
        error = KeyboardInterrupt()
        self._shell.use_number(cell.number)
        self._shell.showtraceback((type(error), error, None))
        self._shell.use_number(cell.number + 1)  # as after a cell that ran
        return Outcome(error=error)

    def tell(self, announced: Announced, line: str) -> None:
        """Write one line about a cell under it."""
        if announced.cell is not None:
            announced.lane.context.run(self._shell.notice, f"{announced.cell.execution_id} {line}")

    def _cell_of(self, lane: Lane, message: Message) -> Cell:
        content, metadata = message["content"], message["metadata"]
        code, cell_id = content["code"], metadata.get("cellId")
        silent = bool(content.get("silent", False))
        stored = bool(content.get("store_history", True)) and not silent
        number = self._shell.take_number(stored and bool(code.strip()))
        if not silent:
            self._iopub.publish_with_next("execute_input", {"code": code, "execution_count": number}, message)
        return Cell(
            code,
            f"In [{number}]",
            number,
            lane.lane_id,
            tags=frozenset(tags_of(metadata)),
            silent=silent,
            store_history=stored,
            background=lane.is_background,
            cell_id=cell_id if isinstance(cell_id, str) else None,
            metadata=metadata,
        )
