"""What arrives on the control channel; debug requests make no other wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from inspect import isawaitable

from ipykernel._version import kernel_protocol_version
from ipykernel.ipkernel import IPythonKernel
from zmq.eventloop.zmqstream import ZMQStream

from namespace_kernel.kernel.lanes.answers import Handlers
from namespace_kernel.kernel.lanes.lanes import Lane
from namespace_kernel.kernel.options import KernelOptions
from namespace_kernel.kernel.shell_channel import read
from namespace_kernel.kernel.wire.request import Message, Replies, Request
from namespace_kernel.kernel.wire.session import KernelSession
from namespace_kernel.kernel.wire.standard_streams import StandardStreams

from .stand_in import LazyDebugger

#: Seconds after which a request counts as slow.
_SLOW = 1.0


class DebugTurns:
    """Debug requests are answered one after the other; behind one that takes a second none waits on.

    Thread: control.
    """

    def __init__(self, debugger: LazyDebugger, options: KernelOptions) -> None:
        self._debugger = debugger
        self._options = options
        #: Set when the request that came last is answered.
        self._last_answered: asyncio.Event | None = None

    async def take(self, answer: Callable[[], Awaitable[None]]) -> None:
        """Wait for the turn, and `answer`."""
        self._debugger.patience = self._options.debug_patience
        before, answered = self._last_answered, asyncio.Event()
        self._last_answered = answered
        if before is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(before.wait(), _SLOW)
        try:
            await answer()
        finally:
            answered.set()


class ControlChannel:
    """Answers one request after the other, but debug requests, which do not make the others wait.

    Without debugpy there are no `debug_turns`. A cell that comes here waits with those of the foreground.

    Thread: control.
    """

    def __init__(
        self,
        kernel: IPythonKernel,
        session: KernelSession,
        stream: ZMQStream,
        debug_turns: DebugTurns | None,
        foreground: Lane,
        replies_of_cells: Replies,
        handlers: Handlers,
        streams: StandardStreams,
    ) -> None:
        self._kernel = kernel
        self._session = session
        self._stream = stream
        self._debug_turns = debug_turns
        self._foreground = foreground
        self._replies_of_cells = replies_of_cells
        self._handlers = handlers
        self._streams = streams
        self._lock = asyncio.Lock()

    async def receive(self, frames: list[bytes]) -> None:
        """Take a message from the stream."""
        request = read(frames, self._stream, self._session, self._kernel.log)
        if request is None:
            return
        if request.kind == "debug_request" and self._debug_turns is not None:
            await self._debug_turns.take(partial(self._answer, request))
        elif request.kind == "execute_request":  # it waits with the other cells, and is busy when it runs
            self._foreground.put(replace(request, replies=self._replies_of_cells))
        else:
            async with self._lock:
                await self._answer(request)

    async def put_cell(self, replies: Replies, idents: list[bytes], message: Message) -> None:
        """Let a cell wait with the others."""
        self._foreground.put(Request(idents, message, self._replies_of_cells))

    async def _answer(self, request: Request) -> None:
        """As ipykernel's `process_control`, and any failure is answered."""
        kernel, message = self._kernel, request.message
        kernel.set_parent(request.idents, message, channel="control")
        kernel._publish_status("busy", "control", parent=message)
        handler = kernel.control_handlers.get(request.kind)
        try:
            if request.error is not None:
                self._handlers.fail(request, request.error)
            elif handler is None:
                kernel.log.warning("unknown message type %r on the control channel, ignored", request.kind)
            else:
                result = handler(request.replies, request.idents, message)
                if isawaitable(result):
                    await result
        except Exception as error:
            kernel.log.exception("%s failed", request.kind)
            self._handlers.fail(request, error)
        finally:
            with contextlib.suppress(Exception):  # a stream of the user's may not be able to
                self._streams.flush()
            kernel._publish_status("idle", "control", parent=message)


def kernel_info(kernel: IPythonKernel) -> Message:
    """What a `kernel_info_reply` tells. ipykernel's own imports its debugger, and so debugpy."""
    features = ["kernel subshells"] if kernel._supports_kernel_subshells else []
    if hasattr(kernel, "debugger"):
        features.append("debugger")
    told = ("implementation", "implementation_version", "language_info", "banner", "help_links")
    return {
        "protocol_version": kernel_protocol_version,
        **{name: getattr(kernel, name) for name in told},
        "supported_features": features,
    }
