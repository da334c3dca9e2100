"""Playwright: its sync API in plain cells, its async API in awaiting cells, and both at once."""

from __future__ import annotations

import sys

import pytest

from tests.kernel.client import INTERRUPTS, Notebook
from tests.libraries.steps import ok, result

PAGE = """\
<title>forty</title>
<button onclick="document.title += '-two'; console.log('clicked')">Count</button>
"""
DEFINITIONS = "import asyncio\nasync def f():\n    await asyncio.sleep(.01)\n    return 42"


def open_sync(notebook: Notebook, chromium: str) -> None:
    ok(notebook, DEFINITIONS)
    ok(
        notebook,
        f"""\
from playwright.sync_api import sync_playwright
playwright = sync_playwright().start()
browser = playwright.chromium.launch(
    executable_path={chromium!r},
    args=["--no-sandbox"],
    handle_sigint=False,  # Stop reaches the whole process group, and by default Playwright closes the browser
)
page = browser.new_page()
page.set_content({PAGE!r})""",
    )


def open_async(notebook: Notebook, chromium: str) -> None:
    ok(notebook, DEFINITIONS)
    ok(
        notebook,
        "from playwright.async_api import async_playwright\naplaywright = await async_playwright().start()",
    )
    ok(
        notebook,
        f"abrowser = await aplaywright.chromium.launch(executable_path={chromium!r}, args=['--no-sandbox'])",
    )
    ok(notebook, f"apage = await abrowser.new_page()\nawait apage.set_content({PAGE!r})")


def test_a_page_of_the_sync_api_is_used_over_many_cells(chromium: str, fresh_notebook: Notebook) -> None:
    open_sync(fresh_notebook, chromium)
    assert result(fresh_notebook, "page.title()") == "'forty'"
    ok(fresh_notebook, "page.on('console', lambda message: print('page:', message.text))")
    clicked = ok(
        fresh_notebook,
        "with page.expect_console_message() as info: page.get_by_role('button').click()\ninfo.value.text",
    )
    assert clicked.result == "'clicked'"
    assert clicked.stdout == "page: clicked\n"
    assert result(fresh_notebook, "page.screenshot()[:4]") == r"b'\x89PNG'"
    ok(fresh_notebook, "browser.close()\nplaywright.stop()")
    assert result(fresh_notebook, "asyncio.run(f())") == "42"


def test_the_sync_api_is_opened_and_closed_within_a_cell_again_and_again(
    chromium: str, notebook: Notebook
) -> None:
    ok(notebook, DEFINITIONS + "\nfrom playwright.sync_api import sync_playwright")
    for _ in range(2):
        cell = ok(
            notebook,
            f"""\
with sync_playwright() as p:
    browser = p.chromium.launch(executable_path={chromium!r}, args=["--no-sandbox"])
    page = browser.new_page()
    page.set_content({PAGE!r})
    print(page.title())""",
        )
        assert cell.stdout == "forty\n"
        assert result(notebook, "await f()") == "42"
        assert result(notebook, "asyncio.run(f())") == "42"


def test_a_page_of_the_async_api_is_used_over_many_cells_also_past_plain_ones(
    chromium: str, fresh_notebook: Notebook
) -> None:
    open_async(fresh_notebook, chromium)
    # It sends, and Playwright expects the answer on the thread that sends.
    ok(fresh_notebook, "%%async\napage.on('console', lambda message: print('page:', message.text))")
    assert result(fresh_notebook, "import time; time.sleep(.05)\nasyncio.run(f())") == "42"
    clicked = ok(
        fresh_notebook,
        "async with apage.expect_console_message() as info:\n"
        "    await apage.get_by_role('button').click()\n"
        "(await info.value).text",
    )
    assert clicked.result == "'clicked'"
    assert result(fresh_notebook, "await apage.title()") == "'forty-two'"
    ok(fresh_notebook, "await abrowser.close()\nawait aplaywright.stop()")
    assert result(fresh_notebook, "await f(), asyncio.get_event_loop().is_running()") == "(42, True)"


def test_a_task_works_on_a_page_while_a_plain_cell_blocks(chromium: str, fresh_notebook: Notebook) -> None:
    open_async(fresh_notebook, chromium)
    ok(
        fresh_notebook,
        """\
import threading
clicked = threading.Event()
async def click():
    await apage.get_by_role("button").click()
    clicked.set()
task = asyncio.create_task(click())""",
    )
    assert result(fresh_notebook, "clicked.wait(20)") == "True"
    assert result(fresh_notebook, "await task\nawait apage.title()") == "'forty-two'"
    ok(fresh_notebook, "await abrowser.close()\nawait aplaywright.stop()")


def test_both_apis_are_open_at_once_and_used_in_turn(chromium: str, fresh_notebook: Notebook) -> None:
    open_sync(fresh_notebook, chromium)
    assert result(fresh_notebook, "await f()") == "42"
    open_async(fresh_notebook, chromium)
    for _ in range(2):
        assert result(fresh_notebook, "page.title()") == "'forty'"
        assert result(fresh_notebook, "await apage.title()") == "'forty'"
    ok(fresh_notebook, "browser.close()\nplaywright.stop()")
    assert result(fresh_notebook, "await apage.title(), await f()") == "('forty', 42)"
    ok(fresh_notebook, "await abrowser.close()\nawait aplaywright.stop()")
    assert result(fresh_notebook, "asyncio.run(f())") == "42"


def test_asyncio_run_works_in_a_plain_cell_while_the_sync_api_is_open(
    chromium: str, fresh_notebook: Notebook
) -> None:
    open_sync(fresh_notebook, chromium)
    assert result(fresh_notebook, "asyncio.run(f())") == "42"
    assert result(fresh_notebook, "page.title()") == "'forty'"
    assert result(fresh_notebook, "with asyncio.Runner() as r: answer = r.run(f())\nanswer") == "42"
    with_event = (
        "with page.expect_console_message() as info: page.get_by_role('button').click()\ninfo.value.text"
    )
    assert result(fresh_notebook, with_event) == "'clicked'"
    ok(fresh_notebook, "browser.close()\nplaywright.stop()")


@pytest.mark.skipif(
    sys.version_info >= (3, 14),
    reason="Python steps a task only in its thread's running loop: in `asyncio.run`, too, Playwright hangs",
)
def test_the_sync_api_used_in_an_awaiting_cell_harms_no_later_cell(
    chromium: str, fresh_notebook: Notebook
) -> None:
    open_sync(fresh_notebook, chromium)
    fresh_notebook.run("title = page.title(); await asyncio.sleep(.01)")
    assert result(fresh_notebook, "await f()") == "42"
    assert result(fresh_notebook, "page.title()") == "'forty'"
    ok(fresh_notebook, "browser.close()\nplaywright.stop()")
    assert result(fresh_notebook, "asyncio.run(f())") == "42"


def test_browsers_that_were_left_open_do_not_keep_the_kernel_from_ending(
    chromium: str, fresh_notebook: Notebook
) -> None:
    open_sync(fresh_notebook, chromium)
    open_async(fresh_notebook, chromium)
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert fresh_notebook.wait_exit(10) == 0


# A line that the page logs while the wait goes on tells that it has begun. It is not flushed where it is
# printed: an interrupt while Playwright handles a message closes its connection, as in any program.
WAITS = {
    "for a time": "page.wait_for_timeout(60_000)",
    "for an element": "page.wait_for_selector('#never', timeout=60_000)",
    "for an event": "with page.expect_popup(timeout=60_000): page.title()",
}


@pytest.mark.parametrize("how", INTERRUPTS)
@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_stop_ends_a_wait_of_the_sync_api_and_the_page_lives_on(
    wait: str, how: str, chromium: str, fresh_notebook: Notebook
) -> None:
    notebook = fresh_notebook
    open_sync(notebook, chromium)
    ok(notebook, "page.on('console', lambda message: print('page:', message.text))")
    for _ in range(2):
        begin = "page.evaluate(\"setTimeout(() => console.log('waits'), 100)\")"
        cell = notebook.submit(f"{begin}\n{wait}").wait_for_text("page: waits")
        notebook.interrupt(how)
        assert cell.wait().error == ("KeyboardInterrupt", "")
        assert result(notebook, "page.title()") == "'forty'"
        assert result(notebook, "await f()") == "42"
    ok(notebook, "browser.close()\nplaywright.stop()")
    open_sync(notebook, chromium)
    assert result(notebook, "page.title()") == "'forty'"
    ok(notebook, "browser.close()\nplaywright.stop()")


@pytest.mark.parametrize("how", INTERRUPTS)
def test_where_stop_closes_the_browser_another_can_be_opened(
    how: str, chromium: str, fresh_notebook: Notebook
) -> None:
    """Playwright's own handling of SIGINT, which is on unless one switches it off, ends its process, too."""
    notebook = fresh_notebook
    start = f"""\
from playwright.sync_api import sync_playwright
playwright = sync_playwright().start()
browser = playwright.chromium.launch(executable_path={chromium!r}, args=["--no-sandbox"])
page = browser.new_page()
page.set_content({PAGE!r})
page.on('console', lambda message: print('page:', message.text))"""
    ok(notebook, DEFINITIONS)
    ok(notebook, start)
    begin = "page.evaluate(\"setTimeout(() => console.log('waits'), 100)\")"
    cell = notebook.submit(f"{begin}\npage.wait_for_timeout(60_000)").wait_for_text("page: waits")
    notebook.interrupt(how)
    assert cell.wait().error == ("KeyboardInterrupt", "")
    assert result(notebook, "await f()") == "42"
    ok(notebook, "playwright.stop()")
    ok(notebook, start)
    assert result(notebook, "page.title()") == "'forty'"
    ok(notebook, "browser.close()\nplaywright.stop()")
    assert result(notebook, "asyncio.run(f())") == "42"
