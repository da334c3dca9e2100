"""What outputs depend on that no name holds: random numbers, settings, where modules are found.

`random.seed(1)` in one cell decides what a later one draws. So these are kept beside the names, as one value.
It is written when it has changed.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import pickle
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

from .records import CellRecord

#: Under this name the value is kept beside those of the notebook: no variable has it.
NAME = ""


class Surroundings:
    """What surrounds the names of a notebook, as it was seen last.

    Thread: the keeper's; `put` the cell's, while that rests.
    """

    def __init__(self) -> None:
        self._imports: set[str] = set()
        self._path = list(sys.path)
        self._pickled = b""
        #: What `look` returned last.
        self.seen: dict[str, Any] = {}

    def note(self, record: CellRecord) -> None:
        """Remember which modules within packages the cell imports: importing the package is not enough."""
        self._imports.update(_imported(record.python or record.source))

    def look(self) -> dict[str, Any]:
        """What there is now: the same object as last time, if it is the same."""
        now: dict[str, Any] = {
            "imports": sorted(name for name in self._imports if name in sys.modules),
            "path": [one for one in sys.path if one not in self._path],
            "folder": _folder(),
        }
        for name, (get, _) in _STATES.items():
            module = sys.modules.get(name)
            if module is not None:
                with contextlib.suppress(Exception):
                    now[name] = get(module)
        pickled = pickle.dumps(now)
        if pickled != self._pickled:
            self._pickled, self.seen = pickled, now
        return self.seen

    def put(self, kept: dict[str, Any]) -> None:
        """Let everything be as it was. What is not possible any more stays as it is."""
        sys.path.extend(one for one in kept["path"] if one not in sys.path)
        if kept["folder"]:
            with contextlib.suppress(OSError):
                os.chdir(kept["folder"])
        self._imports.update(kept["imports"])
        for name in (*kept["imports"], *_STATES):
            if name in kept or name in kept["imports"]:
                with contextlib.suppress(Exception):
                    module = importlib.import_module(name)
                    if name in kept:
                        _STATES[name][1](module, kept[name])


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _imported(source: str) -> Iterator[str]:
    with contextlib.suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                yield from (one.name for one in node.names if "." in one.name)


def _settings(matplotlib: Any) -> dict[str, Any]:
    """Those that are not the default. The back end is the frontend's business."""
    default = matplotlib.rcParamsDefault
    both = ((name, value, dict.get(default, name)) for name, value in dict.items(matplotlib.rcParams))
    return {name: value for name, value, usual in both if repr(value) != repr(usual) and name != "backend"}


#: By module, how its state is read, and set.
_STATES: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], object]]] = {
    "random": (lambda _: random.getstate(), lambda _, state: random.setstate(state)),
    "numpy.random": (lambda m: m.get_state(legacy=False), lambda m, state: m.set_state(state)),
    "numpy": (lambda m: m.get_printoptions(), lambda m, state: m.set_printoptions(**state)),
    "matplotlib": (_settings, lambda m, state: m.rcParams.update(state)),
}
