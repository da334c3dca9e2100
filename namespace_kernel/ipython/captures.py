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

from namespace_kernel.attribution.redirects import Taking, end_redirects, in_force, redirects
from namespace_kernel.base.patching import Patch
from namespace_kernel.execution.hooks import Settling


class DisplayCapture(Taking):
    """What is displayed while it is in force goes to `publisher` and `hook`."""

    def __init__(self, shell: object, outer: DisplayCapture | None) -> None:
        super().__init__(outer)
        self.publisher = CapturingDisplayPublisher()
        self.hook = CapturingDisplayHook(shell=shell, outputs=self.publisher.outputs)


#: Inherited by the threads and tasks that are started inside; they may outlive it.
display_capture: ContextVar[DisplayCapture | None] = ContextVar("display_capture", default=None)


def active_capture() -> DisplayCapture | None:
    """The capture of displays that is in force in the calling context."""
    return in_force(display_capture.get())


def capture_nothing() -> None:
    """Undo what captures in the calling context, a copy of one in which something does."""
    display_capture.set(None)
    redirects.set({})


def end_captures(settling: Settling) -> None:
    """Post-cell hook: nothing that a cell which failed has begun takes output any more.

    One that succeeded may want it: `stack.enter_context(redirect_stdout(file))` in a cell of its own.
    """
    if settling.outcome.error is None:
        return
    end_redirects(settling.execution)
    if (capture := display_capture.get()) is not None:
        display_capture.set(capture.after(settling.execution))


def _enter(manager: Any) -> CapturedIO:
    manager._ending = ending = contextlib.ExitStack()
    try:
        return _begin(manager, ending)
    except BaseException:  # a Stop: no `with` will end it
        ending.close()
        raise


def _begin(manager: Any, ending: contextlib.ExitStack) -> CapturedIO:
    stdout = ending.enter_context(contextlib.redirect_stdout(StringIO())) if manager.stdout else None
    stderr = ending.enter_context(contextlib.redirect_stderr(StringIO())) if manager.stderr else None
    manager.shell = get_ipython() if manager.display else None
    outputs = None
    if manager.shell is not None:
        capture = DisplayCapture(manager.shell, active_capture())
        outputs = capture.publisher.outputs
        ending.callback(_end, capture)
        display_capture.set(capture)
    return CapturedIO(stdout, stderr, outputs)


def _end(capture: DisplayCapture) -> None:
    capture.end()
    if display_capture.get() is capture:
        display_capture.set(capture.outer)


def _exit(manager: Any, *error: object) -> None:
    manager._ending.close()


#: IPython's magics and other libraries import the class.
CAPTURES = (
    Patch(capture_output, "__enter__", lambda _: _enter),
    Patch(capture_output, "__exit__", lambda _: _exit),
)
