"""`!command` and its like: a Stop ends the command, and the cell.

IPython's own way takes the `KeyboardInterrupt` for itself and goes on with the cell's next line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from codecs import getincrementaldecoder, lookup
from collections.abc import Callable
from functools import partial
from subprocess import PIPE, STDOUT, CalledProcessError
from typing import Any, Protocol

from IPython.utils.encoding import DEFAULT_ENCODING
from IPython.utils.text import LSString, SList

from namespace_kernel.base.frames import unseen
from namespace_kernel.base.threads import Popen
from namespace_kernel.execution.stop.supervised import Supervised, encoded, in_terminal


class ExitCodes(Protocol):
    """Is told exit codes."""

    def set_exit_code(self, code: int) -> None:
        """The last command ended with `code`."""


class Text:
    """What a command prints, decoded and handed to `write` piece by piece."""

    def __init__(self, encoding: str, write: Callable[[str], object]) -> None:
        # Where the locale knows ASCII alone, nearly every command prints UTF-8 all the same.
        known = "utf-8" if lookup(encoding).name == "ascii" else encoding
        self._decode = getincrementaldecoder(known)("replace").decode
        self._write = write

    def __call__(self, chunk: bytes, final: bool = False) -> None:
        """Take a piece, which may end in the middle of a character, unless it is the `final` one."""
        if text := self._decode(chunk, final):
            self._write(text)


def shown(stream: str, encoding: str) -> Text:
    """Prints what a command prints, at once."""
    return Text(encoding, lambda text: print(text, end="", file=getattr(sys, stream), flush=True))


def run_command(
    namespace: ExitCodes,
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


class ShellCommands:
    """Mixed into the shells. `namespace` is told the exit codes.

    On Windows the commands are IPython's. Their callers are two frames away: `unseen` is one.

    Thread: any that runs cells.
    """

    namespace: ExitCodes
    var_expand: Callable[..., str]
    system_raise_on_error: bool

    @unseen
    def system_piped(self, cmd: str) -> None:
        """Overridden: in a terminal of its own, as IPython does it."""
        _refuse_background(cmd)
        expanded = self.var_expand(cmd, depth=2)
        if sys.platform == "win32":
            from IPython.utils.process import system

            code = int(system(expanded))
            self.namespace.set_exit_code(code)
        else:
            start = partial(in_terminal, _users_shell(), expanded)
            code = run_command(self.namespace, start, out=shown("stdout", DEFAULT_ENCODING), negates=True)
        self._check(code, cmd)

    system = system_piped

    @unseen
    def system_raw(self, cmd: str) -> None:
        """Overridden: what the command prints goes where the kernel's own output goes."""
        expanded = self.var_expand(cmd, depth=2)
        first = (expanded.split() or [""])[0]
        if first in ("pip", "conda", "cd"):
            warnings.warn(
                f"You executed the system command !{first} which may not work as expected. "
                f"Try the IPython magic %{first} instead.",
                stacklevel=3,
            )
        self._check(run_command(self.namespace, partial(_in_shell, expanded), negates=True), cmd)

    @unseen
    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """Overridden to keep the exit code of `x = !cmd`, too."""
        _refuse_background(cmd)
        expanded = self.var_expand(cmd, depth=depth + 2)
        raises = getattr(self, "system_raise_on_error", False)
        pipes = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE if raises else STDOUT, "bufsize": 0}
        printed: list[str] = []
        complained: list[str] = []
        code = run_command(
            self.namespace,
            partial(_in_shell, expanded, **pipes),
            out=Text(DEFAULT_ENCODING, printed.append),
            err=Text(DEFAULT_ENCODING, complained.append),
        )
        self._check(code, cmd)
        text = "".join(printed + complained)
        return SList(text.splitlines()) if split else LSString(text)

    def _check(self, code: int, cmd: str) -> None:
        if getattr(self, "system_raise_on_error", False) and code != 0:
            raise CalledProcessError(code, cmd)


def _in_shell(command: str, **pipes: Any) -> subprocess.Popen[bytes]:
    executable = os.environ.get("SHELL")
    return Popen(encoded(command), shell=True, executable=executable, process_group=0, **pipes)


def _users_shell() -> str:
    name = os.environ.get("SHELL", "sh")
    if (found := shutil.which(name)) is None:
        raise OSError(f'"{name}" shell not found')
    return found


def _refuse_background(command: str) -> None:
    if command.rstrip().endswith("&"):
        raise OSError("Background processes not supported.")
