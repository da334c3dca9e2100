"""The exit codes of `x = !command` and `%%bash`, which IPython does not keep."""

from __future__ import annotations

import functools
import subprocess
from subprocess import CalledProcessError
from typing import Any

from IPython.core.magics.script import ScriptMagics
from IPython.utils._process_common import process_handler
from IPython.utils.encoding import DEFAULT_ENCODING

from .namespace import AsyncNamespaceManager

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


def record_script_codes(scripts: ScriptMagics, namespace: AsyncNamespaceManager) -> None:
    """Let `%%script`, and with it `%%bash` and the like, record the program's exit code.

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
