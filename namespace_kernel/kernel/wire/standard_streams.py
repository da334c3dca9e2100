"""`sys.stdout` and `sys.stderr` as cells leave them: what waits in them, and whether they work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TextIO

from ipykernel.iostream import OutStream

from namespace_kernel.base.words import words_of

from .stdout import CellStream


class StandardStreams:
    """The kernel's own streams, and what cells have put in their place. `notice` shows one line.

    Thread: any.
    """

    def __init__(
        self, stdout: OutStream | TextIO, stderr: OutStream | TextIO, notice: Callable[[str], None]
    ) -> None:
        self._own = {"stdout": stdout, "stderr": stderr}
        self._cell_streams = [one for one in (stdout, stderr) if isinstance(one, CellStream)]
        self._notice = notice

    def flush(self) -> None:
        """Send what was printed."""
        for name in self._own:
            stream = getattr(sys, name, None)
            if isinstance(stream, CellStream):
                stream.flush()
            else:
                self._flush_users(name)

    def hand_over(self) -> None:
        """Let what was printed be sent with the next message that is published now."""
        for name in self._own:
            stream = getattr(sys, name, None)
            if isinstance(stream, CellStream):
                stream.hand_over()
            else:
                self._flush_users(name)

    def hand_over_own(self) -> None:
        """As `hand_over`, whatever a cell has put in the streams' place."""
        for stream in self._cell_streams:
            stream.hand_over()

    def mark_as_started(self, context: Context | None = None) -> None:
        """Let what a task or a thread writes be told from what its cell writes. See `CellStream`."""
        for stream in self._cell_streams:
            stream.mark_as_started(context)

    def hidden(self) -> list[CellStream]:
        """Those that a cell has put another in the place of."""
        return [one for one in self._cell_streams if getattr(sys, one.name, None) is not one]

    def drain(self) -> None:
        """Take in what C code and children have written to the file descriptors."""
        for stream in self._cell_streams:
            stream.drain()

    def take_from_children(self) -> None:
        """Take in what forked children have printed and displayed."""
        for stream in self._cell_streams[:1]:
            stream.pub_thread.take_from_children()

    def take_in(self) -> None:
        """Take in what a child has written that the caller has waited for: it comes before what the caller
        prints next. In a forked child nothing comes here. Thread: any; a Stop may come.
        """
        for publishing in [stream.pub_thread for stream in self._cell_streams[:1]]:
            children = publishing.children
            if children.fd >= 0 and (
                children.has_come() or any(one.has_come() for one in self._cell_streams)
            ):
                publishing.do(partial(self._take_all, publishing.send_now))

    def _take_all(self, send: Callable[[], None]) -> None:
        self.drain()
        self.take_from_children()
        send()

    def forget(self) -> None:
        """In a forked child: what waits in them is the parent's."""
        for stream in self._cell_streams:
            stream.forget()

    def restore(self) -> None:
        """Put the kernel's streams back in place of such as cannot be used. A user's that works stays."""
        for name, own in self._own.items():
            if getattr(sys, name, None) is not own:
                self._flush_users(name)

    def _flush_users(self, name: str) -> None:
        problem = _problem_of(vars(sys).get(name, _DELETED))
        if problem:
            setattr(sys, name, self._own[name])
            self._notice(f"`sys.{name}` {problem}; it is the notebook's own again")


_DELETED = object()


def _problem_of(stream: object) -> str:
    """Why nobody can print to `stream`, in words; empty if it works. It is flushed."""
    if stream is _DELETED:
        return "was deleted"
    if stream is None:
        return "was None"
    try:
        for name in ("write", "flush"):  # `print` does without the second, but IPython and others do not
            if not callable(getattr(stream, name, None)):
                return f"was of the type `{type(stream).__name__}`, which has no `{name}`"
        if getattr(stream, "closed", False) is True:
            return "was closed"
        stream.flush()  # type: ignore[attr-defined]
    except BaseException as error:
        return f"could not be flushed ({type(error).__name__}: {words_of(error)})"
    return ""
