"""Warnings appear once, where Python and ipykernel show them once, and filters are the user's alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.kernel.client import Notebook

LIBRARY = """\
import pathlib, sys
pathlib.Path("library_that_warns.py").write_text('''
import warnings
def user(): warnings.warn("careful", UserWarning)
def runtime(): warnings.warn("careful", RuntimeWarning)
async def awaited(): warnings.warn("careful", UserWarning)
''')
sys.path.insert(0, "")
import asyncio, warnings, library_that_warns as library"""

CALLS = {
    "an awaiting cell": "await asyncio.sleep(0); library.user()",
    "a coroutine": "await library.awaited()",
    "the word alone": "library.runtime()  # await",
    "a task": "asyncio.create_task(asyncio.sleep(0)); library.user()",
    "a function's body": "async def f(): await asyncio.sleep(0)\nlibrary.user()",
    "what is not awaited": "asyncio.sleep(0); library.runtime()",
    "an engine name": "_ = 5; library.user()",
    "a magic that awaits": "%time await asyncio.sleep(0)\nlibrary.user()",
    "a cell elsewhere": "%%isolated\nimport library_that_warns as library\nlibrary.user()",
}


@pytest.mark.parametrize("code", CALLS.values(), ids=CALLS)
def test_a_librarys_warning_appears_once(code: str, fresh_notebook: Notebook) -> None:
    assert fresh_notebook.run(LIBRARY).status == "ok"
    said = [fresh_notebook.run(code) for _ in range(3)]
    assert [cell.status for cell in said] == ["ok"] * 3, said[0].text
    assert [cell.stderr.count("careful\n") for cell in said] == [1, 0, 0], [cell.stderr for cell in said]


SOURCES = {
    "a comparison": "1 is 1",
    "an awaiting cell": "import asyncio\nawait asyncio.sleep(0)\n1 is 1",
    "an assertion": "async def f(): assert (1, 'x')",
    "a call": "import asyncio\nt = asyncio.create_task(asyncio.sleep(0)); f = lambda: 'x'()",
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_warning_about_the_cells_code_appears_once(source: str, notebook: Notebook) -> None:
    cell = notebook.run(source)
    assert cell.stderr.count("SyntaxWarning") == 1, cell.stderr
    assert "looked at" not in cell.stderr


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there it is a DeprecationWarning, which nobody sees")
def test_an_escape_that_means_nothing_is_told_once(notebook: Notebook) -> None:
    cell = notebook.run("import asyncio\nawait asyncio.sleep(0)\n'\\d'")
    assert cell.stderr.count("SyntaxWarning") == 1


def test_filters_are_the_users(notebook: Notebook) -> None:
    assert notebook.run(LIBRARY).status == "ok"
    notebook.run(
        "changes = []; module = warnings; mutated = warnings._filters_mutated\n"
        "def count(): changes.append(sys._getframe(1).f_code.co_filename); mutated()\n"
        "warnings._filters_mutated = count\n"
        "before, kept = warnings.filters, list(warnings.filters)"
    )
    for code in CALLS.values():
        notebook.run(code)
    notebook.run("await asyncio.sleep(0)\n1 / 0")
    cell = notebook.run("changes, warnings.filters is before, warnings.filters == kept")
    assert cell.result == "([], True, True)"
    notebook.run("warnings._filters_mutated = mutated")


WARNS_OF_NOTHING = {
    "a loop in a plain cell": """\
import asyncio, threading, concurrent.futures
async def f(): return 5
loop = asyncio.get_event_loop()
(loop.run_until_complete(asyncio.gather(f(), f())), asyncio.run(f()), asyncio.get_event_loop() is loop)""",
    "the loop itself": "import asyncio\nawait asyncio.gather(asyncio.sleep(0), asyncio.to_thread(int))",
    "annotations": "x: int = 5\nx",
    "a thread": "import threading\n(t := threading.Thread(target=int)).start(); t.join()",
    "a pool": "import concurrent.futures as f\nwith f.ThreadPoolExecutor() as p: p.submit(int).result()",
    "a cell in the background": "%%background\nimport asyncio\nasyncio.run(asyncio.sleep(0))",
    "a cell elsewhere": "%%isolated\nimport asyncio\nasyncio.run(asyncio.sleep(0))",
    "an error": "1 / 0",
    "magics": "%ps\n%namespace\n%coroutines",
}


def test_nothing_of_ours_warns_where_warnings_are_errors(tmp_path: Path, kernel_env: dict[str, str]) -> None:
    notebook = Notebook(tmp_path, {**kernel_env, "PYTHONWARNINGS": "error"})
    for what, code in WARNS_OF_NOTHING.items():
        cell = notebook.run(code)
        assert cell.status == ("error" if what == "an error" else "ok"), (what, cell.text)
        assert "Warning" not in cell.text, (what, cell.text)
    notebook.close()
    assert "Warning" not in notebook.log
