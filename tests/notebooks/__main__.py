"""`python -m tests.notebooks FOLDER NAME...`: runs notebooks, and goes on after each of their cells.

Each run and each restoration is in a process of its own, forked from one that has imported the libraries.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import NOTEBOOKS
from .runs import go_on, run_all

_LIBRARIES = ("numpy", "pandas", "matplotlib.pyplot", "sklearn.ensemble", "scipy.stats", "sympy", "networkx")


def forked(function: Callable[..., Any], *args: Any) -> Any:
    """What `function` returns in a child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            answer: Any = function(*args)
        except BaseException:
            answer = [], [traceback.format_exc()]
        with os.fdopen(writing, "w") as file:
            json.dump(answer, file)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(child, 0)
    return json.loads(text)


def try_one(folder: Path, name: str) -> list[str]:
    """What goes wrong with one notebook."""
    cells = NOTEBOOKS[name]
    whole = folder / "whole"
    outputs, wrong = forked(run_all, whole, cells)
    for after in range(1, len(cells)) if outputs else ():
        copy = folder / "copy"
        shutil.copytree(whole, copy)
        found = forked(_go_on, copy, cells, after, outputs)
        wrong += [found] if isinstance(found, str) else found
        shutil.rmtree(copy)
    shutil.rmtree(whole)
    return [f"{name}: {one}" for one in wrong]


def _go_on(*args: Any) -> Any:
    try:
        return go_on(*args)
    except Exception:
        return [traceback.format_exc()]


def main(folder: Path, names: list[str]) -> None:
    """See the module."""
    warnings.simplefilter("ignore")
    names = names or list(NOTEBOOKS)
    text = "\n".join(cell for name in names for cell in NOTEBOOKS[name])
    for library in _LIBRARIES:
        if library.partition(".")[0] in text:
            with contextlib.suppress(ImportError):
                importlib.import_module(library)
    for name in names:
        print(json.dumps([name, len(NOTEBOOKS[name]), try_one(folder, name)]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
