"""Runs notebooks beside a journal, without Jupyter. A cell's output is what it prints and its last value."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import sys
import time
import traceback
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from namespace_kernel import AsyncNamespaceManager
from namespace_kernel.durable.journal.journal import Journal
from namespace_kernel.durable.journal.records import CellRecord

_ERROR = re.compile(r"\w*(Error|Exception)\b")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


class Run:
    """One process's run of a notebook, whose names a journal in `folder` keeps."""

    def __init__(self, folder: Path) -> None:
        self.module = sys.modules["__main__"] = types.ModuleType("__main__")
        self.live: dict[str, Any] = self.module.__dict__
        self.manager = AsyncNamespaceManager(self.module)
        self.journal = Journal(self.manager, folder, tell=self._told)
        self.told: list[str] = []

    def _told(self, line: str) -> None:
        self.told.append(line)

    def cell(self, number: int, source: str) -> str:
        """Run one cell; what it shows."""
        before = dict(self.live)
        self.journal.cell_began()
        began = time.monotonic()
        output = show(source, self.live, f"<cell {number}>")
        duration = time.monotonic() - began
        after = dict(self.live)
        written = frozenset(name for name, value in after.items() if before.get(name, self) is not value)
        deleted = frozenset(before.keys() - after.keys())
        self.journal.cell_ended(CellRecord(number, source, written, deleted, duration))
        return output

    def restore(self, cell: int | None = None) -> Any:
        """Restore, and make what was lost by its cells, without what is back being changed."""
        restored = self.journal.restore(cell=cell)
        back = {one.name: self.live[one.name] for one in restored.back}
        for maker in restored.recipe:
            show(maker.source, self.live, f"<cell {maker.number}>")
        self.live.update(back)
        return restored


def show(source: str, names: dict[str, Any], file: str) -> str:
    """Run code; what it prints, the last expression's value, or its error."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(tree, file, "exec", dont_inherit=True), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), file, "eval", dont_inherit=True), names)
                if value is not None:
                    print(repr(value))
        except Exception:
            print(traceback.format_exc().splitlines()[-1])
    return _ADDRESS.sub("0x…", out.getvalue())


def run_all(folder: Path, cells: Iterable[str]) -> tuple[list[str], list[str]]:
    """Run a notebook from its begin to its end; its outputs, and what went wrong. Each state is kept."""
    run, outputs, wrong = Run(folder), [], []
    for number, source in enumerate(cells, 1):
        outputs.append(run.cell(number, source))
        if _ERROR.match(outputs[-1].rstrip().rpartition("\n")[2]):
            wrong.append(f"cell {number} fails: {outputs[-1]}")
        if not run.journal.flush(60.0):
            wrong.append(f"after cell {number} the state was not kept: {run.journal.status()}")
    run.journal.close()
    return outputs, [*wrong, *run.told]


def go_on(folder: Path, cells: list[str], after: int, expected: list[str]) -> list[str]:
    """Restore the state after cell `after` and run the others; how the outputs differ from `expected`."""
    run = Run(folder)
    restored = run.restore(after)
    lost = {one.name: one.reason for one in restored.lost}
    wrong = []
    for number, source in enumerate(cells[after:], after + 1):
        output = run.cell(number, source)
        if output != expected[number - 1]:
            wrong.append(
                f"cell {number} after {after}: {output!r}, not {expected[number - 1]!r}; lost: {lost}"
            )
    run.journal.close()
    return wrong
