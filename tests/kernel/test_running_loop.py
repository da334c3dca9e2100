"""D1: a loop that runs forbids sync wrappers. Here plain cells run where no loop runs."""

from __future__ import annotations

import itertools

import pytest

from tests.kernel.client import Notebook

DEFINITIONS = """\
import asyncio
async def f(): return 42
"""
CALLS = {
    "asyncio.run": "asyncio.run(f())",
    "run_until_complete": "asyncio.get_event_loop().run_until_complete(f())",
    "await": "await f()",
    "Runner": "with asyncio.Runner() as runner: answer = runner.run(f())\nanswer",
    "anyio": "import anyio; anyio.run(f)",
    "asgiref": "from asgiref.sync import async_to_sync; async_to_sync(f)()",
}


def test_the_demo_as_written(fresh_notebook: Notebook) -> None:
    cells = [
        DEFINITIONS + "asyncio.run(f())",
        "asyncio.get_event_loop().run_until_complete(f())",
        "await f()",
    ]
    assert [fresh_notebook.run(cell).result for cell in cells] == ["42", "42", "42"]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_each_way_to_run_a_coroutine_works_as_the_kernel_s_first_cell(
    call: str, fresh_notebook: Notebook
) -> None:
    assert fresh_notebook.run(DEFINITIONS + call).result == "42"


def test_each_way_to_run_a_coroutine_works_after_each_other_and_again(notebook: Notebook) -> None:
    notebook.run(DEFINITIONS)
    for first, second in itertools.product(CALLS, repeat=2):
        for name in (first, second):
            cell = notebook.run(CALLS[name])
            assert cell.result == "42", f"{second} after {first}: {cell.text}"


def test_no_loop_is_running_in_a_plain_cell_and_one_is_in_an_awaiting_cell(notebook: Notebook) -> None:
    code = "import asyncio, asyncio.events\nasyncio.events._get_running_loop() is not None"
    assert notebook.run(code).result == "False"
    assert notebook.run("await asyncio.sleep(0)\n" + code).result == "True"
    assert notebook.run(code).result == "False"


def test_get_running_loop_raises_in_a_plain_cell(notebook: Notebook) -> None:
    cell = notebook.run("def ask():\n    return asyncio.get_running_loop()\nimport asyncio; ask()")
    assert cell.error == ("RuntimeError", "no running event loop")


def test_playwright_s_sync_api_is_opened_in_one_cell_and_used_in_the_next(
    chromium: str, fresh_notebook: Notebook
) -> None:
    opened = fresh_notebook.run(f"""\
from playwright.sync_api import sync_playwright
playwright = sync_playwright().start()
browser = playwright.chromium.launch(executable_path={chromium!r}, args=["--no-sandbox"])
page = browser.new_page()""")
    assert opened.status == "ok", opened.text
    used = fresh_notebook.run("page.set_content('<title>forty-two</title>'); page.title()")
    assert used.result == "'forty-two'", used.text
    closed = fresh_notebook.run("browser.close(); playwright.stop()")
    assert closed.status == "ok", closed.text
    assert fresh_notebook.run(DEFINITIONS + "asyncio.run(f())").result == "42"


def test_an_awaiting_cell_runs_while_playwright_s_sync_api_is_open(
    chromium: str, fresh_notebook: Notebook
) -> None:
    fresh_notebook.run("from playwright.sync_api import sync_playwright")
    fresh_notebook.run("playwright = sync_playwright().start()")
    awaited = fresh_notebook.run(DEFINITIONS + "await f()")
    assert awaited.result == "42", awaited.text
    launched = fresh_notebook.run(
        f"browser = playwright.chromium.launch(executable_path={chromium!r}, args=['--no-sandbox'])\n"
        "browser.is_connected()"
    )
    assert launched.result == "True", launched.text
    assert fresh_notebook.run("browser.close(); playwright.stop()").status == "ok"
