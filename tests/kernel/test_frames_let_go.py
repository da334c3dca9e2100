"""Whoever looks at what runs keeps nothing of it: objects end as in plain Python, without a collection."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

PRELUDE = """\
import asyncio, anyio, gc, inspect, weakref
gc.disable()
class Big: pass
async def look(look):
    big = Big(); references.append(weakref.ref(big))
    look(asyncio.current_task())
references = []"""

LOOKS = {
    "its frames": "asyncio.Task.get_stack",
    "its text": "repr",
    "its printed stack": "asyncio.Task.print_stack",
    "its frame": "lambda task: task.get_coro().cr_frame.f_lineno",
    "its state": "lambda task: inspect.getcoroutinestate(task.get_coro())",
    "anyio": "lambda task: anyio.get_current_task().has_pending_cancellation()",
    "%ps": "lambda task: get_ipython().run_line_magic('ps', '')",
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_look_at_the_cells_task_keeps_nothing(look: str, notebook: Notebook) -> None:
    assert notebook.run(PRELUDE).status == "ok"
    cell = notebook.run(f"await look({look})")
    assert cell.status == "ok", cell.text
    ended = notebook.run("gc.enable(); [one() for one in references]")
    assert ended.result == "[None]"
