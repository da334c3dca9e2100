"""D14: notebooks that start tasks and never say `await` work as they do in ipykernel."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

BG = 'import asyncio\nasync def bg(): await asyncio.sleep(.1); print("done")\n'
CELLS = {
    "create_task": "task = asyncio.create_task(bg())",
    "ensure_future": "asyncio.ensure_future(bg())",
    "in a function": "def start(): return asyncio.create_task(bg())\nstart()",
    "loop.create_task": "loop = asyncio.get_event_loop(); loop.create_task(bg())",
}


def test_the_demo_as_written(fresh_notebook: Notebook) -> None:
    cells = [fresh_notebook.run(BG + CELLS["create_task"])]
    cells += [fresh_notebook.run(code) for name, code in CELLS.items() if name != "create_task"]
    later = fresh_notebook.run('loop.call_later(.1, print, "later")')
    for cell in cells:
        assert cell.status == "ok", cell.text
        cell.wait_for_text("done\n")
    later.wait_for_text("later\n")
    assert [cell.stdout for cell in cells] == ["done\n"] * 4


@pytest.mark.parametrize("code", CELLS.values(), ids=CELLS)
def test_a_task_started_without_await_runs_and_prints_under_its_cell(code: str, notebook: Notebook) -> None:
    notebook.run(BG)
    cell = notebook.run(code)
    assert cell.status == "ok", cell.text
    cell.wait_for_text("done\n")
    assert cell.stdout == "done\n"


def test_the_same_holds_after_nest_asyncio_was_applied(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(BG + "import nest_asyncio; nest_asyncio.apply()")
    for code in CELLS.values():
        cell = fresh_notebook.run(code)
        assert cell.status == "ok", cell.text
        cell.wait_for_text("done\n")


def test_nothing_is_said_about_a_coroutine_that_was_given_to_the_loop(notebook: Notebook) -> None:
    notebook.run(BG)
    for code in CELLS.values():
        cell = notebook.run(code).wait_for_text("done\n")
        assert "without `await`" not in cell.text


def test_nest_asyncio_hurts_nothing(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(BG + "import nest_asyncio; nest_asyncio.apply()")
    fresh_notebook.run("async def f(): return 42")
    for code in (
        "asyncio.run(f())",
        "asyncio.get_event_loop().run_until_complete(f())",
        "await f()",
        "await asyncio.sleep(0); asyncio.get_event_loop().run_until_complete(f())",
        "asyncio.run(f())",
    ):
        cell = fresh_notebook.run(code)
        assert cell.result == "42", f"{code}: {cell.text}"


def test_a_timer_s_callback_is_called_once_though_no_cell_runs(notebook: Notebook) -> None:
    cell = notebook.run("import asyncio; asyncio.get_event_loop().call_later(.1, print, 'later');")
    cell.wait_for_text("later\n")
    notebook.run("import time; time.sleep(.2)")
    assert cell.stdout == "later\n"
