"""A coroutine that an error's frames held is told under the cell that failed, and never under a later one."""

from __future__ import annotations

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook

PRELUDE = """\
import asyncio, gc, unittest, anyio
async def f(*args): pass
def fail(*args): raise ValueError
class Case(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self): raise ValueError
    async def test_it(self): await asyncio.sleep(0)
exec(compile('''
async def q(): pass
def library():
    c = q()
    raise ValueError
def calls(function):
    c = function()
    raise ValueError
''', "/usr/lib/python3/library.py", "exec"))
closed = asyncio.new_event_loop(); closed.close()"""

TOLD = {
    "asyncio.run where a loop runs": "async def g(): asyncio.run(f())\nawait g()",
    "asyncio.run in the cell itself": "await asyncio.sleep(0)\nasyncio.run(f())",
    "a closed loop": "closed.run_until_complete(f())",
    "a function that fails": "fail(f())",
    "a list": "fail([f(), 5])",
    "a local name": "def g():\n    c = f()\n    1 / 0\ng()",
    "a coroutine that fails": "async def g():\n    c = f()\n    1 / 0\nawait g()",
    "wait takes no coroutines": "await asyncio.wait([f()])",
    "a task group": "async with anyio.create_task_group() as tg:\n    tg.start_soon(f())",
    "an error of an error": "try: fail(f())\nexcept ValueError: 1 / 0",
}
SILENT = {
    "a task group that calls it": "async with anyio.create_task_group() as tg:\n    tg.start_soon(fail)",
    "a test case": "unittest.main(argv=['x'], defaultTest='Case')",
    "a library's own": "library()",
}
LATER = {"a plain cell": "1", "an awaiting cell": "await asyncio.sleep(0)", "a failing cell": "1 / 0"}


def told_of(cell: Cell) -> str:
    """What is said of coroutines: in the receipt, or in the line at the end of the traceback."""
    last = cell.traceback.rstrip().splitlines()[-1]
    return last if " Use `" in last or " write `" in last else cell.receipt


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
@pytest.mark.parametrize("code", TOLD.values(), ids=TOLD)
def test_it_is_told_under_the_cell_that_failed(code: str, later: str, notebook: Notebook) -> None:
    notebook.run("%reset -f")
    assert notebook.run(PRELUDE).status == "ok"
    failed = notebook.run(code)
    innocent = [notebook.run(later), notebook.run("gc.collect(); 2")]
    failed.wait_for(lambda cell: "f()" in told_of(cell), "its receipt, or a line of the traceback")
    for cell in innocent:
        assert "without `await`" not in cell.text, cell.text
    assert "Warning" not in failed.text


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_a_function_that_was_given_to_a_library_is_told_there_too(later: str, notebook: Notebook) -> None:
    notebook.run("%reset -f")
    assert notebook.run(PRELUDE).status == "ok"
    failed = notebook.run("calls(f)")
    innocent = [notebook.run(later), notebook.run("gc.collect(); 2")]
    failed.wait_for(lambda cell: "`calls(f)` called `f()` without `await`" in cell.receipt, "its receipt")
    for cell in innocent:
        assert "without `await`" not in cell.text, cell.text


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
@pytest.mark.parametrize("code", SILENT.values(), ids=SILENT)
def test_of_a_librarys_nothing_is_told(code: str, later: str, notebook: Notebook) -> None:
    notebook.run("%reset -f")
    assert notebook.run(PRELUDE).status == "ok"
    failed = notebook.run(code)
    assert failed.status == "error"
    cells = [notebook.run(later), notebook.run("gc.collect(); 2"), notebook.run("3"), failed]
    told_afterwards = notebook.run("fail(f())")
    notebook.run("4")
    told_afterwards.wait_for(lambda cell: "without `await`" in cell.receipt, "its receipt")
    for cell in cells:
        assert "without `await`" not in cell.text, cell.text


@pytest.mark.parametrize("code", TOLD.values(), ids=TOLD)
def test_it_goes_away_without_the_garbage_collector(code: str, notebook: Notebook) -> None:
    notebook.run("%reset -f")
    assert notebook.run(f"{PRELUDE}\ngc.collect(); gc.disable()").status == "ok"
    try:
        failed = notebook.run(code)
        notebook.run("1")
        failed.wait_for(lambda cell: "f()" in told_of(cell), "its receipt, or a line of the traceback")
    finally:
        notebook.run("gc.enable()")
