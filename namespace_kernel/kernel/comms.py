"""Comm messages (widgets): handled in order, one at a time, on the user loop.

What a callback prints, displays or raises appears under the cell that displayed the widget, or, if it
was never displayed itself, under the one that created it. In ipykernel its parent is the comm message,
which no frontend shows anywhere. Comm messages themselves keep that parent: ipywidgets tells the echo
of its own updates by it.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from comm.base_comm import CommManager
from ipykernel.comm.comm import BaseComm
from ipykernel.ipkernel import IPythonKernel
from traitlets import HasTraits

from namespace_kernel.base.cell import Cell, Context, Route
from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.execution.stop.thread_stop import ThreadStop
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.ipython.display import _handled
from namespace_kernel.ipython.shell import NamespaceShell

from .lanes.answers import Answers
from .lanes.lanes import Lane
from .lanes.parents import Parents
from .options import KernelOptions
from .wire.request import Message, Replies, Request, answer
from .wire.session import KernelSession

_VIEW = "application/vnd.jupyter.widget-view+json"

#: What a callback runs as: nobody's cell, so that Stop does not reach the tasks that it starts.
_SIDE_CALL = Route(Context.ASYNC, "it accompanies the cells", "")


#: Takes the output of the callback back to where it belongs, after an Output widget has had it.
_go_home: contextvars.ContextVar[Callable[[], None]] = contextvars.ContextVar("go_home")


class _CommsSession:
    """The session as a comm sees it. Notices that an Output widget ends its capture."""

    def __init__(self, session: KernelSession) -> None:
        self._session = session

    def send(self, stream: Replies, kind: str, content: Message, **options: Any) -> Message | None:
        sent = self._session.send(stream, kind, content, **options)
        state = content.get("data", {}).get("state") if kind == "comm_msg" else None
        if isinstance(state, dict) and state.get("msg_id") == "" and _handled.get() is not None:
            _go_home.get()()
        return sent


class _CommsKernel:
    """The kernel as a comm sees it: the parent of what it sends is the comm message that is handled."""

    def __init__(self, kernel: IPythonKernel, session: KernelSession) -> None:
        self._kernel = kernel
        self.session = _CommsSession(session)

    def get_parent(self, channel: str | None = None) -> Message:
        parent: Message = _handled.get() or self._kernel.get_parent(channel)
        return parent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernel, name)


class _Home(NamedTuple):
    """The request that a comm's output goes to, and the cell that it is, if it is one."""

    request: Request
    execution: Execution | None


class CommHomes:
    """Which request a comm's output belongs to.

    Thread: any; a dict is atomic per operation.
    """

    def __init__(self, kernel: IPythonKernel, session: KernelSession, parents: Parents) -> None:
        comm_manager: Any = kernel.comm_manager
        seen_by_comms = _CommsKernel(kernel, session)
        self._comms = comm_manager.comms
        self._current = parents.current
        self.adopt = parents.adopt
        self._homes: dict[str, _Home] = {}
        register = comm_manager.register_comm

        def register_comm(comm: Any) -> object:
            request = parents.current()
            if request.message.get("msg_type") == "execute_request":
                self._homes.setdefault(comm.comm_id, _Home(request, _current_cell()))
            if isinstance(comm, BaseComm) and not isinstance(comm, HasTraits):
                comm.kernel = seen_by_comms  # type: ignore[assignment]
            return register(comm)

        comm_manager.register_comm = register_comm

    def displayed(self, data: Mapping[str, object]) -> None:
        """Note that the running code displays `data`, which may be a widget."""
        view = data.get(_VIEW)
        if isinstance(view, Mapping) and isinstance(view.get("model_id"), str):
            self._homes[view["model_id"]] = _Home(self._current(), _current_cell())

    def of(self, request: Request) -> _Home:
        """Where the output of handling `request` goes."""
        comm_id = request.message["content"].get("comm_id")
        for closed in set(self._homes) - set(self._comms):  # copies, for others add to them
            self._homes.pop(closed, None)
        home = self._homes.get(comm_id) if comm_id in self._comms else None
        return home or _Home(request, None)


def _current_cell() -> Execution | None:
    """The cell that the calling code belongs to; of a callback, the one under which its output appears."""
    execution = current_execution.get()
    return execution if execution is None else execution.owner or execution


class Comms:
    """Answers the messages for comms."""

    def __init__(
        self,
        manager: CommManager,
        homes: CommHomes,
        options: KernelOptions,
        shell: NamespaceShell,
        answers: Answers,
        foreground: Lane,
        user_loop: UserLoop,
        side_cells: SideCells,
    ) -> None:
        self._manager = manager
        self._homes = homes
        self._options = options
        self._shell = shell
        self._answers = answers
        self._foreground = foreground
        self._user_loop = user_loop
        self._side_cells = side_cells

    def register(self, kernel: IPythonKernel) -> None:
        """Answer `comm_msg`; the others are ipykernel's manager's."""
        answer(kernel, kernel.shell_handlers, comm_msg=self.deliver)

    def submit(self, request: Request) -> None:
        """Queue a comm message. Thread: protocol."""
        context = self._foreground.copy_context()
        self._user_loop.loop.call_soon_threadsafe(self._answer, request, context=context)

    def _answer(self, request: Request) -> None:
        """Thread: the one that runs the user loop."""
        execution = Execution(Cell("", request.kind), _SIDE_CALL)
        execution.finished = True
        current_execution.set(execution)
        _handled.set(request.message)
        of_cell = self._options.callback_output == "cell"
        home = self._homes.of(request) if of_cell else _Home(request, None)
        execution.owner = home.execution
        _go_home.set(partial(self._homes.adopt, home.request))
        self._homes.adopt(home.request)
        execution.home = contextvars.copy_context()
        execution.settled = True
        with self._answers.giving(request, self._answers.streams.hand_over) as handlers:
            stop = ThreadStop()
            self._side_cells.enter(execution, stop.stop)
            self._shell.events.messages.add(execution)
            try:
                handlers.answer(request)
            finally:
                self._shell.events.messages.discard(execution)
                stop.close()
                self._side_cells.leave(execution)

    def deliver(self, replies: Replies, idents: list[bytes], message: Message) -> None:
        """Handle one message for a comm; an error in its callback is shown, not logged."""
        comm = self._manager.get_comm(message["content"].get("comm_id"))
        if comm is not None:
            try:
                comm.handle_msg(message)
            except BaseException:  # also Stop, for a callback that does not end
                self._shell.showtraceback()
