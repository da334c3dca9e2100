"""Cells that must succeed, and must not be noisy about it."""

from __future__ import annotations

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook

#: What no library should make the kernel say under a cell that does nothing wrong.
NOISE = (
    "Traceback",
    "Warning:",
    "was never awaited",
    "without `await`",
    "namespace_kernel:",
    "A task that this cell started failed",
)


def ok(notebook: Notebook, code: str) -> Cell:
    """Runs a cell, which must succeed and show no warning."""
    cell = notebook.run(code)
    assert cell.status == "ok", cell.text
    expect_no_noise(cell)
    return cell


def result(notebook: Notebook, code: str) -> str | None:
    """What stands after `Out[n]:` of a cell that must succeed."""
    return ok(notebook, code).result


def expect_no_noise(*cells: Cell) -> None:
    """Asserts that nothing suspicious has arrived under the cells up to now."""
    for cell in cells:
        for noise in NOISE:
            assert noise not in cell.text, f"{cell.what!r} says:\n{cell.text}"
