"""Where it is certain, the traceback ends with one line that says what to do; and what it says works."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest

from tests.kernel.cells import ANSI, Cell
from tests.kernel.client import Notebook
from tests.kernel.leaks import ok
from tests.kernel.mistakes import MISTAKES, PAGE, SETUP, Mistake, page

#: From here on Python words some of these errors in another way.
_REWORDED = sys.version_info >= (3, 14)


@pytest.fixture(scope="module")
def prepared(_shared: list[Notebook]) -> Iterator[Notebook]:
    ok(_shared[-1].run(SETUP))
    return _shared[-1]


def lines_of(cell: Cell) -> list[str]:
    """What stands under a cell, its receipt aside."""
    said = cell.traceback or ANSI.sub("", cell.stderr)  # a thread's has colours since 3.13
    return [line for line in said.splitlines() if line.strip()]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.name)
def test_the_traceback_ends_with_advice_that_works(mistake: Mistake, prepared: Notebook) -> None:
    ok(prepared.run(SETUP))
    *before, last = [prepared.run(code) for code in mistake.cells]
    expected = mistake.line.replace("In [N]", f"In [{before[-1].count}]") if before else mistake.line
    last.wait_for(lambda cell: expected in "\n".join(lines_of(cell)), f"the line {expected!r}")
    error, line = lines_of(last)[-2:]
    assert line == expected
    if not _REWORDED:
        pattern = re.escape(mistake.error).replace("…", ".*")
        assert re.fullmatch(pattern, error), error
    fixed = ok(prepared.run(mistake.fix))
    assert fixed.result == mistake.result
    shown = any(code in mistake.fix for code in mistake.advised)
    assert shown or not mistake.advised or "a cell with" in mistake.line, "the advice is followed"


def test_the_page_of_the_documentation_shows_them() -> None:
    assert PAGE.read_text() == page(), "`python -m tests.kernel.mistakes` writes it"


#: Errors of what a library does with what it was given: there is nothing to write otherwise at this place.
NO_ADVICE = [
    "stack = contextlib.AsyncExitStack()\nstack.push_async_callback(print)\nawait stack.aclose()",
    "await asyncio.wait_for(5, 5)",
    "await asyncio.wait_for([get()], 5)",
    "await asyncio.shield([get()])",
    "asyncio.run([get()])",
    "import sqlite3\nd = sqlite3.connect(':memory:')\nawait asyncio.to_thread(d.execute, 'select 1')",
]


@pytest.mark.parametrize("code", NO_ADVICE)
def test_no_advice_that_would_not_work(code: str, prepared: Notebook) -> None:
    prepared.run("import contextlib")
    cell = prepared.run(code)
    assert cell.error is not None and lines_of(cell)[-1].startswith(f"{cell.error[0]}: ")
