"""`%namespace`: the table under a cell, and the one that keeps itself up to date."""

from __future__ import annotations

import re

import pytest

from tests.kernel.cells import Cell, rows_by_name
from tests.kernel.client import Notebook

SETUP = """\
import asyncio, threading, time
import numpy as np, pandas as pd
"""


def show(notebook: Notebook, *arguments: str) -> dict[str, list[str]]:
    cell = notebook.run(" ".join(["%namespace", *arguments]))
    assert cell.status == "ok", cell.text
    return rows_by_name(cell)


def updates(cell: Cell) -> int:
    return sum(kind == "update_display_data" for kind, _ in cell.outputs)


def place(number: int, route: str) -> list[str]:
    return [f"In [{number}]", route]


def test_types_and_sizes(notebook: Notebook) -> None:
    notebook.run(SETUP)
    notebook.run(
        "array = np.zeros((3, 4)); frame = pd.DataFrame({'a': range(5)}); text = '<b>'; items = [1] * 2000"
    )
    table = show(notebook, "array", "frame", "text", "items", "np")
    assert table["array"][:3] == ["ndarray", "3 × 4", "float64"]
    assert table["frame"][:3] == ["DataFrame", "5 × 1", ""]
    assert table["text"][:3] == ["str", "3", "&#x27;&lt;b&gt;&#x27;"]
    assert table["items"][:3] == ["list", "2,000", ""]
    assert list(table)[-1] == "np" and table["np"][:3] == ["module", "", "numpy"]


def test_who_wrote_a_name_and_the_newest_first(notebook: Notebook) -> None:
    notebook.run(SETUP)
    sync = notebook.run("by_sync = 1").count
    awaiting = notebook.run("await asyncio.sleep(0); by_async = 1").count
    task = notebook.run(
        "async def write():\n    global by_task\n    await asyncio.sleep(0)\n    by_task = 1\n"
        "await asyncio.create_task(write())"
    ).count
    thread = notebook.run(
        "thread = threading.Thread(target=lambda: globals().update(by_thread=1))\n"
        "thread.start(); thread.join()"
    ).count
    cell = notebook.run("by_this = 1\n%namespace by_*")
    table = rows_by_name(cell)
    assert list(table) == ["by_this", "by_thread", "by_task", "by_async", "by_sync"]
    assert [row[3:5] for row in table.values()] == [
        place(cell.count, "sync"),
        place(thread, "sync"),
        place(task, "async"),
        place(awaiting, "async"),
        place(sync, "sync"),
    ]
    assert table["by_this"][5] == "running"
    assert re.fullmatch(r"\d\d:\d\d:\d\d", table["by_sync"][5])


def test_what_a_thread_writes_between_cells_is_no_cell_s(notebook: Notebook) -> None:
    notebook.run(SETUP)
    cell = notebook.run(
        "between = 1; go = threading.Event()\n"
        "def write():\n    global between\n    go.wait(); between = 2; print('written')\n"
        "threading.Thread(target=write).start()\n"
        "asyncio.get_event_loop().call_later(.1, go.set); None"
    )
    cell.wait_for_text("written")
    assert show(notebook, "between")["between"][2:5] in (
        ["2", f"after In [{cell.count}]", ""],
        ["2", *place(cell.count, "sync")],  # on a slow machine the cell was not yet over
    )


def test_a_coroutine_that_the_kernel_put_off_is_the_cell_s(notebook: Notebook) -> None:
    cell = notebook.run("async def later(): ...\nput_off = later()")
    assert show(notebook, "put_off")["put_off"][3:5] == place(cell.count, "sync")


def test_the_kernel_s_names_are_shown_only_if_asked_for(notebook: Notebook) -> None:
    notebook.run("mine = 1; _private = 2")
    table = show(notebook)
    assert "mine" in table
    assert not table.keys() & {"In", "Out", "_", "_private", "_exit_code", "get_ipython", "exit", "open"}
    table = show(notebook, "--all")
    assert table.keys() >= {"mine", "_private", "In", "_exit_code", "get_ipython"}
    assert show(notebook, "_pri*").keys() == {"_private"}
    assert list(table).index("_private") < list(table).index("In")


@pytest.mark.parametrize("arguments", ["--nonsense", "--stop x", "--stop --live"])
def test_wrong_options_are_an_error_that_says_so(arguments: str, notebook: Notebook) -> None:
    assert "UsageError" in notebook.run(f"%namespace {arguments}").text


def test_of_many_names_the_newest_are_shown_and_the_rest_is_counted(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("globals().update({f'x{number}': number for number in range(10_000)})")
    cell = fresh_notebook.run("%namespace")
    assert len(rows_by_name(cell)) == 1000
    assert "10,000 names; the 1,000 newest are shown, 9,000 more are not" in cell.text


# Live


def test_a_live_table_shows_what_a_thread_writes_while_a_cell_blocks(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(SETUP)
    live = fresh_notebook.run("%namespace --live")
    display_id = live.outputs[0][1]["transient"]["display_id"]
    blocking = fresh_notebook.submit(
        "counts = []\n"
        "def write():\n"
        "    for number in range(10**9):\n"
        "        counts.append(number); globals()['from_thread'] = number; time.sleep(.01)\n"
        "threading.Thread(target=write, daemon=True).start()\n"
        "time.sleep(600)"
    )
    live.wait_for(lambda cell: "from_thread" in rows_by_name(cell), "a table with the thread's name")
    first = rows_by_name(live)
    assert first["from_thread"][3:] == [f"In [{live.count + 1}]", "sync", "running"]
    live.wait_for(lambda cell: rows_by_name(cell)["counts"][1] > first["counts"][1], "a longer list")
    assert not blocking.done
    assert {content["transient"]["display_id"] for _, content in live.outputs} == {display_id}
    assert [kind for kind, _ in blocking.outputs] == []
    fresh_notebook.interrupt("SIGINT")
    blocking.wait()
    assert blocking.error == ("KeyboardInterrupt", "")
    assert rows_by_name(live)["from_thread"][5] != "running"


def test_a_live_table_follows_cells_and_is_sent_only_if_it_changed(fresh_notebook: Notebook) -> None:
    live = fresh_notebook.run("%namespace --live x*")
    assert "No name matches" in live.text
    writing = fresh_notebook.run("x1 = 1")
    assert rows_by_name(live)["x1"][2:5] == ["1", f"In [{writing.count}]", "sync"]
    fresh_notebook.run("import asyncio\nawait asyncio.sleep(0); x2 = [1]")
    assert list(rows_by_name(live)) == ["x2", "x1"]
    sent = updates(live)
    fresh_notebook.run("other = 1")
    fresh_notebook.run("pass", silent=True)
    assert updates(live) == sent
    fresh_notebook.run("x2.append(3)")
    assert rows_by_name(live)["x2"][1] == "2"
    fresh_notebook.run("from IPython.display import clear_output; clear_output()")
    fresh_notebook.run("%%capture\nx3 = 1")
    assert "x3" in rows_by_name(live), "neither another cell's capture nor a cleared output ends it"


def test_stop_ends_the_live_tables(fresh_notebook: Notebook) -> None:
    tables = [fresh_notebook.run("%namespace --live"), fresh_notebook.run("%namespace --live y*")]
    assert all("the kernel that began on " in table.displays[-1]["text/plain"] for table in tables)
    fresh_notebook.run("%namespace --stop")
    assert all("no longer live" in table.displays[-1]["text/plain"] for table in tables)
    sent = [updates(table) for table in tables]
    fresh_notebook.run(
        "y = 1\nimport threading\n"
        "for thread in threading.enumerate():\n"
        "    if thread.name == 'Live namespace': thread.join(30)"
    )
    left = fresh_notebook.run("[t for t in threading.enumerate() if t.name == 'Live namespace']")
    assert left.result == "[]", "nothing looks any more"
    assert [updates(table) for table in tables] == sent
    assert "No table of %namespace is live" in fresh_notebook.run("%namespace --stop").text
    again = fresh_notebook.run("%namespace --live")
    fresh_notebook.run("z = 1")
    assert "z" in rows_by_name(again)


def test_a_cell_that_runs_again_has_one_live_table_or_none(fresh_notebook: Notebook) -> None:
    def run(code: str) -> Cell:
        return fresh_notebook.run(code, metadata={"cellId": "the same"})

    first = run("%namespace --live")
    second = run("%namespace --live")
    fresh_notebook.run("x = 1")
    assert "x" in rows_by_name(second) and "x" not in rows_by_name(first)
    run("'edited'")
    fresh_notebook.run("y = 1")
    assert "y" not in rows_by_name(second)


@pytest.mark.parametrize("how", ["exit()", "a shutdown request"])
def test_a_live_table_ends_with_the_kernel(how: str, fresh_notebook: Notebook) -> None:
    fresh_notebook.run("%namespace --live")
    if how == "exit()":
        fresh_notebook.submit("x = 1; exit()")
    else:
        fresh_notebook.submit("x = 1")
        fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert fresh_notebook.wait_exit() == 0
    assert "Traceback" not in fresh_notebook.log
