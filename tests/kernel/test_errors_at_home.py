"""An error is shown when the loop has gone home: no task waits for a traceback, nobody is blamed for it."""

from __future__ import annotations

import pytest

from tests.kernel.client import INTERRUPTS, Notebook

# A traceback takes as long as the test wants: its error has a method of its own that makes it.
PRELUDE = """\
import asyncio, contextvars, threading
from IPython.display import display
%config NamespaceKernel.blocking_time = 0.05
begun, go_on, ticks, order = threading.Event(), threading.Event(), 0, []
variable = contextvars.ContextVar("variable", default="unset")
class Slow(Exception):
    def _render_traceback_(self):
        global seen
        order.append("shown"); begun.set(); seen = ticks
        try: asyncio.get_running_loop(); order.append("on a loop")
        except RuntimeError: pass
        print("rendered where the variable is", variable.get())
        if not go_on.wait(5): print("no task went on")
        return ["Slow: here it is"]
async def tick():
    global ticks
    while True:
        await asyncio.sleep(0.01); ticks += 1
        if begun.is_set() and ticks > seen + 10: go_on.set()
async def fail(error):
    await asyncio.sleep(0)
    raise error
ticking = asyncio.create_task(tick())"""

CELLS = {
    "an awaiting cell": "variable.set('set'); await fail(Slow())",
    "a line after an await": "variable.set('set'); await asyncio.sleep(0)\nraise Slow",
    "a group of lines": "variable.set('set'); await asyncio.sleep(0); 1\n2\nraise Slow",
    "an async directive": "%%async\nvariable.set('set')\nraise Slow",
    "a cell in the background": "%%background\nvariable.set('set'); await fail(Slow())",
    "a plain cell": "variable.set('set')\nraise Slow",
}


@pytest.fixture
def ticking(notebook: Notebook) -> Notebook:
    notebook.run("%tasks cancel all")  # they share the globals of those to come
    notebook.run("%reset -f")
    assert notebook.run(PRELUDE).status == "ok"
    return notebook


@pytest.mark.parametrize("code", CELLS.values(), ids=CELLS)
def test_tasks_go_on_while_an_error_is_shown(code: str, ticking: Notebook) -> None:
    cell = ticking.run(code)
    cell.wait_for_text("Slow: here it is")
    assert "no task went on" not in cell.stdout
    assert "rendered where the variable is set" in cell.stdout
    assert cell.receipt == "", "the kernel's own work is nobody's block"
    assert ticking.run("order").result == "['shown']"


def test_the_error_is_shown_before_the_hooks_and_in_the_reply(ticking: Notebook) -> None:
    ticking.run(
        "go_on.set()\ndef hook(result=None): order.append(repr(result.error_in_exec))\n"
        "get_ipython().events.register('post_run_cell', hook)"
    )
    ticking.run("order.clear()")
    cell = ticking.run("print('before'); await fail(Slow('hm')); print('after')")
    assert [kind for kind, _ in cell.outputs] == ["stream", "error"]
    assert cell.reply["traceback"] == ["Slow: here it is"] and cell.error == ("Slow", "hm")
    ticking.run("get_ipython().events.unregister('post_run_cell', hook)")
    assert ticking.run("order[1:3]").result == "['shown', \"Slow('hm')\"]"
    number = cell.count
    assert ticking.run(f"get_ipython().history_manager.exceptions[{number}]['traceback']").result == (
        "['Slow: here it is']"
    )
    assert ticking.run("_exception").result is None


def test_an_error_of_code_that_a_cell_runs_is_shown_where_it_happens(ticking: Notebook) -> None:
    ticking.run("go_on.set()")
    cell = ticking.run(
        "await asyncio.sleep(0); print('before')\n"
        "await get_ipython().run_cell_async('raise Slow', transformed_cell='raise Slow')\n"
        "print('after')\nawait fail(ValueError('mine'))"
    )
    assert "here it is" in cell.text, cell.text
    words = [cell.text.index(word) for word in ("before", "here it is", "after", "mine")]
    assert words == sorted(words)
    assert cell.error == ("ValueError", "mine")


@pytest.mark.parametrize("how", INTERRUPTS)
def test_stop_ends_the_showing_of_an_error(how: str, ticking: Notebook) -> None:
    ticking.run("%tasks cancel all")
    cell = ticking.submit("await fail(Slow())")
    cell.wait_for_text("rendered where")
    ticking.interrupt(how)
    cell.wait()
    assert cell.status == "error" and "KeyboardInterrupt" in cell.text
    assert ticking.run("await asyncio.sleep(0, 42)").result == "42"


def test_a_long_traceback_is_no_ones_block(ticking: Notebook) -> None:
    cell = ticking.run(
        "async def deep(n, *args): await asyncio.sleep(0) if n == 0 else await deep(n - 1, *args); 1 / 0\n"
        "%xmode Verbose\nawait deep(200, *map(str, range(20)))"
    )
    assert cell.error == ("ZeroDivisionError", "division by zero")
    assert cell.receipt == ""
    ticking.run("%xmode Context")
