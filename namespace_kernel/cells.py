"""Serving one cell: from the `execute_request` to its reply."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from ipykernel.jsonutil import json_clean

from .cell import Cell, Outcome
from .engine import words_of
from .executors import complete
from .lanes import Lane
from .protocol import Dispatcher, ReplySocket, Request


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
    flush_output: Callable[[], None]
    drain_descriptors: Callable[[], None]
    set_parent: Any
    adopt: Callable[[Request], None]
    _stdout: Any
    _stderr: Any
    _publish_status: Any
    publish_idle: Any
    running: dict[str, Any] | None
    _publish_execute_input: Any
    init_metadata: Any
    finish_metadata: Any
    lanes: Any
    prepare_debugger: Callable[[], None]
    interrupts: Any

    async def execute_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Overridden for the control channel: the cell waits with the others, whichever way it came."""
        self.lanes.foreground.put(Request(ident, parent, self.control_replies))

    def serve_cell(self, lane: Lane, request: Request) -> None:
        """Run the cell of `request` and answer; nothing that it does keeps the reply from being sent."""
        message = request.message
        self.prepare_debugger()
        sys.stdout, sys.stderr = sys.stdout or self._stdout, sys.stderr or self._stderr  # a cell may set None
        if lane.lane_id is None:
            lane.context.run(self.set_parent, request.idents, message, "shell")
        else:
            lane.context.run(self.adopt, request)
        self._publish_status("busy", "shell", parent=message)
        if lane.lane_id is None:
            self.running = message
        metadata = self.init_metadata(message)
        try:
            content = self._execute(lane, message)
        except Exception as error:
            self.log.exception("an execute_request failed outside the cell's code")
            content = {"status": "error", "ename": type(error).__name__, "evalue": words_of(error)}
            content["traceback"] = traceback.format_exception(error)
        lane.context.run(self.drain_descriptors)
        self.flush_output()
        content = json_clean(content)
        metadata = self.finish_metadata(message, metadata, content)

        def finish() -> None:
            self.session.send(
                request.replies, "execute_reply", content, message, metadata=metadata, ident=request.idents
            )
            self.publish_idle(message)

        if lane.lane_id is None:
            self.interrupts.end_cell()  # whoever has seen the reply does not mean this cell any more
        asked = message["content"]
        if content["status"] == "error" and not asked.get("silent") and asked.get("stop_on_error", True):
            self._finish_failed(lane, finish)
        else:
            finish()

    def _finish_failed(self, lane: Lane, finish: Callable[[], None]) -> None:
        done = threading.Event()

        def on_protocol_thread() -> None:
            try:
                self.dispatcher.finish_failed(lane, self.shell_stream, finish, self.stop_on_error_timeout)
            finally:
                done.set()

        self.io_loop.add_callback(on_protocol_thread)
        done.wait()

    def _execute(self, lane: Lane, message: dict[str, Any]) -> dict[str, Any]:
        content, metadata = message["content"], message.get("metadata") or {}
        code = content.get("code")
        if not isinstance(code, str):
            raise TypeError(f"an execute_request must have a string `code`, not {code!r}")
        silent = bool(content.get("silent", False))
        stored = bool(content.get("store_history", True)) and not silent
        number = self.shell.take_number(stored and bool(code.strip()))
        if not silent:
            self._publish_execute_input(code, message, number)
        cell = Cell(
            code,
            f"In [{number}]",
            number,
            lane.lane_id,
            tags=frozenset(tag for tag in metadata.get("tags") or () if isinstance(tag, str)),
            silent=silent,
            store_history=stored,
            cell_id=metadata.get("cellId"),
            metadata=metadata,
        )
        outcome = complete(lane.bridge.execute(cell))
        return lane.context.run(self._reply_to, outcome, content.get("user_expressions") or {})

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
        reply["payload"] = shell.payload_manager.read_payload()
        shell.payload_manager.clear_payload()
        return reply
