"""What arrives on the control channel; debug requests make no other wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from inspect import isawaitable
from typing import Any

from ipykernel._version import kernel_protocol_version
from traitlets import Float, HasTraits, Type

from namespace_kernel.kernel.lent_modules import lent
from namespace_kernel.kernel.wire.request import Request

from .answers import Message
from .stand_in import LazyDebugger, has_debugpy

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
    control_stream: Any
    control_replies: Any
    lanes: Any
    log: Any
    set_parent: Any
    implementation: str
    implementation_version: str
    language_info: Any
    banner: str
    help_links: Any
    _supports_kernel_subshells: Any
    control_handlers: Any
    parse: Callable[[list[bytes], Any], Request | None]
    send_error: Callable[[Request, BaseException], None]
    flush_output: Callable[[], None]
    _control_lock: asyncio.Lock
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
        """Overridden: what debugpy sends, whose first frame is the socket's, is for the debugger of now."""
        self.debugger.tcp_client.receive_dap_frame(frames[1].bytes.decode("utf-8"))

    async def do_debug_request(self, message: Message) -> Message | None:
        """Overridden: the answer to a debug request; `None` without debugpy."""
        return await self.debugger.process_request(message) if hasattr(self, "debugger") else None

    def prepare_debugger(self) -> None:
        """Let the debugger see the cell that begins. Thread: the lane's."""
        if hasattr(self, "debugger"):
            self.debugger.trace_this_thread()

    async def dispatch_control(self, frames: list[bytes]) -> None:
        """Overridden: debug requests do not take the lock, they have an order of their own."""
        request = self.parse(frames, self.control_stream)
        if request is None:
            return
        if request.kind == "debug_request" and hasattr(self, "debugger"):
            await self._debug_in_turn(request)
        elif request.kind == "execute_request":  # it waits with the other cells, and is busy when it runs
            self.lanes.foreground.put(replace(request, replies=self.control_replies))
        else:
            async with self._control_lock:
                await self._answer_control(request)

    async def _debug_in_turn(self, request: Request) -> None:
        self.debugger.patience = self.debug_patience
        before, answered = self._last_answered, asyncio.Event()
        self._last_answered = answered
        if before is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(before.wait(), _SLOW)
        try:
            await self._answer_control(request)
        finally:
            answered.set()

    async def _answer_control(self, request: Request) -> None:
        """As ipykernel's `process_control`, and any failure is answered."""
        message = request.message
        self.set_parent(request.idents, message, channel="control")
        self._publish_status("busy", "control", parent=message)
        handler = self.control_handlers.get(request.kind)
        try:
            if request.error is not None:
                self.send_error(request, request.error)
            elif handler is None:
                self.log.warning("unknown message type %r on the control channel, ignored", request.kind)
            else:
                result = handler(request.replies, request.idents, message)
                if isawaitable(result):
                    await result
        except Exception as error:
            self.log.exception("%s failed", request.kind)
            self.send_error(request, error)
        finally:
            with contextlib.suppress(Exception):  # a stream of the user's may not be able to
                self.flush_output()
            self._publish_status("idle", "control", parent=message)
