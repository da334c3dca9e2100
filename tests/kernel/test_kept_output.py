"""`%output`: what a cell has shown, also while no page was open, is shown again under the cell that asks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kernel.client import Notebook

#: Cells, and what is shown of them again: kinds of messages and text.
SHOWN = {
    "printed": ("print('a'); print('b')", "a\nb\n"),
    "to stderr": ("import sys; print('wrong', file=sys.stderr)", "wrong\n"),
    "a result": ("6 * 7", "42\n"),
    "displayed": ("display('x')", "'x'\n"),
    "cleared": (
        "from IPython.display import clear_output\nprint('old', flush=True); clear_output(); print('new')",
        "new\n",
    ),
    "cleared by what follows": (
        "print('old', flush=True); clear_output(wait=True); print('newer')",
        "newer\n",
    ),
    "updated": ("h = display('first', display_id=True); h.update('second')", "'second'\n"),
    "awaited": ("import asyncio\nawait asyncio.sleep(0); print('after')", "after\n"),
}


@pytest.mark.parametrize(("code", "text"), SHOWN.values(), ids=SHOWN)
def test_a_cell_s_output_is_shown_again(code: str, text: str, notebook: Notebook) -> None:
    cell = notebook.run(code)
    again = notebook.run(f"%output {cell.count}")
    assert (again.status, again.text) == ("ok", text)
    assert again.result is None, "it is no result of this cell"
    assert notebook.run(f"%output {again.count}").text == text, "and again"


def test_an_error_is_shown_and_does_not_fail_the_cell_that_asks(notebook: Notebook) -> None:
    failed = notebook.run("1/0")
    again = notebook.run(f"%output {failed.count}")
    assert again.status == "ok" and "ZeroDivisionError: division by zero" in again.text


def test_what_a_running_cell_prints_is_shown_as_far_as_it_is_and_then_on(
    notebook: Notebook, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    read = f"open({str(gate)!r}).read()"
    code = f"print('one', flush=True); {read}; print('two', flush=True); {read}; print('three')"
    running = notebook.submit(code).wait_for_text("one")
    asking = notebook.run("%output")
    assert asking.status == "ok" and not running.done
    asking.wait_for_text("one\n")
    gate.write_text("go")
    asking.wait_for_text("one\ntwo\n")
    gate.write_text("go")
    running.wait()
    asking.wait_for_text("one\ntwo\nthree\n")
    assert asking.text == running.text == "one\ntwo\nthree\n", "each once"
    assert notebook.run("print('other')").text == "other\n"
    assert asking.text == "one\ntwo\nthree\n", "until the cell is done"


def test_what_a_task_prints_when_its_cell_is_over_is_kept_too(notebook: Notebook) -> None:
    cell = notebook.run(
        "import asyncio\nasync def work(): await asyncio.sleep(.05); print('late')\n"
        "t = asyncio.create_task(work())"
    )
    cell.wait_for_text("late\n")
    assert "late\n" in notebook.run(f"%output {cell.count}").text


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("%output", "no cell runs"),
        ("%output 100000", "no output of In [100000] is kept"),
        ("%output x", "`%output 12`"),
        ("%output -1", "`%output 12`"),
    ],
)
def test_what_cannot_be_shown_is_said(code: str, says: str, notebook: Notebook) -> None:
    cell = notebook.run(code)
    assert cell.status == "error" and says in cell.text


def test_the_latest_cells_are_kept_and_those_that_show_nothing_count_for_none(
    fresh_notebook: Notebook,
) -> None:
    first = fresh_notebook.run("print('first')")
    for _ in range(60):
        fresh_notebook.run("x = 1")
    assert fresh_notebook.run(f"%output {first.count}").text == "first\n"
    for _ in range(60):
        last = fresh_notebook.run("print('last')")
    assert fresh_notebook.run(f"%output {first.count}").status == "error"
    assert fresh_notebook.run(f"%output {last.count}").text == "last\n"


def test_the_oldest_goes_first_and_nothing_is_kept_if_so_configured(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("%config NamespaceKernel.kept_output = 1")
    first = fresh_notebook.run("print('x' * 400_000)")
    large = fresh_notebook.run("for n in range(20): display({'text/plain': str(n) * 100_000}, raw=True)")
    assert "no output of" in fresh_notebook.run(f"%output {first.count}").text
    kept = fresh_notebook.run(f"%output {large.count}")
    assert kept.status == "ok" and "the beginning is not kept" in kept.stderr
    last = kept.displays[-1]["text/plain"]
    assert last.startswith("19"), "the end is kept"
    fresh_notebook.run("%config NamespaceKernel.kept_output = 0")
    none = fresh_notebook.run("print('gone')")
    assert "no output of" in fresh_notebook.run(f"%output {none.count}").text
