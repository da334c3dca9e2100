"""`%%script`, `%%bash` and the like: a Stop ends the script, and the exit code is recorded."""

from __future__ import annotations

import functools
import sys
from functools import partial
from subprocess import PIPE, CalledProcessError
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magics import script
from IPython.utils._process_common import arg_split

from namespace_kernel.base.cell import Namespace
from namespace_kernel.base.threads import Popen
from namespace_kernel.ipython.shell_commands import Text, run_command, shown


class ScriptMagics(script.ScriptMagics):
    """IPython's; `%config` and `magics_manager.registry` know them by this name."""

    @functools.wraps(script.ScriptMagics.shebang)
    def shebang(self, line: str, cell: str) -> Any:
        """Overridden, except for scripts in the background: IPython's way loses a Stop at times."""
        shell: Any = self.shell
        parser: Any = script.ScriptMagics.shebang.parser
        args, program = parser.parse_known_args(arg_split(line, posix=True))
        if not program:
            raise UsageError("%%script needs the name of a program")
        if args.bg or sys.platform == "win32":
            result = super().shebang(line, cell)
            shell.namespace.set_exit_code(0)
            return result
        out = _into(shell.user_ns, args.out) if args.out else shown("stdout", "utf-8")
        err = _into(shell.user_ns, args.err) if args.err else shown("stderr", "utf-8")
        start: Any = partial(Popen, program, stdin=PIPE, stdout=PIPE, stderr=PIPE, bufsize=0, process_group=0)
        data = (cell if cell.endswith("\n") else cell + "\n").encode("utf-8", "replace")
        try:
            code = run_command(shell.namespace, start, data, out, err)
        except FileNotFoundError:
            print(f"Couldn't find program: {program[0]!r}")
            return None
        if code != 0 and args.raise_error:
            raise CalledProcessError(code, data)
        return None


def _into(names: Namespace, name: str) -> Text:
    names[name] = ""

    def append(text: str) -> None:
        names[name] += text

    return Text("utf-8", append)
