"""`sys.stdout` and `sys.stderr` as cells leave them: what waits in them, and whether they work."""

from __future__ import annotations

import sys
from typing import Any

from namespace_kernel.base.words import words_of

from .stdout import CellStream


class StandardStreamHandlers:
    """Mixed into the kernel.

    Thread: any.
    """

    shell: Any
    _stdout: Any
    _stderr: Any

    def flush_output(self) -> None:
        """Send what was printed."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name, None)
            if isinstance(stream, CellStream):
                stream.flush()
            else:
                self._flush_users(name)

    def hand_over_output(self) -> None:
        """Let what was printed be sent with the next message of `publish_now`."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name, None)
            if isinstance(stream, CellStream):
                stream.hand_over()
            else:
                self._flush_users(name)

    def send_printed(self) -> None:
        """As `hand_over_output`, whatever a cell has put in the streams' place."""
        for stream in (self._stdout, self._stderr):
            if isinstance(stream, CellStream):
                stream.hand_over()

    def drain_descriptors(self) -> None:
        """Take in what C code and children have written to the file descriptors."""
        for stream in (self._stdout, self._stderr):
            if isinstance(stream, CellStream):
                stream.drain()

    def restore_streams(self) -> None:
        """Put the kernel's streams back in place of such as cannot be used. A user's that works stays."""
        for name, own in (("stdout", self._stdout), ("stderr", self._stderr)):
            if getattr(sys, name, None) is not own:
                self._flush_users(name)

    def _flush_users(self, name: str) -> None:
        problem = _problem_of(vars(sys).get(name, _DELETED))
        if problem:
            setattr(sys, name, getattr(self, f"_{name}"))
            self.shell.notice(f"`sys.{name}` {problem}; it is the notebook's own again")


_DELETED = object()


def _problem_of(stream: Any) -> str:
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
        stream.flush()
    except BaseException as error:
        return f"could not be flushed ({type(error).__name__}: {words_of(error)})"
    return ""
