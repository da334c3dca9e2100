"""`input()` and `getpass()` for code in any thread."""

from __future__ import annotations

import builtins
import getpass
import threading
import time
from collections.abc import Callable
from typing import Any

import zmq
from IPython.core.error import StdinNotImplementedError

from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.patching import Patch
from namespace_kernel.kernel.wire.publishing import PublishingThread
from namespace_kernel.kernel.wire.request_fields import kind_of

#: Seconds that a frontend has to connect its stdin channel: ZeroMQ connects each channel on its own, and
#: tries again every 0.1 to 0.2 s.
_PATIENCE = 10.0

_NOT_CONNECTED = (
    "the frontend allows questions, but has not connected its stdin channel: nobody would see this one"
)
_NO_TEXT = "the frontend's answer is no text: `value` in its input_reply must be a string, and is {kind}"


def _input_is_allowed(kernel: Any) -> bool:
    content = (kernel.get_parent("shell") or {}).get("content") or {}
    return bool(content.get("allow_stdin", False))


class InputHandlers:
    """Mixed into the kernel. Whether input is allowed is read from the request that the code belongs to.

    ipykernel swaps `builtins.input` per request; cells that overlap would restore it in the wrong order.
    """

    raw_input: Any
    flush_output: Callable[[], None]
    iopub_thread: PublishingThread
    getpass: Any
    stdin_socket: Any

    _asking = threading.Lock()

    #: Overridden: ipykernel keeps one flag, for the last request.
    _allow_stdin: Any = property(_input_is_allowed)

    def _input_request(self, *args: Any, **options: Any) -> str:
        """Overridden: what was printed before arrives before the prompt, on another channel; and a frontend
        that is still connecting is waited for: the question would be lost, and the cell wait for ever.
        """
        with self._asking:  # one question at a time, of cells that overlap
            self.flush_output()
            self.iopub_thread.wait_until_sent()
            self.stdin_socket.router_mandatory = True
            until = monotonic() + _PATIENCE
            while True:
                try:
                    answer = super()._input_request(*args, **options)  # type: ignore[misc]
                    if not isinstance(answer, str):
                        raise TypeError(_NO_TEXT.format(kind=kind_of(answer)))
                    return answer
                except zmq.ZMQError as error:
                    if error.errno != zmq.EHOSTUNREACH:
                        raise
                    if monotonic() > until:
                        raise StdinNotImplementedError(_NOT_CONNECTED) from None
                time.sleep(0.02)

    def input_patches(self) -> tuple[Patch, ...]:
        """Make `input` and `getpass.getpass` ask the frontend."""
        return (
            Patch(builtins, "input", lambda _: self.raw_input),
            Patch(getpass, "getpass", lambda _: self.getpass),
        )

    def _forward_input(self, allow_stdin: bool = False) -> None:
        """Overridden: nothing to do per request."""

    def _restore_input(self) -> None:
        """Overridden: nothing to do per request."""
