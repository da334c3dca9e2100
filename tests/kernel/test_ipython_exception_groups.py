"""Exception groups: an `error` message, and a traceback with the lines of the exceptions within."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.kernel.cells import Cell, plain
from tests.kernel.client import Notebook

INNER = "def deep(): raise ValueError('deep words')\nasync def first(): deep()\nasync def second(): {}['key']"
GROUP = """\
async with asyncio.TaskGroup() as group:
    group.create_task(first())
    group.create_task(second())"""


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    assert notebook.run("import asyncio, time").status == "ok"
    assert notebook.run(INNER).status == "ok"
    return notebook


def failed(notebook: Notebook, code: str) -> Cell:
    """Runs a cell that must fail as a frontend sees it: by the `error` message and by the reply."""
    cell = notebook.run(code)
    assert cell.status == "error"
    assert [kind for kind, _ in cell.outputs if kind != "stream"] == ["error"]
    assert cell.error == (cell.reply["ename"], cell.reply["evalue"])
    assert plain("\n".join(cell.reply["traceback"])) == cell.traceback
    assert "namespace_kernel" not in cell.text and "interactiveshell.py" not in cell.text
    return cell


def test_the_exceptions_of_a_task_group_are_shown_with_their_lines(prepared: Notebook) -> None:
    cell = failed(prepared, GROUP)
    assert cell.error == ("ExceptionGroup", "unhandled errors in a TaskGroup (2 sub-exceptions)")
    assert cell.stderr == ""
    for line in (
        "async with asyncio.TaskGroup()",
        "async def first(): deep()",
        "raise ValueError('deep words')",
    ):
        assert line in cell.traceback
    assert "| ValueError: deep words" in cell.traceback
    assert "| KeyError: 'key'" in cell.traceback
    outer, first, second = (
        cell.traceback.index(f"{name}: ") for name in ("ExceptionGroup", "ValueError", "KeyError")
    )
    assert outer < first < second


def test_a_group_in_a_plain_cell_and_groups_within_groups_are_shown(prepared: Notebook) -> None:
    cell = failed(
        prepared,
        """\
def inner():
    try: deep()
    except ValueError as error: caught = error
    raise ExceptionGroup("inner", [caught, TypeError("never raised")])
try: inner()
except ExceptionGroup as error: raise ExceptionGroup("outer", [error]) from None""",
    )
    assert cell.error == ("ExceptionGroup", "outer (1 sub-exception)")
    for line in ("raise ValueError('deep words')", "| ExceptionGroup: inner (2 sub-exceptions)"):
        assert line in cell.traceback
    assert "|   | TypeError: never raised" in cell.traceback


def test_what_except_star_does_not_handle_is_shown(prepared: Notebook) -> None:
    cell = failed(
        prepared,
        """\
try: raise ExceptionGroup("many", [ValueError(1), TypeError(2)])
except* ValueError as error: print("handled", error.exceptions)""",
    )
    assert cell.stdout == "handled (ValueError(1),)\n"
    assert cell.error == ("ExceptionGroup", "many (1 sub-exception)")
    assert "| TypeError: 2" in cell.traceback and "ValueError: 1" not in cell.traceback


@pytest.mark.parametrize("waiting", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_except_star_handles_all(waiting: str, prepared: Notebook) -> None:
    code = "try: raise ExceptionGroup('many', [ValueError(1)])\nexcept* ValueError as e: r = e.exceptions"
    assert prepared.run(f"{waiting}{code}\nlen(r)").result == "1"
    assert prepared.run("1").status == "ok"


def test_an_error_that_a_group_led_to_is_shown_with_the_group(prepared: Notebook) -> None:
    cell = failed(
        prepared,
        """\
try: raise ExceptionGroup("many", [ValueError("member")])
except ExceptionGroup as error: raise LookupError("led to") from error""",
    )
    assert cell.error == ("LookupError", "led to")
    for words in ("ExceptionGroup: many (1 sub-exception)", "| ValueError: member", "LookupError: led to"):
        assert words in cell.traceback


def test_a_group_with_many_members_is_cut(prepared: Notebook) -> None:
    cell = failed(prepared, "raise ExceptionGroup('many', [ValueError(n) for n in range(40)])")
    assert "| ValueError: 14" in cell.traceback and "ValueError: 15" not in cell.traceback
    assert "and 25 more" in cell.traceback


def test_a_failed_task_shows_the_exceptions_in_its_group(prepared: Notebook) -> None:
    cell = prepared.run(
        "async def fails():\n    "
        + GROUP.replace("\n", "\n    ")
        + "\ntask = asyncio.create_task(fails()); await asyncio.wait([task])"
    )
    cell.wait_for_text("KeyError: 'key'")
    assert "raise ValueError('deep words')" in cell.text


def test_tb_and_the_engines_name_know_the_group(prepared: Notebook) -> None:
    failed(prepared, GROUP)
    assert "ValueError: deep words" in prepared.run("%tb").text
    failed(prepared, GROUP)
    assert prepared.run("type(_exception).__name__").result == "'ExceptionGroup'"


def test_a_group_aborts_the_cells_that_wait(prepared: Notebook) -> None:
    first = prepared.submit(f"await asyncio.sleep(.2)\n{GROUP}")
    second = prepared.submit("1")
    assert first.wait().status == "error"
    assert second.wait().status == "aborted"


@pytest.mark.parametrize("mode", ["Plain", "Minimal", "Verbose"])
def test_each_mode_of_tracebacks_shows_the_members(mode: str, prepared: Notebook) -> None:
    prepared.run(f"%xmode {mode}")
    try:
        assert "| ValueError: deep words" in failed(prepared, GROUP).traceback
    finally:
        prepared.run("%xmode Context")


def test_a_group_of_trios_nursery_is_shown(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import trio")
    fresh_notebook.run(INNER)
    fresh_notebook.run("%autoawait trio")
    cell = failed(
        fresh_notebook,
        "async with trio.open_nursery() as nursery:\n    nursery.start_soon(first)\n    await trio.sleep(9)",
    )
    assert "raise ValueError('deep words')" in cell.traceback


def test_nbclient_notices_a_group(jupyter_environment: str) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in ("import asyncio", INNER, GROUP)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with pytest.raises(CellExecutionError) as caught:
        NotebookClient(notebook, kernel_name=jupyter_environment, timeout=100).execute()
    assert "ValueError: deep words" in plain(str(caught.value))
    assert [output.output_type for output in notebook.cells[2].outputs] == ["error"]
