"""The error that ends a thread: below Python's traceback, a line says what to do."""

from __future__ import annotations

import sys
import threading
from typing import Any

from namespace_kernel.base.frames import unseen
from namespace_kernel.base.patching import Function, Patch

from .traceback_formatter import Advise


class ThreadErrors:
    """Stands in front of `threading.excepthook`. Thread: the one that ends."""

    def __init__(self, advise: Advise) -> None:
        self._advise = advise
        self.patches = (Patch(threading, "excepthook", self._with_advice),)

    def _with_advice(self, original: Function) -> Function:
        @unseen
        def excepthook(args: Any, /) -> object:
            shown = original(args)
            advice = None if args.exc_value is None else self._advise(args.exc_value)
            if advice and sys.stderr is not None:
                print(advice, file=sys.stderr)
            return shown

        return excepthook
