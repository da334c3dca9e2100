"""One cell: from the `execute_request` to its reply."""

from __future__ import annotations

import asyncio
from functools import partial

from ipykernel.ipkernel import IPythonKernel
from ipykernel.jsonutil import json_clean

from namespace_kernel.base.cell import Cell, Outcome
from namespace_kernel.base.errors import PayloadError, RequestError
from namespace_kernel.base.execution import complete
from namespace_kernel.base.originals import describe_replaced, shield
from namespace_kernel.base.words import words_of
from namespace_kernel.execution.stop.interrupts import InterruptController
from namespace_kernel.ipython.shell import NamespaceShell

from .debugging.stand_in import LazyDebugger
from .lanes.aborts import Aborts
from .lanes.lanes import Announced, Lane
from .lanes.parents import Parents
from .wire.handlers import error_content
from .wire.iopub import IOPub
from .wire.request import Message, Request
from .wire.request_fields import tags_of
from .wire.session import KernelSession
from .wire.standard_streams import StandardStreams


class CellRequests:
    """Announces a cell, runs it, and answers. `kernel` makes the replies' metadata, as ipykernel's.

    Thread: the lane's, main for the foreground.
    """

    def __init__(
        self,
        kernel: IPythonKernel,
        session: KernelSession,
        shell: NamespaceShell,
        parents: Parents,
        streams: StandardStreams,
        iopub: IOPub,
        interrupts: InterruptController,
        aborts: Aborts,
        debugger: LazyDebugger | None,
    ) -> None:
        self._kernel = kernel
        self._session = session
        self._shell = shell
        self._parents = parents
        self._streams = streams
        self._iopub = iopub
        self._interrupts = interrupts
        self._aborts = aborts
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
        content = lane.context.run(self._reply_to, outcome, expressions)
        if lane.lane_id is None:  # what C code and children write is the foreground's
            lane.context.run(self._streams.drain)
        self._streams.take_from_children()
        lane.context.run(self._streams.hand_over)
        content = json_clean(content)
        self._answer(
            lane,
            announced.request,
            content,
            self._kernel.finish_metadata(message, announced.metadata, content),
        )
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
            self._answer(lane, request, content, {})
        except BaseException:  # the kernel's own parts were taken away; there is no way to say so
            self._kernel.log.exception("a cell has no reply")
        return Outcome(error=error)

    def _answer(self, lane: Lane, request: Request, content: Message, metadata: Message) -> None:
        """Send what has not been sent: the reply and idle."""
        message = request.message

        def finish(with_next: bool = False) -> None:
            if "execute_reply" not in request.sent:
                self._send_reply(request, content, metadata)
            if "idle" not in request.sent:
                request.sent.add("idle")
                # A subshell's client counts one busy and one idle, as ipykernel sends them.
                self._iopub.idle(message, of_cell=not lane.is_background, with_next=with_next)

        if lane.lane_id is None:
            self._interrupts.end_cell()  # whoever has seen the reply does not mean this cell any more
        asked = message["content"]
        stops = content["status"] == "error" and not asked.get("silent") and asked.get("stop_on_error", True)
        if stops and not lane.is_background:
            self._aborts.finish_failed(lane, finish)
        else:
            # The next cell that waits begins at once, and says so.
            finish(with_next=lane.lane_id is None and not lane.cells.empty())

    def _send_reply(self, request: Request, content: Message, metadata: Message) -> None:
        self._session.send(
            request.replies,
            "execute_reply",
            content,
            request.message,
            metadata=metadata,
            ident=request.idents,
        )
        request.sent.add("execute_reply")

    def _show_stop(self, cell: Cell) -> Outcome:
        error = KeyboardInterrupt()
        self._shell.use_number(cell.number)
        self._shell.showtraceback((type(error), error, None))
        self._shell.use_number(cell.number + 1)  # as after a cell that ran
        return Outcome(error=error)

    def answer_early(self, announced: Announced) -> None:
        """Answer a cell whose client would wait for the answer before it goes on."""
        request, cell = announced.request, announced.cell
        count = 0 if cell is None else cell.number
        content = {"status": "ok", "execution_count": count, "user_expressions": {}, "payload": []}
        request.message["content"]["allow_stdin"] = False  # nobody reads the question any more
        self._send_reply(request, content, {})
        request.sent.add("idle")
        self._iopub.idle(request.message)

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

    def _reply_to(self, outcome: Outcome, user_expressions: dict[str, str]) -> Message:
        kernel, shell = self._kernel, self._shell
        reply: Message = {"status": "ok", "execution_count": shell.execution_count - 1}
        if outcome.succeeded and not shell._last_traceback_during_displayhook:
            reply["user_expressions"] = shell.user_expressions(user_expressions)
        else:
            shown, error = shell.last_shown, outcome.error
            reply |= {
                "status": "error",
                "ename": shown[0] if error is None else type(error).__name__,
                "evalue": shown[1] if error is None else words_of(error),
                # What was shown in trio's context (`%autoawait trio`) is not seen here.
                "traceback": shell._last_traceback or ([] if error is None else shell.lines_of(error)),
                "engine_info": {
                    "engine_uuid": kernel.ident,
                    "engine_id": kernel.int_id,
                    "method": "execute",
                },
                "user_expressions": {},
            }
        payload = shell.payload_manager.read_payload()
        shell.payload_manager.clear_payload()
        reply["payload"] = payload
        if payload:
            try:
                self._session.pack(payload)
            except Exception as error:
                raise PayloadError(words_of(error)) from None
        return reply
