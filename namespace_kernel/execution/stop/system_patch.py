"""`os.system` that a Stop ends.

The C library's has the process ignore SIGINT as long as the command runs: nobody learns of the Stop, and the
cell goes on with its next line.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from namespace_kernel.base.patching import Patch
from namespace_kernel.base.threads import Popen

from .supervised import Supervised


class SystemFront:
    """Stands in for `os.system`. Not on Windows."""

    def __init__(self) -> None:
        self._installed = False
        patch = Patch(os, "system", self._in_front_of, undone=self._only_pass_on)
        self.patches = () if sys.platform == "win32" else (patch,)

    def _in_front_of(self, original: Callable[[Any], int]) -> Callable[[Any], int]:
        self._installed = True

        def system(command: Any) -> int:
            if not self._installed:  # kept from before the end, when no thread can be started any more
                return original(command)
            encoded = os.fsencode(command)
            sys.audit("os.system", encoded)
            supervised = Supervised(functools.partial(_start, encoded))
            supervised.run()
            return supervised.status

        return system

    def _only_pass_on(self) -> None:
        self._installed = False


def _start(command: bytes) -> subprocess.Popen[bytes]:
    """What the C library does: the signals are not restored, and inheritable descriptors stay open."""
    return Popen(
        [b"sh", b"-c", command],
        executable="/bin/sh",
        close_fds=False,
        restore_signals=False,
        process_group=0,
    )
