"""Completion, inspection and history while cells run."""

from __future__ import annotations

from typing import Any

from .jedi_cache import read_files_once, remember_conditions
from .jedi_names import skip_other_names
from .namespace.engine_names import only_names
from .request_fields import CONTENT


class IntrospectionHandlers:
    """Mixed into the kernel before ipykernel's class, whose answers it wraps.

    Thread: the introspection worker, or the records worker.
    """

    shell: Any
    namespace: Any
    session: Any
    comm_manager: Any

    async def do_complete(self, code: str, cursor_pos: int | None) -> dict[str, Any]:
        """Overridden: complete on a snapshot, which no cell changes while jedi iterates over it."""
        if self.shell.complete_in(only_names(self.namespace.namespace)).use_jedi:
            remember_conditions()
            read_files_once()
            skip_other_names()
        answer: dict[str, Any] = super().do_complete(code, cursor_pos)  # type: ignore[misc]
        return answer

    async def do_inspect(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Overridden to be a coroutine function, which ipykernel asks for."""
        answer: dict[str, Any] = super().do_inspect(*args, **kwargs)  # type: ignore[misc]
        return answer

    async def do_history(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Overridden: IPython says 0 for the current session's number."""
        known = {key: value for key, value in kwargs.items() if key in CONTENT["history_request"]}
        answer: dict[str, Any] = super().do_history(*args, **known)  # type: ignore[misc]
        current = self.shell.history_manager.session_number
        answer["history"] = [(session or current, *rest) for session, *rest in answer["history"]]
        return answer

    async def do_is_complete(self, code: str) -> dict[str, Any]:
        """Overridden to be a coroutine function."""
        answer: dict[str, Any] = super().do_is_complete(code)  # type: ignore[misc]
        return answer

    async def comm_info_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Overridden: cells open and close comms meanwhile, so iterate over a copy."""
        target = parent["content"].get("target_name")
        comms = {
            key: {"target_name": comm.target_name}
            for key, comm in self.comm_manager.comms.copy().items()
            if target is None or comm.target_name == target
        }
        content = {"status": "ok", "comms": comms}
        self.session.send(stream, "comm_info_reply", content, parent, ident)
