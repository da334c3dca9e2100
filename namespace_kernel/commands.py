"""The exit codes of `x = !command` and `%%bash`, which IPython does not keep."""

from __future__ import annotations

import functools
import subprocess
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Any, Literal

from IPython.utils._process_common import process_handler
from IPython.utils.encoding import DEFAULT_ENCODING

from .namespace import AsyncNamespaceManager

if TYPE_CHECKING:
    from IPython.core.magic import MagicsManager
    from IPython.core.magics.script import ScriptMagics

_TOLERANT = "--no-raise-error"


def output_of(command: str, namespace: AsyncNamespaceManager) -> str:
    """Run `command` in the user's shell; return what it printed, stderr included, and record its exit code.

    As `IPython.utils.process.getoutput`, which forgets the code.
    """

    def collect(process: subprocess.Popen[bytes]) -> bytes:
        printed: bytes = process.communicate()[0]
        namespace.set_exit_code(process.returncode)
        return printed

    printed = process_handler(command, collect, subprocess.STDOUT)
    return "" if printed is None else printed.decode(DEFAULT_ENCODING, "replace")


def record_script_codes(manager: MagicsManager, namespace: AsyncNamespaceManager) -> None:
    """Let `%%script`, and with it `%%bash` and the like, record the program's exit code.

    IPython makes these magics when the first of them is used (since 9.18), so it is told to make ours then.
    """
    loaded = dict(manager.registry).get("ScriptMagics")
    if loaded is not None:
        keep_codes(loaded, namespace)
        return
    kinds: tuple[Literal["line", "cell"], ...] = ("line", "cell")
    for kind in kinds:
        for name, magic in list(manager.magics[kind].items()):
            if getattr(magic, "spec", "").endswith(":ScriptMagics"):
                manager.register_lazy(name, f"{__package__}.script_magics:ScriptMagics", kind)


def keep_codes(scripts: ScriptMagics, namespace: AsyncNamespaceManager) -> None:
    """Let `scripts` record the exit codes.

    The code is only in the `CalledProcessError` that a failing script raises; so it is made to raise
    always, and the error is dropped where the user asked for none.
    """
    run: Any = scripts.shebang

    @functools.wraps(run)
    def shebang(line: str, cell: str) -> Any:
        tolerant = _TOLERANT in line.split()
        try:
            result = run(line.replace(_TOLERANT, ""), cell)
        except CalledProcessError as error:
            namespace.set_exit_code(error.returncode)
            if tolerant:
                return None
            raise
        namespace.set_exit_code(0)
        return result

    scripts.shebang = shebang
    shell: Any = scripts.shell
    for magics in (scripts.magics["cell"], shell.magics_manager.magics["cell"]):
        for name in [name for name, magic in magics.items() if magic == run]:
            magics[name] = shebang
