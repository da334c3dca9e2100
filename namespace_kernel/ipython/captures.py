"""`%%capture` and IPython's `capture_output` take only what the capturing code prints and displays.

IPython's replaces `sys.stdout`, `sys.displayhook` and the shell's display publisher for everybody.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from io import StringIO
from typing import Any

from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.getipython import get_ipython
from IPython.utils.capture import CapturedIO, capture_output

from namespace_kernel.attribution.redirects import redirects
from namespace_kernel.base.patching import Patch


class DisplayCapture:
    """What is displayed while it is in force goes to `publisher` and `hook`."""

    def __init__(self, shell: object, outer: DisplayCapture | None) -> None:
        self.publisher = CapturingDisplayPublisher()
        self.hook = CapturingDisplayHook(shell=shell, outputs=self.publisher.outputs)
        self.outer = outer
        self.active = True


#: Inherited by the threads and tasks that are started inside; they may outlive it.
display_capture: ContextVar[DisplayCapture | None] = ContextVar("display_capture", default=None)


def active_capture() -> DisplayCapture | None:
    """The capture of displays that is in force in the calling context."""
    capture = display_capture.get()
    while capture is not None and not capture.active:
        capture = capture.outer
    return capture


def capture_nothing() -> None:
    """Undo what captures in the calling context, a copy of one in which something does."""
    display_capture.set(None)
    redirects.set({})


def _enter(manager: Any) -> CapturedIO:
    manager._ending = ending = contextlib.ExitStack()
    stdout = ending.enter_context(contextlib.redirect_stdout(StringIO())) if manager.stdout else None
    stderr = ending.enter_context(contextlib.redirect_stderr(StringIO())) if manager.stderr else None
    manager.shell = get_ipython() if manager.display else None
    outputs = None
    if manager.shell is not None:
        capture = DisplayCapture(manager.shell, active_capture())
        outputs = capture.publisher.outputs
        display_capture.set(capture)
        ending.callback(_end, capture)
    return CapturedIO(stdout, stderr, outputs)


def _end(capture: DisplayCapture) -> None:
    capture.active = False
    if display_capture.get() is capture:
        display_capture.set(capture.outer)


def _exit(manager: Any, *error: object) -> None:
    manager._ending.close()


#: IPython's magics and other libraries import the class.
CAPTURES = (
    Patch(capture_output, "__enter__", lambda _: _enter),
    Patch(capture_output, "__exit__", lambda _: _exit),
)
