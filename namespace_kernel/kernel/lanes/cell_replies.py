"""The reply to a cell: what it says, and what is done when it is sent."""

from __future__ import annotations

from ipykernel.ipkernel import IPythonKernel

from namespace_kernel.base.cell import Outcome
from namespace_kernel.base.errors import PayloadError
from namespace_kernel.base.words import words_of
from namespace_kernel.execution.stop.interrupts import InterruptController
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.kernel.wire.iopub import IOPub
from namespace_kernel.kernel.wire.request import Message, Request
from namespace_kernel.kernel.wire.session import KernelSession

from .aborts import Aborts
from .lanes import Announced, Lane


class CellReplies:
    """Makes them and sends them. `kernel` is an engine in the replies' words, as ipykernel's.

    Thread: the lane's, main for the foreground.
    """

    def __init__(
        self,
        kernel: IPythonKernel,
        session: KernelSession,
        shell: NamespaceShell,
        iopub: IOPub,
        interrupts: InterruptController,
        aborts: Aborts,
    ) -> None:
        self._kernel = kernel
        self._session = session
        self._shell = shell
        self._iopub = iopub
        self._interrupts = interrupts
        self._aborts = aborts

    def content_of(self, outcome: Outcome, user_expressions: dict[str, str]) -> Message:
        """What the reply says of `outcome`; the expressions run now. Thread: the lane's, in its context."""
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

    def give(self, lane: Lane, request: Request, content: Message, metadata: Message) -> None:
        """Send what has not been sent: the reply and idle. Thread: the lane's."""
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

    def give_early(self, announced: Announced) -> None:
        """Answer a cell whose client would wait for the answer before it goes on."""
        request, cell = announced.request, announced.cell
        count = 0 if cell is None else cell.number
        content = {"status": "ok", "execution_count": count, "user_expressions": {}, "payload": []}
        request.message["content"]["allow_stdin"] = False  # nobody reads the question any more
        self._send_reply(request, content, {})
        request.sent.add("idle")
        self._iopub.idle(request.message)

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
