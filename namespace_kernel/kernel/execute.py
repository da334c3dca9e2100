"""Serving one cell: from the `execute_request` to its reply."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from ipykernel.jsonutil import json_clean

from namespace_kernel.base.cell import Cell, Outcome
from namespace_kernel.base.errors import PayloadError, RequestError
from namespace_kernel.base.execution import complete
from namespace_kernel.base.originals import describe_replaced, put_back, shield
from namespace_kernel.base.words import words_of
from namespace_kernel.kernel.lanes.lanes import Announced, Lane
from namespace_kernel.kernel.wire.request import ReplySocket, Request
from namespace_kernel.kernel.wire.request_fields import tags_of

from .shell_channel import Dispatcher, error_content


class CellHandlers:
    """Mixed into the kernel.

    Thread: the lane's, main for the foreground.
    """

    shell: Any
    session: Any
    io_loop: Any
    shell_stream: Any
    log: Any
    ident: Any
    int_id: Any
    stop_on_error_timeout: Any
    dispatcher: Dispatcher
    control_replies: ReplySocket
    hand_over_output: Callable[[], None]
    drain_descriptors: Callable[[], None]
    set_parent: Any
    adopt: Callable[[Request], None]
    _stdout: Any
    _stderr: Any
    publish_with_next: Any
    iopub_thread: Any
    publish_idle: Any
    running: dict[str, Any] | None
    _status_lock: threading.Lock
    init_metadata: Any
    finish_metadata: Any
    lanes: Any
    prepare_debugger: Callable[[], None]
    interrupts: Any
    background: Any
    before_cell: Callable[[], None]
    restore_streams: Callable[[], None]

    async def execute_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Overridden for the control channel: the cell waits with the others, whichever way it came."""
        self.lanes.foreground.put(Request(ident, parent, self.control_replies))

    def serve_cell(self, lane: Lane, request: Request) -> None:
        """Run the cell of `request` and answer, or hand it over to run beside the others.

        Guarantees: whatever fails meanwhile, there is one reply, and busy and idle are a pair.
        """
        try:  # no `shield`: the fewer frames are above a cell, the deeper it can recurse
            if lane.lane_id is None:
                self.before_cell()
                self.interrupts.begin_cell()
            if request.error is not None or not self.background.take(lane, request):
                self._run(self.announce_cell(lane, request))
            elif lane.lane_id is None:
                self.interrupts.hand_over()
        except BaseException as error:
            self._fail(lane, request, error, put_back(error))

    def announce_cell(self, lane: Lane, request: Request) -> Announced:
        """Say that the cell begins: status, number, input. Thread: the one that keeps the order of cells."""
        message = request.message
        self.prepare_debugger()
        if lane.lane_id is None:
            lane.context.run(self.set_parent, request.idents, message, "shell")
        else:
            lane.context.run(self.adopt, request)
        self.restore_streams()
        with self._status_lock:
            self.publish_with_next("status", {"execution_state": "busy"}, message)
            request.sent.add("busy")
            if lane.lane_id is None:
                self.running = message
        announced = Announced(lane, request, self.init_metadata(message))
        try:
            if request.error is not None:
                raise request.error
            announced.cell = self._cell_of(lane, message)
        except Exception as error:
            announced.error = error
        self.iopub_thread.send_now()
        return announced

    def run_cell(self, announced: Announced) -> Outcome:
        """Run it and answer; nothing that it does keeps the reply from being sent."""
        failed = partial(self._fail, announced.lane, announced.request)
        return shield(partial(self._run, announced), failed)

    def _run(self, announced: Announced) -> Outcome:
        lane, message = announced.lane, announced.request.message
        if announced.cell is None:
            raise announced.error or RuntimeError("there is no cell")
        if announced.stopped:
            outcome = lane.context.run(self._show_stop, announced.cell)
        else:
            outcome = complete(lane.bridge.execute(announced.cell))
        expressions = message["content"].get("user_expressions") or {}
        content = lane.context.run(self._reply_to, outcome, expressions)
        if lane.lane_id is None:  # what C code and children write is the foreground's
            lane.context.run(self.drain_descriptors)
        lane.context.run(self.hand_over_output)
        content = json_clean(content)
        self._answer(
            lane, announced.request, content, self.finish_metadata(message, announced.metadata, content)
        )
        return outcome

    def _fail(self, lane: Lane, request: Request, error: BaseException, replaced: list[str]) -> Outcome:
        """Answer that `error` came up around the code of a cell. The cell counts as failed."""
        content = error_content(error)
        if replaced:
            content["evalue"] += f" ({describe_replaced(replaced)})"
        try:
            if not isinstance(error, RequestError):  # of which the log has been told
                self.log.error("an execute_request failed outside the cell's code", exc_info=error)
            lane.context.run(self.hand_over_output)
            if "busy" not in request.sent:
                self.publish_with_next("status", {"execution_state": "busy"}, request.message)
                request.sent.add("busy")
            if not request.sent & {"execute_reply", "error"}:
                request.sent.add("error")
                shown = {key: content[key] for key in ("ename", "evalue", "traceback")}
                self.publish_with_next("error", shown, request.message)
            self._answer(lane, request, content, {})
        except BaseException:  # the kernel's own parts were taken away; there is no way to say so
            self.log.exception("a cell has no reply")
        return Outcome(error=error)

    def _answer(
        self, lane: Lane, request: Request, content: dict[str, Any], metadata: dict[str, Any]
    ) -> None:
        """Send what has not been sent: the reply and idle."""
        message = request.message

        def finish(with_next: bool = False) -> None:
            if "execute_reply" not in request.sent:
                self._send_reply(request, content, metadata)
            if "idle" not in request.sent:
                request.sent.add("idle")
                # A subshell's client counts one busy and one idle, as ipykernel sends them.
                self.publish_idle(message, of_cell=not lane.is_background, with_next=with_next)

        if lane.lane_id is None:
            self.interrupts.end_cell()  # whoever has seen the reply does not mean this cell any more
        asked = message["content"]
        stops = content["status"] == "error" and not asked.get("silent") and asked.get("stop_on_error", True)
        if stops and not lane.is_background:
            self._finish_failed(lane, finish)
        else:
            # The next cell that waits begins at once, and says so.
            finish(with_next=lane.lane_id is None and not lane.cells.empty())

    def _send_reply(self, request: Request, content: dict[str, Any], metadata: dict[str, Any]) -> None:
        self.session.send(
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
        self.shell.use_number(cell.number)
        self.shell.showtraceback((type(error), error, None))
        self.shell.use_number(cell.number + 1)  # as after a cell that ran
        return Outcome(error=error)

    def answer_early(self, announced: Announced) -> None:
        """Answer a cell whose client would wait for the answer before it goes on."""
        request, cell = announced.request, announced.cell
        count = 0 if cell is None else cell.number
        content = {"status": "ok", "execution_count": count, "user_expressions": {}, "payload": []}
        request.message["content"]["allow_stdin"] = False  # nobody reads the question any more
        self._send_reply(request, content, {})
        request.sent.add("idle")
        self.publish_idle(request.message, of_cell=False)

    def tell_cell(self, announced: Announced, line: str) -> None:
        """Write one line about a cell under it."""
        if announced.cell is not None:
            announced.lane.context.run(self.shell.notice, f"{announced.cell.execution_id} {line}")

    def _finish_failed(self, lane: Lane, finish: Callable[[], None]) -> None:
        done = threading.Event()

        def on_protocol_thread() -> None:
            try:
                self.dispatcher.finish_failed(lane, self.shell_stream, finish, self.stop_on_error_timeout)
            finally:
                done.set()

        self.io_loop.add_callback(on_protocol_thread)
        done.wait()

    def _cell_of(self, lane: Lane, message: dict[str, Any]) -> Cell:
        content, metadata = message["content"], message["metadata"]
        code, cell_id = content["code"], metadata.get("cellId")
        silent = bool(content.get("silent", False))
        stored = bool(content.get("store_history", True)) and not silent
        number = self.shell.take_number(stored and bool(code.strip()))
        if not silent:
            self.publish_with_next("execute_input", {"code": code, "execution_count": number}, message)
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

    def _reply_to(self, outcome: Outcome, user_expressions: dict[str, str]) -> dict[str, Any]:
        shell = self.shell
        reply: dict[str, Any] = {"status": "ok", "execution_count": shell.execution_count - 1}
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
                "engine_info": {"engine_uuid": self.ident, "engine_id": self.int_id, "method": "execute"},
                "user_expressions": {},
            }
        payload = shell.payload_manager.read_payload()
        shell.payload_manager.clear_payload()
        reply["payload"] = payload
        if payload:
            try:
                self.session.pack(payload)
            except Exception as error:
                raise PayloadError(words_of(error)) from None
        return reply
