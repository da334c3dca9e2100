"""The protocol thread: receives shell messages, sorts them by who answers, sends replies.

It runs no user code, so nothing that a cell does keeps a reply, a completion or Stop waiting. Where
each message goes, `shell_channel` tells.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from threading import get_ident

from ipykernel.thread import BaseThread
from tornado.ioloop import IOLoop

from .shell_stream import SharedStream


class SubshellThreads(dict[str, threading.Thread]):
    """The thread of each subshell, by its id; what ipykernel's `%subshell` asks.

    Thread: any; a dict is atomic per operation.
    """

    #: The thread that serves the foreground, as a rule the main thread.
    foreground_ident: int | None = None

    def serve_foreground_here(self) -> None:
        """Say that the calling thread does it."""
        self.foreground_ident = get_ident()

    def list_subshell(self) -> list[str]:
        """The ids of the subshells."""
        return list(self)

    def subshell_id_from_thread_id(self, ident: int) -> str | None:
        """Which subshell a thread belongs to, `None` for main. Raises `RuntimeError` for other threads."""
        if ident == self.foreground_ident:
            return None
        for lane_id, thread in self.copy().items():
            if thread.ident == ident:
                return lane_id
        raise RuntimeError(f"thread {ident} does not belong to a subshell of this kernel")


class ProtocolThread(BaseThread):
    """The thread whose loop drives the shell socket. The app gives it the stream, as to ipykernel's."""

    shell_stream: SharedStream | None = None

    def __init__(self) -> None:
        super().__init__(name="Protocol", daemon=True)
        #: Where ipykernel's `%subshell` looks.
        self.manager = SubshellThreads()

    def watch(self, descriptor: int, function: Callable[[], None]) -> None:
        """Call `function` on this thread when `descriptor` is readable. Thread: any, before it starts."""
        self.io_loop.add_handler(descriptor, lambda *_: function(), IOLoop.READ)

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        """Call `function` on this thread after `seconds`. Thread: any, also in a signal handler."""
        self.io_loop.add_callback(self.io_loop.call_later, seconds, function)
