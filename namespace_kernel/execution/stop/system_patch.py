"""`os.system` that a Stop ends.

The C library's has the process ignore SIGINT as long as the command runs: nobody learns of the Stop, and the
cell goes on with its next line.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from typing import Any

from .supervised import Supervised


class SystemFront:
    """Stands in for `os.system`. Not on Windows.

    Thread: `install` and `uninstall` main.
    """

    def __init__(self) -> None:
        self._original: Any = os.system
        self._installed = False

    def install(self) -> None:
        """Take the place of `os.system`."""
        if sys.platform == "win32":
            return

        @functools.wraps(self._original)
        def system(command: Any) -> int:
            if not self._installed:  # kept from before the end, when no thread can be started any more
                return int(self._original(command))
            encoded = os.fsencode(command)
            sys.audit("os.system", encoded)
            supervised = Supervised(functools.partial(_start, encoded))
            supervised.run()
            return supervised.status

        system.__module__ = os.__name__  # by which it is pickled
        os.system = system
        self._installed = True

    def uninstall(self) -> None:
        """Put the original back."""
        self._installed = False
        os.system = self._original


def _start(command: bytes) -> subprocess.Popen[bytes]:
    """What the C library does: the signals are not restored, and inheritable descriptors stay open."""
    return subprocess.Popen(
        [b"sh", b"-c", command],
        executable="/bin/sh",
        close_fds=False,
        restore_signals=False,
        process_group=0,
    )
