"""`%%script`, `%%bash` and the like, which record the program's exit code."""

from __future__ import annotations

from typing import Any

from IPython.core.magics import script

from .commands import keep_codes


class ScriptMagics(script.ScriptMagics):
    """IPython's; `%config` and `magics_manager.registry` know them by this name."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell=shell)  # type: ignore[no-untyped-call]
        keep_codes(self, shell.namespace)
