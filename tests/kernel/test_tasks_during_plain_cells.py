"""D5: tasks go on while a plain cell blocks."""

from __future__ import annotations

from tests.kernel.client import Notebook

TICKING = """\
import asyncio, time
ticks = []
async def tick():
    while True: ticks.append(1); await asyncio.sleep(.05)
t = asyncio.create_task(tick()); await asyncio.sleep(0)
"""


def test_a_task_ticks_while_a_plain_cell_sleeps(notebook: Notebook) -> None:
    assert notebook.run(TICKING).status == "ok"
    grown = notebook.run("k = len(ticks); time.sleep(1); len(ticks) - k")
    assert grown.result is not None
    assert 10 <= int(grown.result) <= 21, "about 20"


def test_a_task_ticks_while_a_plain_cell_computes(notebook: Notebook) -> None:
    notebook.run(TICKING)
    code = "k = len(ticks); end = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nlen(ticks) - k"
    grown = notebook.run(code)
    assert grown.result is not None
    assert int(grown.result) >= 5


def test_a_task_ticks_between_cells_and_during_an_awaiting_cell(notebook: Notebook) -> None:
    notebook.run(TICKING)
    while int(notebook.run("len(ticks)").result or 0) < 5:
        notebook.take_in(0.05)
    assert int(notebook.run("k = len(ticks); await asyncio.sleep(.5); len(ticks) - k").result or 0) >= 5


def test_what_a_task_prints_during_a_plain_cell_stands_under_the_cell_that_started_it(
    notebook: Notebook,
) -> None:
    notebook.run("import asyncio, threading, time")
    started = notebook.run("""\
said = threading.Event()
async def say():
    await asyncio.sleep(.1); print("from the task"); said.set()
t = asyncio.create_task(say())""")
    other = notebook.run("print('waiting'); said.wait(30)")
    assert other.result == "True"
    started.wait_for_text("from the task")
    assert other.stdout == "waiting\n"
