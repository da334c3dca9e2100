"""What a cell leaves in the kernel's memory: nothing of ours, however many cells there are."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook
from tests.kernel.leaks import ok

PREPARE = """\
import asyncio, collections, contextvars, gc, threading, time
async def g(): pass
class Box: pass
box = Box(); V = contextvars.ContextVar("V"); go = threading.Event()
from concurrent.futures import ThreadPoolExecutor; pool = ThreadPoolExecutor(1)
def count():
    gc.collect()
    kinds = map(type, gc.get_objects())
    return collections.Counter(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)
None"""
# Cells that show nothing. All that grows by them is the text of `In`, of which the collector knows nothing.
QUIET = {
    "plain": ["x = 1", "def f(): return 1", "import os", "x = [1]; del x", "for _ in range(3): pass"],
    "awaiting": ["await g()", "t = asyncio.create_task(g()); await t", "V.set([]); await asyncio.sleep(0)"],
    "coroutines": [
        "x = g()",
        "x = [g(), g()]",
        "box.x = g(); box.x.close()",
        "y = await x[0], await x[1]; x = None",
    ],
    "threads": [
        "t = threading.Thread(target=int); t.start(); t.join(); t = None",
        "pool.submit(int).result(); None",
        "n = await asyncio.to_thread(int)",
    ],
    "background": ["%%background\nx = 1", "%%background\nawait g()", "%wait"],
    "assigned names": ["def h():\n    global x, y\n    x = y = object()", "h()", "del x, y"],
}
#: What IPython keeps of each output, for `%notebook`, is in these; and so are the notebook's own values.
LOUD_TYPES = {"builtins.list", "builtins.dict", "IPython.core.history.HistoryOutput"}
LOUD = {
    "results": ["[1]", "x = 5; x"],
    "prints": ["print(1)", "import sys; print(2, file=sys.stderr)"],
    "errors": ["1 / 0", "def e(): raise ValueError\ne()", "await undefined"],
    "receipts": [
        "g();",
        "_ = 5",
        "t = threading.Thread(target=go.wait); t.start()",
        "go.set(); t.join(); go.clear(); t = None",
    ],
    "tasks that fail": [
        "async def e(): 1 / 0\nt = asyncio.create_task(e()); await asyncio.sleep(0); t = None"
    ],
}
ROUNDS = 40
#: Until caches are full; of background cells a hundred handles are kept.
FIRST_ROUNDS = 60
#: SQLite's connection keeps a few hundred dead ones for a while.
BOUNDED = {"weakref.ReferenceType"}


def grown(notebook: Notebook, codes: list[str], allowed: set[str]) -> dict[str, int]:
    """How many objects of each type there are more after many rounds, if at least half as many as rounds.

    What grows does so each time. What the kernel loads while it is idle, as a rule before this, comes once.
    """
    ok(notebook.run(PREPARE))
    for _ in range(FIRST_ROUNDS):
        run_all(notebook, codes)
    more: dict[str, int] = {}
    for _ in range(3):
        more = grown_in_some_rounds(notebook, codes, allowed)
        if not more:
            break
    return more


def grown_in_some_rounds(notebook: Notebook, codes: list[str], allowed: set[str]) -> dict[str, int]:
    ok(notebook.run("before = count(); None"))
    for _ in range(ROUNDS):
        run_all(notebook, codes)
    more: dict[str, int] = {}
    for _ in range(20):  # receipts of the last cells may be due still
        counts = ast.literal_eval(ok(notebook.run("print(dict(count() - before))")).stdout)
        more = {
            kind: number for kind, number in counts.items() if number > ROUNDS / 2 and kind not in allowed
        }
        if not more:
            break
        ok(notebook.run("time.sleep(.1)"))
    return more


def run_all(notebook: Notebook, codes: list[str]) -> None:
    for cell in [notebook.submit(code, stop_on_error=False) for code in codes]:
        cell.wait()


@pytest.mark.parametrize("codes", QUIET.values(), ids=QUIET)
def test_cells_that_show_nothing_leave_no_object(codes: list[str], notebook: Notebook) -> None:
    assert grown(notebook, codes, BOUNDED) == {}


@pytest.mark.parametrize("codes", LOUD.values(), ids=LOUD)
def test_cells_that_show_something_leave_what_ipython_keeps(codes: list[str], notebook: Notebook) -> None:
    assert grown(notebook, codes, BOUNDED | LOUD_TYPES) == {}


def test_notebook_magic_has_the_outputs_of_all_cells(fresh_notebook: Notebook, tmp_path: Path) -> None:
    count = 300
    codes = ["{n}", "print({n})", "1 / 0 # {n}"]
    for number in range(count):
        fresh_notebook.run(codes[number % len(codes)].format(n=number))
    assert fresh_notebook.run(f"%notebook {tmp_path}/all.ipynb\nNone").status == "ok"
    cells = nbformat.read(tmp_path / "all.ipynb", as_version=4).cells
    assert len(cells) == count
    for number, cell in enumerate(cells):
        match number % len(codes):
            case 0:
                assert [output.data["text/plain"] for output in cell.outputs] == [str(number)]
            case 2:
                (output,) = cell.outputs
                assert output.ename == "ZeroDivisionError" and f"# {number}" in "".join(output.traceback)


def test_inputs_are_kept_once_however_often_they_are_run(fresh_notebook: Notebook) -> None:
    hidden = "len(get_ipython().user_ns_hidden)"
    before = int(fresh_notebook.run(hidden).result or "")
    first = fresh_notebook.run("x = 'the same text'")
    for _ in range(3):
        last = fresh_notebook.run("x = 'the same text'")
    a, b = first.reply["execution_count"], last.reply["execution_count"]
    same = f"In[{a}] is In[{b}] is _i{a} is _i{b} and In[{b}]"
    assert fresh_notebook.run(same).result == repr("x = 'the same text'")
    assert int(fresh_notebook.run(hidden).result or "") == before
    assert fresh_notebook.run("%who").stdout.split() == ["x"]


@pytest.mark.parametrize("code", ["x = 1", "await g()", "1 / 0", "go.wait(60)", "await asyncio.sleep(60)"])
def test_of_a_background_cell_that_has_ended_only_its_handle_is_left(code: str, notebook: Notebook) -> None:
    ok(notebook.run(PREPARE))
    cell = notebook.submit(f"%%background\n{code}", stop_on_error=False).wait_started()
    if "60" in code:
        ok(notebook.run(f"%stop {cell_number(cell)}\ngo.set(); go.clear()"))
    cell.wait()
    check_nothing_is_left(notebook, cell)


def check_nothing_is_left(notebook: Notebook, cell: Cell) -> None:
    left = "sum(number for kind, number in count().items() if kind.endswith('.BackgroundLane'))"
    for _ in range(100):  # its thread may just be ending
        found = notebook.run(left).result
        if found == "0":
            break
        notebook.run("time.sleep(.1)")
    assert found == "0"
    assert notebook.run(f"cell({cell_number(cell)}).done()").result == "True"


def test_nothing_is_left_of_a_background_cell_that_was_stopped_before_it_began(notebook: Notebook) -> None:
    ok(notebook.run(PREPARE))
    ok(notebook.run("asyncio.get_event_loop().call_soon_threadsafe(go.wait, 60)"))
    cell = notebook.submit("%%background\nawait asyncio.sleep(60)", stop_on_error=False).wait_started()
    ok(notebook.run(f"%stop {cell_number(cell)}\ngo.set(); go.clear()"))
    assert cell.wait().error is not None
    check_nothing_is_left(notebook, cell)


def cell_number(cell: Cell) -> int:
    (started,) = [one for one in cell.messages if one["msg_type"] == "execute_input"]
    return int(started["content"]["execution_count"])
