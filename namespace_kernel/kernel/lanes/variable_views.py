"""What a variable view asks while a cell runs: an `execute_request` without code, for the values of names.

It would wait for the cell. It need not if its answer runs no code: it is silent, stores no history, has no
code of its own, and asks for names, attributes or literals whose values are plain
(`reports/plain_values.py`). Any other waits.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ipykernel.ipkernel import IPythonKernel

from namespace_kernel.ipython.formatting import QuickDisplayFormatter
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.kernel.wire.request import Message, Request
from namespace_kernel.kernel.wire.session import KernelSession
from namespace_kernel.namespace.reserved_names import only_names
from namespace_kernel.reports.plain_values import NotPlain, read

from .answers import Answers
from .lanes import Lane

#: What a client sends within this time after a cell may build on it, and waits for it.
_TOGETHER = timedelta(seconds=0.1)


class VariableViews:
    """Answers them beside the cell that runs. `kernel` makes the replies' metadata, as ipykernel's.

    Thread: protocol.
    """

    def __init__(
        self, kernel: IPythonKernel, session: KernelSession, shell: NamespaceShell, answers: Answers
    ) -> None:
        self._kernel = kernel
        self._session = session
        self._shell = shell
        self._answers = answers

    def answer(self, request: Request, lane: Lane) -> bool:
        """Answer `request` if it can be done now; whether it could.

        It overtakes the cell that runs, and none that its client has sent before it and that has not begun.
        """
        content = _content_beside(request, lane, self._shell)
        if content is None:
            return False
        message = request.message
        metadata = self._kernel.finish_metadata(message, self._kernel.init_metadata(message), content)
        with self._answers.giving(request):
            self._session.send(
                request.replies, "execute_reply", content, message, metadata=metadata, ident=request.idents
            )
        return True


def _content_beside(request: Request, lane: Lane, shell: NamespaceShell) -> Message | None:
    """What the reply says, or `None` if the request has to wait for the cell that runs."""
    running, content = lane.running, request.message["content"]
    if running is None or request.error is not None or not _only_asks(content):
        return None
    if lane.has_waiting_of(request.client) or _may_build_on(request, running):
        return None
    formatter = shell.display_formatter
    if type(formatter) is not QuickDisplayFormatter or not formatter.runs_no_code():
        return None
    names = only_names(shell.namespace.live)
    try:
        values = {key: read(asked, names) for key, asked in content["user_expressions"].items()}
    except NotPlain:
        return None
    shown = {}
    for key, value in values.items():
        data, metadata = formatter.format(value)
        shown[key] = {"status": "ok", "data": data, "metadata": metadata}
    count = shell.execution_count - 1
    return {"status": "ok", "execution_count": count, "user_expressions": shown, "payload": []}


def _only_asks(content: Message) -> bool:
    """Whether a cell is no cell, but a question for values."""
    asked = content.get("user_expressions")
    return (
        content.get("silent") is True
        and content.get("store_history") is False
        and not content["code"].strip()
        and isinstance(asked, dict)
        and bool(asked)
        and all(isinstance(one, str) for one in asked.values())
    )


def _may_build_on(request: Request, running: Request) -> bool:
    """Whether the client has sent both so close together that it may want what the cell makes."""
    sent, began = request.message["header"].get("date"), running.message["header"].get("date")
    if request.client != running.client:
        return False
    if not isinstance(sent, datetime) or not isinstance(began, datetime):
        return True
    return sent - began < _TOGETHER
