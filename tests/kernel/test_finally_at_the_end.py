"""Jupyter's servers send a Stop, and then ask for the end: a cell's `finally` is not hit by both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook
from tests.kernel.side_by_side import in_background

READY = "print('rea' 'dy', flush=True)"  # in the `try`: a Stop before it is none that a `finally` sees
NOTE = "open('note.txt', 'w').write('whole')"
CELLS = {
    "plain": "try: {0}; time.sleep(600)\nfinally: time.sleep(.3); {1}",
    "plain and busy": "try:\n    {0}\n    for i in range(10 ** 12): i * i\nfinally: time.sleep(.3); {1}",
    "awaiting": "try: {0}; await asyncio.sleep(600)\nfinally: await asyncio.sleep(.3); {1}",
    "asyncio.run": (
        "async def main():\n    try: {0}; await asyncio.sleep(600)\n"
        "    finally: await asyncio.sleep(.3); {1}\nasyncio.run(main())"
    ),
    "a context": (
        "@contextlib.asynccontextmanager\nasync def session():\n    try: yield 1\n"
        "    finally: await asyncio.sleep(.3); {1}\n"
        "async with session(): {0}; await asyncio.Event().wait()"
    ),
    "background": "try: {0}; await asyncio.sleep(600)\nfinally: await asyncio.sleep(.3); {1}",
}


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("way", ["shutdown", "restart"])
def test_it_runs_to_its_end(kind: str, way: str, fresh_notebook: Notebook) -> None:
    notebook = fresh_notebook
    notebook.run("import asyncio, contextlib, time\nkernel = get_ipython().kernel")
    # A loaded machine does little in half a second, and in four.
    notebook.run("kernel.tasks_time = kernel.shutdown_time = 60")
    notebook.manager.shutdown_wait_time = 120
    code = CELLS[kind].format(READY, NOTE)
    cell: Cell = in_background(notebook, code) if kind == "background" else notebook.submit(code)
    cell.wait_for(lambda one: "ready" in one.stdout, "its beginning")
    if way == "shutdown":
        notebook.manager.shutdown_kernel()
    else:
        notebook.manager.restart_kernel()
    note: Path = notebook.log_path.parent / "note.txt"
    assert note.read_text() == "whole"


def test_a_cell_that_catches_it_again_and_again_is_ended_all_the_same(fresh_notebook: Notebook) -> None:
    notebook = fresh_notebook
    notebook.run("import time\nget_ipython().kernel.shutdown_time = 8")
    notebook.manager.shutdown_wait_time = 120
    code = (
        f"for i in range(4):\n    try: {READY}; time.sleep(600)\n    except KeyboardInterrupt: pass\n{NOTE}"
    )
    notebook.submit(code).wait_for(lambda one: "ready" in one.stdout, "its beginning")
    notebook.manager.shutdown_kernel()
    assert (notebook.log_path.parent / "note.txt").read_text() == "whole"
