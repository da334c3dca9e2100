"""Completion, inspection and history while cells run."""

from __future__ import annotations

from inspect import isawaitable
from typing import Any

from ipykernel.jsonutil import json_clean

from namespace_kernel.ipython.completion.jedi_cache import read_files_once, remember_conditions
from namespace_kernel.ipython.completion.jedi_names import skip_other_names
from namespace_kernel.kernel.wire.request_fields import CONTENT
from namespace_kernel.namespace.reserved_names import only_names


class IntrospectionHandlers:
    """Mixed into the kernel before ipykernel's class, whose answers it wraps.

    Thread: the introspection worker, or the records worker.
    """

    shell: Any
    namespace: Any
    session: Any
    comm_manager: Any
    do_inspect: Any
    do_is_complete: Any

    def do_complete(self, code: str, cursor_pos: int | None) -> Any:
        """Overridden: complete on a snapshot, which no cell changes while jedi iterates over it."""
        if self.shell.complete_in(only_names(self.namespace.namespace)).use_jedi:
            remember_conditions()
            read_files_once()
            skip_other_names()
        answer: dict[str, Any] = super().do_complete(code, cursor_pos)  # type: ignore[misc]
        return answer

    def do_history(self, *args: Any, **kwargs: Any) -> Any:
        """Overridden: IPython says 0 for the current session's number."""
        known = {key: value for key, value in kwargs.items() if key in CONTENT["history_request"]}
        answer: dict[str, Any] = super().do_history(*args, **known)  # type: ignore[misc]
        current = self.shell.history_manager.session_number
        answer["history"] = [(session or current, *rest) for session, *rest in answer["history"]]
        return answer

    # The requests: ipykernel's, which warn of an answer that is no coroutine, as all of its own are

    async def complete_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Overridden as said."""
        content = parent["content"]
        await self._reply(stream, ident, parent, self.do_complete(content["code"], content["cursor_pos"]))

    async def inspect_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Overridden as said."""
        content = parent["content"]
        detail, omitted = content.get("detail_level", 0), set(content.get("omit_sections", ()))
        answer = self.do_inspect(content["code"], content["cursor_pos"], detail, omitted)
        await self._reply(stream, ident, parent, answer)

    async def history_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Overridden as said."""
        await self._reply(stream, ident, parent, self.do_history(**parent["content"]))

    async def is_complete_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Overridden as said."""
        await self._reply(stream, ident, parent, self.do_is_complete(parent["content"]["code"]))

    async def _reply(self, stream: Any, ident: Any, parent: dict[str, Any], answer: Any) -> None:
        """Send `answer`; a subclass's may be awaitable."""
        if isawaitable(answer):
            answer = await answer
        kind = parent["header"]["msg_type"].replace("_request", "_reply")
        self.session.send(stream, kind, json_clean(answer), parent, ident)

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
