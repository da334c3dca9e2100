"""`_exit_code`, `_exception`, and what `sys.exit` does."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook


def test_the_exit_code_is_zero_and_the_exception_none_at_the_start(fresh_notebook: Notebook) -> None:
    assert fresh_notebook.run("_exit_code, _exception").result == "(0, None)"


@pytest.mark.parametrize(
    ("command", "code"),
    [("!false", 1), ("!true", 0), ("!exit 7", 7), ("x = !exit 5", 5), ("%%bash --no-raise-error\nexit 4", 4)],
)
def test_the_exit_code_is_the_last_command_s(command: str, code: int, notebook: Notebook) -> None:
    assert notebook.run(command).status == "ok"
    assert notebook.run("_exit_code").result == str(code)


def test_a_command_in_an_awaiting_cell_sets_it_too(notebook: Notebook) -> None:
    notebook.run("import asyncio; await asyncio.sleep(0)\n!exit 6")
    assert notebook.run("_exit_code").result == "6"


@pytest.mark.parametrize(
    "waiting", ["", "import asyncio; await asyncio.sleep(0)\n"], ids=["plain", "awaiting"]
)
def test_sys_exit_ends_the_cell_with_one_line_and_the_kernel_lives(waiting: str, notebook: Notebook) -> None:
    before = notebook.submit("input()", allow_stdin=True)  # holds the queue until both have arrived
    cell = notebook.submit(waiting + "import sys; sys.exit(3)\nprint('not reached')")
    queued = notebook.submit("'queued'")
    before.wait_for_input_request()
    notebook.answer("go")
    cell.wait()
    assert "exited with 3" in cell.text
    assert "not reached" not in cell.text
    assert queued.wait().status == "aborted"
    read = notebook.run("_exit_code, type(_exception).__name__, _exception.code")
    assert read.result == "(3, 'SystemExit', 3)"
    assert notebook.alive


def test_exit_shuts_the_kernel_down_cleanly(fresh_notebook: Notebook) -> None:
    cell = fresh_notebook.submit("exit()")
    fresh_notebook.pump(lambda: bool(cell.replies), "the reply")
    assert cell.status == "ok"
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert fresh_notebook.wait_exit(30) == 0
