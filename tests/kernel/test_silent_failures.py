"""D10: what goes wrong unseen elsewhere is said under the cell that caused it."""

from __future__ import annotations

from tests.kernel.client import Notebook

OPEN = """\
import gc, inspect
[c for c in gc.get_objects() if inspect.iscoroutine(c) and c.__name__ == "g"
    and inspect.getcoroutinestate(c) != inspect.CORO_CLOSED]"""


def test_a_task_s_exception_is_shown_under_the_cell_that_started_it(notebook: Notebook) -> None:
    notebook.run("import asyncio")
    cell = notebook.run("""\
async def boom(): raise ValueError("lost")
t = asyncio.create_task(boom()); await asyncio.sleep(0)""")
    cell.wait_for_text("ValueError")
    cell.wait_for_text("lost")
    assert 'raise ValueError("lost")' in cell.text
    assert cell.status == "ok", "the cell itself did not fail"


def test_a_task_that_fails_during_a_later_cell_is_shown_under_its_own(notebook: Notebook) -> None:
    notebook.run("import asyncio, threading")
    started = notebook.run("""\
go = asyncio.Event(); went = threading.Event()
async def boom():
    await go.wait(); went.set(); raise ValueError("late")
t = asyncio.create_task(boom())""")
    later = notebook.run("go.set(); await asyncio.sleep(.2); went.is_set()")
    assert later.result == "True"
    started.wait_for_text("ValueError: late")
    assert "late" not in later.text


def test_a_task_s_exception_that_a_later_cell_awaits_is_raised_there(notebook: Notebook) -> None:
    notebook.run("""\
import asyncio
async def boom(): await asyncio.sleep(0); raise ValueError("awaited")
t = asyncio.create_task(boom())""")
    assert notebook.run("await t").error == ("ValueError", "awaited")


def test_a_forgotten_await_is_told_in_one_line_with_name_cell_line_and_remedy(notebook: Notebook) -> None:
    cell = notebook.run("async def g(): ...\ng();")
    assert cell.status == "ok"
    cell.wait_for_text("did not run")
    lines = [line for line in cell.text.splitlines() if "did not run" in line]
    assert len(lines) == 1
    for part in ("line 2", "`g()` was called without `await`", "Use `await g()`"):
        assert part in lines[0]
    assert "RuntimeWarning" not in cell.text, "said once"


def test_a_forgotten_await_as_the_last_expression_is_told_as_well(notebook: Notebook) -> None:
    cell = notebook.run("async def g(): ...\ng()")
    cell.wait_for_text("`g()` was called without `await`")
    assert "Use `await g()`" in cell.text
    assert notebook.run(OPEN).result == "[]"


def test_a_list_of_coroutines_is_closed_and_can_be_awaited_in_the_next_cell(notebook: Notebook) -> None:
    notebook.run("import asyncio\nasync def g(): ...")
    made = notebook.run("tasks = [g() for _ in range(3)]")
    assert made.status == "ok"
    assert notebook.run(OPEN).result == "[]"
    gathered = notebook.run("await asyncio.gather(*tasks)")
    assert gathered.result == "[None, None, None]", gathered.text
    assert "without `await`" not in gathered.text


def test_the_demo_s_cells_in_their_order(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import asyncio")
    first, second, third, fourth = (
        fresh_notebook.run(code)
        for code in (
            'async def boom(): raise ValueError("lost")\n'
            "t = asyncio.create_task(boom()); await asyncio.sleep(0)",
            "async def g(): ...\ng();",
            "tasks = [g() for _ in range(3)]",
            "await asyncio.gather(*tasks)",
        )
    )
    first.wait_for_text("ValueError: lost")
    second.wait_for_text("`g()` was called without `await`")
    assert third.status == "ok"
    assert fourth.result == "[None, None, None]"
