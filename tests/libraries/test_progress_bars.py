"""tqdm and rich: bars and text that change while either kind of cell runs."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.libraries.steps import ok, result
from tests.libraries.widgets import Page

LOOPS = {
    "plain": "for i in tqdm(range(3), desc='steps'): time.sleep(.01)",
    "awaiting": "for i in tqdm(range(3), desc='steps'): await asyncio.sleep(.01)",
    "async for": "async for i in tqdm(numbers(), total=3, desc='steps'): pass",
    "gather": "await tqdm.gather(*[asyncio.sleep(.01) for _ in range(3)], desc='steps')",
    "as_completed": (
        "for step in tqdm.as_completed([asyncio.sleep(.01) for _ in range(3)], desc='steps'): await step"
    ),
    "asyncio.run": "asyncio.run(tqdm.gather(*[asyncio.sleep(.01) for _ in range(3)], desc='steps'))",
    "thread": "t = threading.Thread(target=count); t.start(); t.join()",
    "task": "await asyncio.create_task(acount())",
}
DEFINITIONS = """\
import asyncio, threading, time
async def numbers():
    for i in range(3):
        await asyncio.sleep(.01)
        yield i
def count():
    for i in tqdm(range(3), desc='steps'): time.sleep(.01)
async def acount():
    for i in tqdm(range(3), desc='steps'): await asyncio.sleep(.01)
"""

each_loop = pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)


@each_loop
def test_a_text_bar_of_tqdm_is_drawn_under_its_cell(loop: str, notebook: Notebook) -> None:
    ok(notebook, DEFINITIONS + "from tqdm.asyncio import tqdm")
    cell = ok(notebook, loop)
    bars = cell.stderr.split("\r")
    assert "steps:   0%" in bars[1]
    assert "steps: 100%" in bars[-1] and "3/3" in bars[-1]


@each_loop
def test_a_widget_bar_of_tqdm_is_filled_under_its_cell(loop: str, notebook: Notebook) -> None:
    ok(notebook, DEFINITIONS + "from tqdm.auto import tqdm")
    cell = ok(notebook, loop)
    shown = [d for d in cell.displays if "application/vnd.jupyter.widget-view+json" in d]
    assert len(shown) == 1, cell.text
    states = Page(notebook).states()
    box = states[shown[0]["application/vnd.jupyter.widget-view+json"]["model_id"]]
    label, bar, text = (states[child.removeprefix("IPY_MODEL_")] for child in box["children"])
    assert label["value"].startswith("steps:")
    assert (bar["value"], bar["max"], bar["bar_style"]) == (3, 3, "success")
    assert "3/3" in text["value"]
    assert cell.stderr == ""


def test_a_widget_bar_of_tqdm_moves_while_the_plain_cell_still_runs(notebook: Notebook) -> None:
    ok(notebook, "from tqdm.notebook import tqdm")
    code = "bar = tqdm(total=4)\nbar.update(1); bar.refresh()\ninput()\nbar.close()"
    cell = notebook.submit(code, allow_stdin=True)
    cell.wait_for_input_request()
    bar = Page(notebook).wait_for("FloatProgressModel", value=1, max=4)
    notebook.answer("")
    assert cell.wait().status == "ok"
    assert bar.state["bar_style"] == "danger"


def test_stop_leaves_a_bar_of_tqdm_where_it_was(notebook: Notebook) -> None:
    ok(notebook, "import asyncio, time\nfrom tqdm import tqdm")
    for nap in ("time.sleep(60)", "await asyncio.sleep(60)"):
        cell = notebook.submit(f"for i in tqdm(range(3), desc='steps'): {nap}")
        cell.wait_for_text("steps:")
        notebook.interrupt("SIGINT")
        cell.wait(10)
        assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
        assert "0/3" in cell.stderr and "1/3" not in cell.stderr
        assert ok(notebook, "print(*tqdm(range(2), desc='again'))").stdout == "0 1\n"


def test_tqdm_shows_the_progress_of_a_thread_pool(notebook: Notebook) -> None:
    ok(notebook, "from tqdm.contrib.concurrent import thread_map")
    cell = ok(notebook, "thread_map(abs, [-1, -2, -3], tqdm_class=__import__('tqdm').tqdm)")
    assert cell.result == "[1, 2, 3]"
    assert "3/3" in cell.stderr


# --- rich


def test_rich_knows_that_it_prints_into_a_notebook(notebook: Notebook) -> None:
    cell = ok(notebook, "from rich import print as rprint\nrprint('[bold]strong[/bold] words')")
    assert "font-weight: bold" in cell.displays[0]["text/html"]
    assert cell.displays[0]["text/plain"].endswith("words\n")
    assert cell.stdout == ""


@pytest.mark.parametrize("begin", ["", "import asyncio; await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_rich_draws_a_table_under_its_cell(begin: str, notebook: Notebook) -> None:
    ok(notebook, "from rich.console import Console\nfrom rich.table import Table")
    cell = ok(notebook, f"{begin}table = Table('name'); table.add_row('Ada')\nConsole().print(table)")
    assert "Ada" in cell.text
    assert "name" in cell.text


@pytest.mark.parametrize("nap", ["time.sleep(.01)", "await asyncio.sleep(.01)"], ids=["plain", "awaiting"])
def test_a_progress_bar_of_rich_reaches_its_end(nap: str, notebook: Notebook) -> None:
    ok(notebook, "import asyncio, time\nfrom rich.progress import track")
    cell = ok(notebook, f"for i in track(range(3), 'Working'): {nap}")
    assert "Working" in cell.text
    assert "100%" in cell.text


def test_a_live_display_of_rich_lets_a_cell_be_stopped_and_works_again(notebook: Notebook) -> None:
    ok(notebook, "import time\nfrom rich.console import Console\nconsole = Console()")
    cell = notebook.submit("with console.status('Working'):\n    print('begins', flush=True); time.sleep(60)")
    cell.wait_for_text("begins")
    notebook.interrupt("SIGINT")
    cell.wait(10)
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    ok(notebook, "with console.status('Working'): time.sleep(.01)")


def test_rich_draws_tracebacks_where_it_was_asked_to(fresh_notebook: Notebook) -> None:
    ok(fresh_notebook, "import asyncio\nfrom rich.traceback import install\ninstall();")
    for code in ("1 / 0", "await asyncio.sleep(0); 1 / 0"):
        cell = fresh_notebook.run(code)
        assert cell.status == "error"
        assert cell.reply["ename"] == "ZeroDivisionError"
        assert "ZeroDivisionError: division by zero" in cell.text
        assert "╭" in cell.text, cell.text
    assert result(fresh_notebook, "await asyncio.sleep(0); 42") == "42"
