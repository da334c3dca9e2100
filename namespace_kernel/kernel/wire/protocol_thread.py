"""The protocol thread: receives shell messages, sorts them by who answers, sends replies.

It runs no user code, so nothing that a cell does keeps a reply, a completion or Stop waiting.

| message                                         | answered by                              |
|-------------------------------------------------|------------------------------------------|
| `execute_request`                               | its lane: main, or a subshell's worker   |
| `complete_request`, `inspect_request`           | the introspection worker                 |
| `is_complete_request`, `history_request`        | a second worker: transformers, SQLite    |
| `comm_open`, `comm_msg`, `comm_close`           | the user loop, one after the other       |
| everything else                                 | the protocol thread itself               |
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from ipykernel.thread import BaseThread
from tornado.ioloop import IOLoop

from .shell_stream import SharedStream

if TYPE_CHECKING:
    from namespace_kernel.kernel.lanes.lanes import Lanes


class ProtocolThread(BaseThread):
    """The thread whose loop drives the shell socket. The app gives it the stream, as to ipykernel's."""

    shell_stream: SharedStream | None = None
    #: The lanes, where ipykernel's `%subshell` looks for them.
    manager: Lanes

    def __init__(self) -> None:
        super().__init__(name="Protocol", daemon=True)

    def watch(self, descriptor: int, function: Callable[[], None]) -> None:
        """Call `function` on this thread when `descriptor` is readable. Thread: any, before it starts."""
        self.io_loop.add_handler(descriptor, lambda *_: function(), IOLoop.READ)

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        """Call `function` on this thread after `seconds`. Thread: any, also in a signal handler."""
        self.io_loop.add_callback(self.io_loop.call_later, seconds, function)


_log = logging.getLogger("namespace_kernel")
