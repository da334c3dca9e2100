"""Debug requests on the control channel."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from ipykernel._version import kernel_protocol_version
from traitlets import Float, HasTraits, Type

from .debug_answers import Message
from .lazy_debugger import LazyDebugger, has_debugpy
from .lent_modules import lent

#: Seconds after which a request counts as slow.
_SLOW = 1.0


class DebugHandlers(HasTraits):
    """Mixed into the kernel: debug requests do not make other requests on the control channel wait.

    They are answered one after the other; behind one that takes longer than a second none waits on.

    Thread: control.
    """

    debugger_class: Any = Type(LazyDebugger)

    debug_patience = Float(
        30.0,
        help="Seconds after which a debug request that debugpy does not answer is answered with an error.",
    ).tag(config=True)

    #: Set when the debug request that came last is answered.
    _last_answered: asyncio.Event | None = None

    debugger: LazyDebugger
    session: Any
    control_stream: Any
    log: Any
    set_parent: Any
    debug_request: Any
    implementation: str
    implementation_version: str
    language_info: Any
    banner: str
    help_links: Any
    _supports_kernel_subshells: Any
    _publish_status: Any

    def __init__(self, **options: Any) -> None:
        # ipykernel imports its debugger, and so debugpy, to know whether that is there.
        with lent("ipykernel.debugger", _is_debugpy_available=has_debugpy()):
            super().__init__(**options)

    # The following are overridden because ipykernel's own import its debugger, too.

    @property
    def kernel_info(self) -> dict[str, Any]:
        """What a `kernel_info_reply` tells."""
        features = ["kernel subshells"] if self._supports_kernel_subshells else []
        if hasattr(self, "debugger"):
            features.append("debugger")
        return {
            "protocol_version": kernel_protocol_version,
            "implementation": self.implementation,
            "implementation_version": self.implementation_version,
            "language_info": self.language_info,
            "banner": self.banner,
            "help_links": self.help_links,
            "supported_features": features,
        }

    def dispatch_debugpy(self, frames: list[Any]) -> None:
        """Take what debugpy sends; the first frame is the socket's."""
        self.debugger.tcp_client.receive_dap_frame(frames[1].bytes.decode("utf-8"))

    async def do_debug_request(self, message: Message) -> Message | None:
        """Answer a debug request; `None` without debugpy."""
        return await self.debugger.process_request(message) if hasattr(self, "debugger") else None

    def prepare_debugger(self) -> None:
        """Let the debugger see the cell that begins. Thread: the lane's."""
        if hasattr(self, "debugger"):
            self.debugger.trace_this_thread()

    async def dispatch_control(self, frames: list[Any]) -> None:
        """Overridden: debug requests do not take the lock, they have an order of their own."""
        request = self._debug_request_in(frames) if hasattr(self, "debugger") else None
        if request is None:
            await super().dispatch_control(frames)  # type: ignore[misc]
            return
        self.debugger.patience = self.debug_patience
        before, answered = self._last_answered, asyncio.Event()
        self._last_answered = answered
        if before is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(before.wait(), _SLOW)
        idents, message = request
        self.set_parent(idents, message, channel="control")
        self._publish_status("busy", "control", parent=message)
        try:
            await self.debug_request(self.control_stream, idents, message)
        except Exception:
            self.log.exception("a debug request failed")
        finally:
            self._publish_status("idle", "control", parent=message)
            answered.set()

    def _debug_request_in(self, frames: list[Any]) -> tuple[Any, Message] | None:
        """The debug request in `frames`, `None` if it is something else or cannot be read."""
        try:
            idents, parts = self.session.feed_identities(frames, copy=False)
            if self.session.unpack(parts[1].bytes)["msg_type"] != "debug_request":
                return None
            return idents, self.session.deserialize(parts, content=True, copy=False)
        except Exception:
            return None  # super says what is wrong with it
