"""jedi, and what tracebacks need, is loaded while nothing runs, so that the first of each need not wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.client import Notebook
from tests.kernel.test_overlapping_completions import SLOW_IMPORT, finds, matches
from tests.kernel.test_while_busy import asked

#: A thread that says when jedi's import begins, and when it is over, under the first cell.
TELL = """
def tell():
    entered.wait(); print("begins")
    while "jedi.api.completion" not in sys.modules or not gate.is_set(): gate.wait(0.01)
    print("is there")
threading.Thread(target=tell, daemon=True).start()"""

FIRST = SLOW_IMPORT.format(name="jedi.api") + TELL


def test_it_is_loaded_when_the_kernel_is_idle_after_its_first_cell(fresh_notebook: Notebook) -> None:
    first = fresh_notebook.run(FIRST + "\ngate.set()", allow_stdin=True)
    first.wait_for_text("begins").wait_for_text("is there")
    assert finds(matches(fresh_notebook, "pri"), "print")


def test_what_a_traceback_needs_is_there_before_the_first_one(fresh_notebook: Notebook) -> None:
    code = "import sys, threading, time\ndef tell():\n"
    code += "    while 'pygments.styles' not in sys.modules: time.sleep(0.01)\n"
    code += "    print('stack_data' in sys.modules)\nthreading.Thread(target=tell, daemon=True).start()"
    fresh_notebook.run(code, allow_stdin=True).wait_for_text("True")


@pytest.mark.parametrize("name", ["parso.python.tree", "jedi.api", "jedi.api.completion"])
def test_a_cell_and_a_completion_overtake_it(name: str, fresh_notebook: Notebook) -> None:
    first = fresh_notebook.run(SLOW_IMPORT.format(name=name) + TELL, allow_stdin=True)
    first.wait_for_text("begins")
    assert fresh_notebook.run("quick_name").result == "1"
    assert fresh_notebook.run("import asyncio; await asyncio.sleep(0, quick_name)").result == "1"
    assert finds(matches(fresh_notebook, "quick_n"), "quick_name"), "without jedi"
    fresh_notebook.run("gate.set()")
    assert finds(matches(fresh_notebook, "thing.attri"), "attribute_one")
    assert finds(matches(fresh_notebook, "pri"), "print")


@pytest.mark.parametrize(
    "code", ["entered.wait(2)", "import asyncio; await asyncio.to_thread(entered.wait, 2)"]
)
def test_it_waits_for_the_cell_that_runs(code: str, fresh_notebook: Notebook) -> None:
    first = fresh_notebook.submit(FIRST + "\ngate.set()", allow_stdin=True)
    second = fresh_notebook.submit(code, allow_stdin=True)  # so that there is no pause between them
    assert second.wait().result == "False"
    first.wait().wait_for_text("begins")


def test_a_completion_that_comes_first_loads_it_alone(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(FIRST, allow_stdin=True)
    asks = fresh_notebook.request("complete_request", asked("pri"))
    assert fresh_notebook.run("entered.wait(30)").result == "True"
    fresh_notebook.run("gate.set()")
    assert finds(asks.wait().reply["matches"], "print")
    assert finds(matches(fresh_notebook, "thing.attri"), "attribute_one")


def test_a_program_that_runs_a_notebook_gets_none(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(FIRST)
    assert fresh_notebook.run("entered.wait(1.5)").result == "False"


def test_the_users_cache_folder_need_not_be_of_use(tmp_path: Path, kernel_env: dict[str, str]) -> None:
    (tmp_path / "cache").write_text("not a folder")
    notebook = Notebook(tmp_path, {**kernel_env, "XDG_CACHE_HOME": str(tmp_path / "cache")})
    try:
        cell = notebook.run("pass", allow_stdin=True)
        assert finds(matches(notebook, "import os; os.pat"), "path")
        assert cell.stderr == notebook.run("pass").stderr == ""
    finally:
        notebook.close()
