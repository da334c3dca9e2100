"""D7: the kernel's end while cells run in the background."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook
from tests.kernel.side_by_side import WAITS, close_gate, in_background
from tests.kernel.test_ipython_exit import ASK_EXIT, BOUND

NOTE = """
import pathlib
def note(word):
    with pathlib.Path("notes.txt").open("a") as notes: notes.write(word + "\\n")"""
# A Stop before the `try` is none that a `finally` sees.
TRY = "try:\n    print('rea' 'dy', flush=True)\n    {}\nfinally: note('finally')"
BODIES = {
    **{kind: TRY.format(wait) for kind, wait in WAITS.items()},
    "busy": TRY.format("while True: pass"),
    "busy after await": TRY.format("await asyncio.sleep(0)\n    while True: time.sleep(0)"),
    "tidies up": TRY.format("await asyncio.sleep(600)").replace(
        "finally: ", "finally: await asyncio.sleep(.05); "
    ),
}
READY = "print('ready', flush=True)\n"
each_body = pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)


@pytest.fixture
def prepared(fresh_notebook: Notebook) -> Notebook:
    assert fresh_notebook.run(NOTE).status == "ok"
    return close_gate(fresh_notebook)


def notes(notebook: Notebook) -> list[str]:
    path: Path = notebook.log_path.parent / "notes.txt"
    return path.read_text().splitlines() if path.exists() else []


def start(notebook: Notebook, body: str) -> Cell:
    return in_background(notebook, body).wait_for(lambda cell: cell.stdout == "ready\n", "its beginning")


@each_body
@pytest.mark.parametrize("restart", [False, True], ids=["shutdown", "restart"])
def test_its_finally_runs_and_the_process_ends(body: str, restart: bool, prepared: Notebook) -> None:
    # A loaded machine does little in half a second, and in four.
    prepared.run("kernel = get_ipython().kernel; kernel.tasks_time = kernel.shutdown_time = 30")
    start(prepared, body)
    ended = prepared.request("shutdown_request", {"restart": restart}, channel="control")
    prepared.pump(lambda: bool(ended.replies), "the shutdown_reply")
    assert ended.reply == {"status": "ok", "restart": restart}
    assert prepared.wait_exit(BOUND) == 0
    assert notes(prepared) == ["finally"]


@pytest.mark.parametrize("first", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
@pytest.mark.parametrize("how", ["shutdown", "exit"])
def test_one_that_blocks_for_good_cannot_keep_the_process(first: str, how: str, prepared: Notebook) -> None:
    start(prepared, f"{first}{READY}lock = threading.Lock(); lock.acquire(); lock.acquire()")
    if how == "exit":
        prepared.submit("exit()")
    else:
        prepared.request("shutdown_request", {"restart": False}, channel="control")
    assert prepared.wait_exit(BOUND) == 0


def test_with_one_running_and_others_waiting_for_their_turn(prepared: Notebook) -> None:
    prepared.run("%config NamespaceKernel.background_cells = 1")
    start(prepared, BODIES["plain"])
    waiting = in_background(prepared, "note('never')").wait_for_text("waits for its turn")
    prepared.request("shutdown_request", {"restart": False}, channel="control")
    assert prepared.wait_exit(BOUND) == 0
    assert notes(prepared) == ["finally"]
    assert not waiting.receipts


@pytest.mark.parametrize("first", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
@pytest.mark.parametrize("code", ["exit()", "quit()"])
def test_exit_in_one_ends_the_kernel(code: str, first: str, prepared: Notebook) -> None:
    cell = prepared.submit(f"%%background\n{first}{code}")
    prepared.pump(lambda: bool(cell.replies), "its reply")
    assert cell.reply["payload"] == [ASK_EXIT]
    assert prepared.wait_exit(BOUND) == 0


@pytest.mark.parametrize("first", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_exit_in_one_while_a_foreground_cell_runs_waits_for_that(first: str, prepared: Notebook) -> None:
    running = prepared.submit("while not gate: time.sleep(.01)\ntime.sleep(.2); note('done')").wait_started()
    # It goes past the cell that runs, for the foreground's queue is a subshell's no concern.
    reply = prepared.ask("create_subshell_request", channel="control")
    message = prepared.client.session.msg(
        "execute_request",
        {"code": f"%%background\n{first}gate.append(1); exit()", "silent": False, "store_history": True},
    )
    message["header"]["subshell_id"] = reply["subshell_id"]
    cell = prepared.expect(Cell, message["header"]["msg_id"], "exit() in the background")
    prepared.client.session.send(prepared.sockets["shell"], message)
    prepared.pump(lambda: bool(cell.replies and running.replies), "both replies")
    assert running.status == cell.status == "ok"
    assert prepared.wait_exit(BOUND) == 0
    assert notes(prepared) == ["done"]


@pytest.mark.parametrize("first", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_system_exit_ends_the_cell_alone(first: str, prepared: Notebook) -> None:
    cell = prepared.run(f"%%background\n{first}import sys; sys.exit(3)")
    assert cell.error == ("SystemExit", "3")
    assert "exited with 3" in cell.text
    assert prepared.run("6 * 7").result == "42"
