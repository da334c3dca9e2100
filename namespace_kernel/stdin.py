"""`input()` and `getpass()` for code in any thread."""

from __future__ import annotations

import builtins
import getpass
import threading
from collections.abc import Callable
from typing import Any

from .iopub import PublishingThread


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

    _asking = threading.Lock()

    #: Overridden: ipykernel keeps one flag, for the last request.
    _allow_stdin: Any = property(_input_is_allowed)

    def _input_request(self, *args: Any, **options: Any) -> str:
        """Overridden: what was printed before arrives before the prompt, on another channel."""
        with self._asking:  # one question at a time, of cells that overlap
            self.flush_output()
            self.iopub_thread.wait_until_sent()
            answer: str = super()._input_request(*args, **options)  # type: ignore[misc]
            return answer

    def install_input(self) -> None:
        """Make `input` and `getpass.getpass` ask the frontend, for good. Thread: main."""
        builtins.input = self.raw_input
        getpass.getpass = self.getpass

    def _forward_input(self, allow_stdin: bool = False) -> None:
        """Overridden: nothing to do per request."""

    def _restore_input(self) -> None:
        """Overridden: nothing to do per request."""
