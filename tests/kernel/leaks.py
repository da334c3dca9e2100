"""Cells that leak coroutines, and what the kernel says about it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook

SETUP = """\
%reset -f
import asyncio, functools, gc, signal, threading, time, types
from concurrent.futures import ThreadPoolExecutor
async def f(value=None): return value"""
# A coroutine that goes away when its cell is long over. Reports are made in the order of the leaks, so
# when this one is here, all others are, too.
MARK = """\
async def the_last(): ...
def leak_late():
    _go.wait(); the_last()
_go = threading.Event(); _late = threading.Thread(target=leak_late); _late.start()"""
TOLD = re.compile(
    r"(?:line (\d+)(?: of In \[(\d+)\])?: )?(?:`.+` called `(.+)`|`(.+)` was called) "
    r"without `await`( \d+ times)?, so it did not run\. Use `await (.+)`"
)


class Story:
    """Cells in a row, in a namespace of their own."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.cells: list[Cell] = []
        ok(notebook.run(SETUP))

    def run(self, *codes: str) -> Cell:
        """Runs cells, whether they fail or not; the last one."""
        for code in codes:
            self.add(self.notebook.run(code))
        return self.cells[-1]

    def add(self, cell: Cell) -> Cell:
        self.cells.append(cell)
        return cell

    def told(self) -> list[list[str]]:
        """What the receipts say in the end, by cell: `f 2` is line 2, `f 2 of 0` that of cell 0.

        Asserts that nothing else is said, and that no more comes when garbage is collected.
        """
        marked = ok(self.notebook.run(MARK))
        collected = ok(self.notebook.run("gc.collect(); _go.set()"))
        marked.wait_for(lambda cell: "the_last" in cell.receipt, "the last leak")
        assert "without `await`" not in collected.text
        numbers = {cell.count: index for index, cell in enumerate(self.cells)}
        for cell in self.cells:
            assert "RuntimeWarning" not in cell.text
            assert "was never awaited" not in cell.stderr
        assert not [m for m in self.notebook.strays if m["msg_type"] in ("stream", "display_data", "error")]
        return [list(_parsed(cell.receipt.splitlines(), numbers)) for cell in self.cells]

    @property
    def open(self) -> list[str]:
        """What `%coroutines` lists."""
        said = ok(self.notebook.run("%coroutines")).stdout
        return [] if said == "No open coroutines.\n" else said.splitlines()


def _parsed(lines: Iterable[str], numbers: dict[int, int]) -> Iterable[str]:
    for line in lines:
        if "without `await`" in line:
            told = TOLD.fullmatch(line)
            assert told is not None, line
            place, number, passed, called, times, advised = told.groups()
            assert advised == (passed or called)
            of = "" if number is None else f" of {numbers[int(number)]}"
            at = "" if place is None else f" {place}"
            often = f" ({times.strip()})" if times else ""
            yield f"{advised.partition('(')[0]}{at}{of}{often}"


def ok(cell: Cell) -> Cell:
    assert cell.status == "ok", cell.text
    return cell
