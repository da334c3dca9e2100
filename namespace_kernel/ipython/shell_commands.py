"""`!command` and its like: a Stop ends the command, and the cell.

IPython's own way takes the `KeyboardInterrupt` for itself and goes on with the cell's next line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from subprocess import PIPE, STDOUT, CalledProcessError
from typing import TYPE_CHECKING, Any, Literal

from IPython.utils.encoding import DEFAULT_ENCODING
from IPython.utils.text import LSString, SList

from namespace_kernel.execution.stop.supervised import in_terminal

from .commands import Text, run_command, shown

if TYPE_CHECKING:
    from IPython.core.magic import MagicsManager


class ShellCommands:
    """Mixed into the shells. `namespace` is told the exit codes.

    On Windows the commands are IPython's.

    Thread: any that runs cells.
    """

    namespace: Any
    var_expand: Callable[..., str]
    system_raise_on_error: bool

    def system_piped(self, cmd: str) -> None:
        """Overridden: in a terminal of its own, as IPython does it."""
        _refuse_background(cmd)
        expanded = self.var_expand(cmd, depth=1)
        if sys.platform == "win32":
            from IPython.utils.process import system

            code = int(system(expanded))
            self.namespace.set_exit_code(code)
        else:
            start = partial(in_terminal, _users_shell(), expanded)
            code = run_command(self.namespace, start, out=shown("stdout", DEFAULT_ENCODING), negates=True)
        self._check(code, cmd)

    system = system_piped

    def system_raw(self, cmd: str) -> None:
        """Overridden: what the command prints goes where the kernel's own output goes."""
        expanded = self.var_expand(cmd, depth=1)
        first = (expanded.split() or [""])[0]
        if first in ("pip", "conda", "cd"):
            warnings.warn(
                f"You executed the system command !{first} which may not work as expected. "
                f"Try the IPython magic %{first} instead.",
                stacklevel=2,
            )
        self._check(run_command(self.namespace, partial(_in_shell, expanded), negates=True), cmd)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """Overridden to keep the exit code of `x = !cmd`, too."""
        _refuse_background(cmd)
        expanded = self.var_expand(cmd, depth=depth + 1)
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
    return subprocess.Popen(command, shell=True, executable=executable, process_group=0, **pipes)


def _users_shell() -> str:
    name = os.environ.get("SHELL", "sh")
    if (found := shutil.which(name)) is None:
        raise OSError(f'"{name}" shell not found')
    return found


def _refuse_background(command: str) -> None:
    if command.rstrip().endswith("&"):
        raise OSError("Background processes not supported.")


def use_stoppable_scripts(manager: MagicsManager) -> None:
    """Let `%%script`, and with it `%%bash` and the like, be ours.

    IPython makes these magics when the first of them is used (since 9.18), so it is told to make ours then.
    """
    if "ScriptMagics" in manager.registry:
        from namespace_kernel.ipython.magics.scripts import ScriptMagics

        manager.register(ScriptMagics)
        return
    kinds: tuple[Literal["line", "cell"], ...] = ("line", "cell")
    for kind in kinds:
        for name, magic in list(manager.magics[kind].items()):
            if getattr(magic, "spec", "").endswith(":ScriptMagics"):
                manager.register_lazy(name, f"{__package__}.magics.scripts:ScriptMagics", kind)
