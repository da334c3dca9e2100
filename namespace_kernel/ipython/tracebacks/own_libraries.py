"""The kernel's own libraries are found where they are installed, whatever lies beside the notebook.

In `sys.path` the folder comes before the installed packages. What the kernel has imported when it starts, no
file there can hide. But some libraries are imported when they are used: a `jedi.py` would run when Tab is
pressed, a `stack_data.py` by the first traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

#: What the kernel and Jupyter's packages import when they use it, and what that imports in its turn.
_NAMES = frozenset(
    (
        *("asttokens", "executing", "pure_eval", "stack_data"),  # tracebacks
        *("jedi", "parso"),  # completion
        *("pexpect", "ptyprocess"),  # `!command`
        *("cloudpickle", "xxhash"),  # cells that run elsewhere
        *("dateutil", "debugpy", "packaging", "psutil", "six"),
    )
)


class OwnLibraries:
    """A finder for `sys.meta_path`, before that of `sys.path`.

    A notebook may replace `sys.path`, also by what is no list of folders; so where they were at the start is
    looked at, too.

    Thread: any.
    """

    _path_at_start: tuple[str, ...] = ()

    @classmethod
    def install(cls) -> None:
        """Begin to find them."""
        if cls not in sys.meta_path:
            cls._path_at_start = tuple(entry for entry in sys.path if entry != "")
            sys.meta_path.insert(0, cls)

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where the library is; `None` for all others, and if it is not installed."""
        if path is not None or name not in _NAMES:
            return None
        current: object = sys.path
        now: list[str] = current if isinstance(current, list) else []
        folders = [entry for entry in (*now, *cls._path_at_start) if entry != ""]
        return PathFinder.find_spec(name, folders, target)
