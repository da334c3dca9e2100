"""Subshells (JEP 91): made, listed and ended on the control channel."""

from __future__ import annotations

from ipykernel.ipkernel import IPythonKernel

from .lanes.aborts import Aborts
from .lanes.lanes import Lanes
from .wire.request import Message, Replies, answer
from .wire.session import KernelSession


class SubshellRequests:
    """A subshell is a lane, not a pair of sockets as in ipykernel.

    Thread: control.
    """

    def __init__(self, lanes: Lanes, aborts: Aborts, session: KernelSession) -> None:
        self._lanes = lanes
        self._aborts = aborts
        self._session = session

    def register(self, kernel: IPythonKernel) -> None:
        """Answer the three requests of JEP 91."""
        answer(
            kernel,
            kernel.control_handlers,
            create_subshell_request=self.create,
            delete_subshell_request=self.delete,
            list_subshell_request=self.list_ids,
        )

    async def create(self, replies: Replies, idents: list[bytes], message: Message) -> None:
        """Start one; the reply has its id."""
        content = {"status": "ok", "subshell_id": self._lanes.create()}
        self._session.send(replies, "create_subshell_reply", content, message, idents)

    async def delete(self, replies: Replies, idents: list[bytes], message: Message) -> None:
        """End one. An unknown id is an error in the reply."""
        lane_id = message["content"]["subshell_id"]
        self._aborts.drain()  # cells that were sent before are aborted, not refused
        waiting = self._lanes.delete(lane_id)
        content = {"status": "ok"} if waiting is not None else _unknown(lane_id)
        for request in waiting or ():
            self._aborts.abort(request)
        self._session.send(replies, "delete_subshell_reply", content, message, idents)

    async def list_ids(self, replies: Replies, idents: list[bytes], message: Message) -> None:
        """Reply with the ids."""
        content = {"status": "ok", "subshell_id": self._lanes.list_subshell()}
        self._session.send(replies, "list_subshell_reply", content, message, idents)


def _unknown(lane_id: str) -> Message:
    return {
        "status": "error",
        "ename": "UnknownSubshellError",
        "evalue": f"Unknown subshell_id {lane_id!r}",
        "traceback": [],
    }
