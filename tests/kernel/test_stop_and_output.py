"""Stop at any instant: messages stay whole and in order; neither the history nor the user loop locks up."""

from __future__ import annotations

import os
import random
import re
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook

ROUNDS = 500
#: What a cell does that prints and then fails, by the thread and loop that it involves.
KINDS = {
    "plain": "for n in range(6): print('line', n, {number})\ndisplay({number})\n1 / 0",
    "awaiting": "for n in range(6): print('line', n, {number}); await asyncio.sleep(0)\n"
    "display({number})\n1 / 0",
    "waiting for the loop": "for n in range(6): print('line', n, loop.run_until_complete(later({number})))\n"
    "display({number})\n1 / 0",
}

#: IPython says so if a Stop ends one of the callbacks that it calls before and after each cell, or the making
#: of a traceback.
_SAID_BY_IPYTHON = re.compile(
    r"Error in callback .*?kwargs {}:\n?|Unexpected exception formatting exception\. [^\n]*\n?", re.DOTALL
)


def count_of(cell: Cell) -> int:
    inputs = [m["content"] for m in cell.messages if m["msg_type"] == "execute_input"]
    assert len(inputs) == 1
    return int(inputs[0]["execution_count"])


def expect_whole(cell: Cell, number: int) -> None:
    """All that came belongs to the cell, in order, and nothing is missing from the middle."""
    assert cell.states == ["busy", "idle"], cell.messages
    assert cell.messages[-1]["msg_type"] == "status"
    assert len(cell.replies) == 1
    expected = "".join(f"line {n} {number}\n" for n in range(6))
    lines = _SAID_BY_IPYTHON.sub("", cell.stdout)
    assert expected.startswith(lines), cell.stdout
    assert cell.status == "error"
    assert cell.reply["ename"] in ("ZeroDivisionError", "KeyboardInterrupt"), cell.text
    errors = [content for kind, content in cell.outputs if kind == "error"]
    assert len(errors) <= 5, "a Stop may come while the error is being shown, and another while that is"
    if cell.reply["ename"] == "ZeroDivisionError":
        assert lines == expected
        assert [data["text/plain"] for data in cell.displays] == [str(number)]
        # A Stop may also end the making of the traceback.
        assert errors or "KeyboardInterrupt" in cell.stderr
    count_of(cell)


@pytest.mark.parametrize("kind", KINDS)
def test_a_storm_of_stops_garbles_loses_and_locks_nothing(kind: str, fresh_notebook: Notebook) -> None:
    notebook = fresh_notebook
    notebook.run("import asyncio; loop = asyncio.get_event_loop()\nasync def later(value): return value")
    notebook.run("ticks = []\nasync def tick():\n    while True: ticks.append(1); await asyncio.sleep(.001)")
    notebook.run("t = asyncio.create_task(tick()); await asyncio.sleep(0)")
    chance, over = random.Random(kind), threading.Event()

    def storm() -> None:
        while not over.wait(chance.choice([0.0002, 0.001, 0.005, 0.02, 0.05])):
            os.kill(pid, signal.SIGINT)

    pid = notebook.pid
    stopper = threading.Thread(target=storm)
    stopper.start()
    hit = 0
    try:
        for number in range(ROUNDS):
            cell = notebook.run(KINDS[kind].format(number=number), stop_on_error=False)
            expect_whole(cell, number)
            hit += cell.reply["ename"] == "KeyboardInterrupt"
    finally:
        over.set()
        stopper.join()
    assert hit > 0
    strays = [m for m in notebook.strays if m["msg_type"] not in ("status", "iopub_welcome")]
    assert [m["content"] for m in strays] == []
    # History, timed output, the user loop: all go on.
    last = notebook.run("'the last one'")
    asked = {"hist_access_type": "tail", "n": 1, "output": False, "raw": True}
    assert notebook.ask("history_request", asked)["history"][-1][2] == "'the last one'"
    assert last.result == "'the last one'"
    live = notebook.submit("import time; print('shown at once'); time.sleep(3600)").wait_for_text("shown")
    assert not live.done
    notebook.interrupt("SIGINT")
    assert live.wait().error == ("KeyboardInterrupt", "")
    grows = notebook.run("k = len(ticks); await asyncio.sleep(.1); len(ticks) > k")
    assert grows.result == "True"
    assert "Traceback" not in notebook.log


# --- history


def saved(notebook: Notebook) -> list[str]:
    """The inputs in the history's database, of all sessions."""
    found = list(Path(notebook.log_path.parent).rglob("history.sqlite"))
    assert len(found) == 1
    with closing(sqlite3.connect(found[0])) as database:
        return [row[0] for row in database.execute("select source_raw from history order by session, line")]


def test_history_finds_what_has_just_been_run(notebook: Notebook) -> None:
    for number in range(20):
        notebook.run(f"'needle {number}'")
        asked = {"hist_access_type": "search", "pattern": f"*needle {number}*", "n": 5, "raw": True}
        found = notebook.ask("history_request", {**asked, "output": False})["history"]
        assert f"'needle {number}'" in [entry[2] for entry in found]
        assert f"'needle {number}'" in notebook.run(f"%history -g needle {number}").stdout


def test_history_finds_what_is_run_while_another_cell_runs(notebook: Notebook) -> None:
    cell = notebook.submit("import time; print('needle that runs', flush=True); time.sleep(3600)")
    cell.wait_for_text("needle that runs")
    asked = {
        "hist_access_type": "search",
        "pattern": "*needle that runs*",
        "n": 5,
        "raw": True,
        "output": False,
    }
    found = notebook.ask("history_request", asked)["history"]
    assert [entry[2] for entry in found] == [cell.what]
    notebook.interrupt("SIGINT")
    cell.wait()


ENDS = ["exit()", "shutdown", "restart"]


@pytest.mark.parametrize("end", ENDS)
def test_nothing_of_the_history_is_lost_when_the_kernel_ends(
    end: str, tmp_path: Path, kernel_env: dict[str, str]
) -> None:
    notebook = Notebook(tmp_path, {**kernel_env, "IPYTHONDIR": str(tmp_path / "ipython")})
    try:
        notebook.run("'input 0'")
        tail = {"hist_access_type": "tail", "n": 1, "output": False, "raw": True}
        notebook.ask("history_request", tail)  # the database is open then
        for number in range(1, 30):
            notebook.run(f"'input {number}'")
        if end == "exit()":
            notebook.run("exit()")
        else:
            notebook.request("shutdown_request", {"restart": end == "restart"}, channel="control").wait()
        assert notebook.wait_exit() == 0
        inputs = saved(notebook)
        assert inputs[:30] == [f"'input {number}'" for number in range(30)]
        assert inputs[30:] == [], "IPython leaves `exit()` out"
    finally:
        notebook.close()
