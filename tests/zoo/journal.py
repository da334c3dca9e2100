"""The zoo in a real journal: `python -m tests.zoo.journal FOLDER keep|restore NAME...`.

`keep` ends by SIGKILL. Each kind has a journal of its own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import types
import warnings
from pathlib import Path
from typing import Any

from namespace_kernel import AsyncNamespaceManager, Journal
from namespace_kernel.durable.journal.records import CellRecord

from .__main__ import KINDS, holds
from .kinds import Kind


def _open(folder: Path) -> tuple[dict[str, Any], Journal]:
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    return module.__dict__, Journal(AsyncNamespaceManager(module), folder)


def keep(kind: Kind, folder: Path) -> None:
    """Run the cell, and let the journal keep what it made."""
    names, journal = _open(folder)
    before = set(names)
    journal.cell_began()
    exec(compile(kind.cell, "<cell>", "exec", dont_inherit=True), names)
    journal.cell_ended(CellRecord(1, kind.cell, frozenset(names.keys() - before)))
    assert journal.flush(60.0), journal.status().problem


def restore(kind: Kind, folder: Path) -> dict[str, Any]:
    """What came back, and whether it is right."""
    names, journal = _open(folder)
    back = journal.restore()
    wrong = ""
    if kind.check:
        try:
            wrong = "" if holds(kind, names) else "different"
        except Exception as error:
            wrong = f"different: {type(error).__name__}: {error}"
    journal.close(0.0)
    without = sorted(one.without for one in back.back if getattr(one, "without", ""))
    return {"lost": {one.name: one.reason for one in back.lost}, "wrong": wrong, "without": without}


def main(folder: Path, what: str, wanted: list[str]) -> None:
    """See the module."""
    warnings.simplefilter("ignore")
    for number, name in enumerate(wanted):
        if what == "keep":
            keep(KINDS[name], folder / str(number))
        else:
            print(json.dumps([name, restore(KINDS[name], folder / str(number))]), flush=True)
    if what == "keep":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
