"""Subshells (JEP 91): made, listed and ended on the control channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from namespace_kernel.kernel.lanes.lanes import Lanes


class SubshellHandlers:
    """Mixed into the kernel: the three requests of JEP 91 on the control channel.

    Thread: control.
    """

    lanes: Lanes
    session: Any
    drain_shell_channel: Callable[[], None]

    @property
    def _supports_kernel_subshells(self) -> bool:
        return True

    async def create_subshell_request(self, socket: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Overridden: a lane, not a pair of sockets."""
        content = {"status": "ok", "subshell_id": self.lanes.create()}
        self.session.send(socket, "create_subshell_reply", content, parent, ident)

    async def delete_subshell_request(self, socket: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Overridden: as above. An unknown id is an error in the reply."""
        lane_id = parent["content"]["subshell_id"]
        self.drain_shell_channel()  # cells that were sent before are aborted, not refused
        content: dict[str, Any] = {"status": "ok"}
        if not self.lanes.delete(lane_id):
            content = {
                "status": "error",
                "ename": "UnknownSubshellError",
                "evalue": f"Unknown subshell_id {lane_id!r}",
                "traceback": [],
            }
        self.session.send(socket, "delete_subshell_reply", content, parent, ident)

    async def list_subshell_request(self, socket: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Overridden: as above."""
        content = {"status": "ok", "subshell_id": self.lanes.list_subshell()}
        self.session.send(socket, "list_subshell_reply", content, parent, ident)
