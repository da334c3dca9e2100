"""Run a command until it ends or the cell is stopped, and hand on what it prints."""

from __future__ import annotations

import subprocess
import sys
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import Any

from namespace_kernel.execution.stop.supervised import Supervised


class Text:
    """What a command prints, decoded and handed to `write` piece by piece."""

    def __init__(self, encoding: str, write: Callable[[str], object]) -> None:
        self._decode = getincrementaldecoder(encoding)("replace").decode
        self._write = write

    def __call__(self, chunk: bytes, final: bool = False) -> None:
        """Take a piece, which may end in the middle of a character, unless it is the `final` one."""
        if text := self._decode(chunk, final):
            self._write(text)


def shown(stream: str, encoding: str) -> Text:
    """Prints what a command prints, at once."""
    return Text(encoding, lambda text: print(text, end="", file=getattr(sys, stream), flush=True))


def run_command(
    namespace: Any,
    start: Callable[[], subprocess.Popen[bytes]],
    data: bytes = b"",
    out: Text | None = None,
    err: Text | None = None,
    negates: bool = False,
) -> int:
    """Run what `start` makes, to its end or until Stop; tell `namespace` its exit code, and return it.

    A signal's number is negative. If it `negates`, that is also so where a shell says 128 and that number.
    """
    command, code = Supervised(start), 0
    try:
        command.run(data, out, err)
    finally:
        if command.code is not None:
            code = 128 - command.code if negates and command.code > 128 else command.code
            namespace.set_exit_code(code)
    for text in (out, err):
        if text is not None:
            text(b"", final=True)
    return code
