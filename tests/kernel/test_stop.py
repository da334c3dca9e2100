"""D3: Stop stops. Each cell, pressed in both ways that a frontend has."""

from __future__ import annotations

import time

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import INTERRUPTS, Notebook

WORKERS = """\
async def worker():
    while True: n.append(1); await asyncio.sleep(.1)
n = []; tasks = [asyncio.create_task(worker()) for _ in range(3)]
await asyncio.sleep(60)"""
# The cell, and the user's line at which its traceback must point.
CELLS = {
    "sleep": ("time.sleep(60)", "----> 1 time.sleep(60)"),
    "busy": ("while True: pass", "----> 1 while True: pass"),
    "queue": ("queue.Queue().get()", "----> 1 queue.Queue().get()"),
    "subprocess": ('subprocess.run(["sleep", "60"])', '----> 1 subprocess.run(["sleep", "60"])'),
    # `socketpair()[0].recv(1)` would return at once: the other end is closed as soon as nobody holds it.
    "socket": ("a, b = socket.socketpair(); a.recv(1)", "----> 1 a, b = socket.socketpair(); a.recv(1)"),
    "awaiting": ("await asyncio.sleep(60)", "----> 1 await asyncio.sleep(60)"),
    "await then busy": ("await asyncio.sleep(0)\nwhile True: pass", "----> 2 while True: pass"),
    "await then sleep": (
        "await asyncio.sleep(0); time.sleep(60)",
        "----> 1 await asyncio.sleep(0); time.sleep(60)",
    ),
    "workers": (WORKERS, "----> 4 await asyncio.sleep(60)"),
}
PREPARE = """\
import asyncio, time, queue, subprocess, socket, threading
async def tick():
    while True: ticks.append(1); await asyncio.sleep(.05)
if "ticks" not in globals():
    ticks = []; earlier = asyncio.create_task(tick())"""

both_ways = pytest.mark.parametrize("how", INTERRUPTS)


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    """A kernel with the demo's imports, in which a task of an earlier cell ticks."""
    assert notebook.run(PREPARE).status == "ok"
    return notebook


def stop(notebook: Notebook, code: str, how: str) -> Cell:
    """Runs the cell, presses Stop as a person does after a moment of watching, and waits for its end."""
    cell = notebook.submit(code).wait_started()
    watched = time.monotonic() + 0.4  # the demo's cells are silent: there is nothing else to wait for
    notebook.pump(lambda: cell.done or time.monotonic() > watched, "the moment to press Stop")
    assert not cell.done, "it ended by itself"
    return press_stop(notebook, cell, how)


def press_stop(notebook: Notebook, cell: Cell, how: str) -> Cell:
    pressed = time.monotonic()
    notebook.interrupt(how)
    cell.wait()
    assert time.monotonic() - pressed < 10, "well under the 60 s for which the cell would sleep"
    return cell


@both_ways
@pytest.mark.parametrize(("code", "line"), CELLS.values(), ids=CELLS)
def test_stop_ends_the_cell_as_keyboard_interrupt_at_the_user_s_line(
    code: str, line: str, how: str, prepared: Notebook
) -> None:
    stopped = stop(prepared, code, how)
    assert stopped.status == "error"
    assert stopped.reply["ename"] == "KeyboardInterrupt"
    assert stopped.error is not None and stopped.error[0] == "KeyboardInterrupt"
    assert line in stopped.traceback
    assert "namespace_kernel" not in stopped.traceback, "our own frames are no business of the user's"

    after = prepared.run("6 * 7")
    assert (after.status, after.result) == ("ok", "42")
    assert prepared.run("await asyncio.sleep(0); 6 * 7").result == "42"
    living = prepared.run("k = len(ticks); time.sleep(.3); earlier.done(), len(ticks) > k")
    assert living.result == "(False, True)", "the earlier cell's task lives on"


@both_ways
def test_a_stopped_cell_s_own_tasks_do_not_outlive_it(how: str, prepared: Notebook) -> None:
    stop(prepared, WORKERS, how)
    grown = prepared.run("k = len(n); await asyncio.sleep(.5); len(n) - k, [t.cancelled() for t in tasks]")
    assert grown.result == "(0, [True, True, True])"


@both_ways
def test_the_stopped_cell_s_finally_runs(how: str, prepared: Notebook) -> None:
    for sleep in ("time.sleep(60)", "await asyncio.sleep(60)"):
        code = f"print('ready')\ntry: {sleep}\nfinally: print('tidied')"
        cell = prepared.submit(code).wait_for_text("ready")
        press_stop(prepared, cell, how)
        assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
        assert cell.stdout == "ready\ntidied\n"


@both_ways
@pytest.mark.parametrize("block", ["while True: pass", "time.sleep(60)"])
@pytest.mark.parametrize(
    "code",
    [
        "asyncio.get_running_loop().call_later(.01, block); await asyncio.sleep(60)",
        "t = asyncio.create_task(asyncio.sleep(.01)); t.add_done_callback(block); await asyncio.sleep(60)",
        "async def f(): block()\nt = asyncio.create_task(f())",
    ],
    ids=["timer", "done callback", "task of a cell whose code is over"],
)
def test_what_the_cell_has_given_to_the_loop_is_stopped_too(
    how: str, block: str, code: str, prepared: Notebook
) -> None:
    cell = stop(prepared, f"def block(*_):\n    {block}\n{code}", how)
    raised = "" if "f()" in code else "KeyboardInterrupt"
    assert (cell.error[0] if cell.error else "") == raised
    assert prepared.run("len(ticks) < (await asyncio.sleep(.2), len(ticks))[1]").result == "True"


@both_ways
@pytest.mark.parametrize("block", ["while True: pass", "time.sleep(60)"])
@pytest.mark.parametrize("code", ["1 # slow", "await asyncio.sleep(0) # slow"])
def test_what_prepares_the_cell_s_text_is_stopped_too(
    how: str, block: str, code: str, fresh_notebook: Notebook
) -> None:
    transformer = f"""\
def transform(lines):
    if any("# slow" in line for line in lines):
        {block}
    return lines"""
    add = "get_ipython().input_transformers_cleanup.append(transform)"
    assert fresh_notebook.run(f"import asyncio, time\n{transformer}\n{add}").status == "ok"
    cell = stop(fresh_notebook, code, how)
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    assert fresh_notebook.run("1 + 1").result == "2"


@both_ways
def test_a_cell_that_swallows_the_first_stop_can_be_stopped_again(how: str, prepared: Notebook) -> None:
    for sleep, error in (
        ("time.sleep(60)", "KeyboardInterrupt"),
        ("await asyncio.sleep(60)", "(KeyboardInterrupt, asyncio.CancelledError)"),
    ):
        code = f"print('ready')\ntry: {sleep}\nexcept {error}: print('swallowed')\n{sleep}"
        cell = prepared.submit(code).wait_for_text("ready")
        prepared.interrupt(how)
        cell.wait_for_text("swallowed")
        press_stop(prepared, cell, how)
        assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"


@both_ways
def test_a_lock_that_is_waited_for_can_be_stopped(how: str, prepared: Notebook) -> None:
    for wait in ("threading.Event().wait()", "lock = threading.Lock(); lock.acquire(); lock.acquire()"):
        cell = stop(prepared, wait, how)
        assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"


@both_ways
def test_an_interrupt_in_a_called_function_shows_the_way_to_it(how: str, prepared: Notebook) -> None:
    cell = stop(prepared, "async def deep():\n    await asyncio.sleep(60)\nawait deep()", how)
    assert "----> 3 await deep()" in cell.traceback
    assert "----> 2     await asyncio.sleep(60)" in cell.traceback


@both_ways
def test_a_background_task_that_happens_to_execute_is_not_hit(how: str, prepared: Notebook) -> None:
    prepared.run("""\
def spin():
    end = time.monotonic() + .02
    while time.monotonic() < end: pass
async def hog():
    while True: spin(); await asyncio.sleep(0)
hogging = asyncio.create_task(hog())""")
    stopped = stop(prepared, "await asyncio.sleep(60)", how)
    assert stopped.error is not None and stopped.error[0] == "KeyboardInterrupt"
    assert prepared.run("hogging.done()").result == "False"
    assert prepared.run("hogging.cancel()").result == "True"


def test_a_long_c_call_that_holds_the_gil_is_ended_by_sigint(prepared: Notebook) -> None:
    """It begins when the client has seen the output: from then on no thread of the kernel gets the GIL."""
    for pause in ("time.sleep(.01)", "await asyncio.sleep(.01)"):
        prepared.run("import os; os.path.exists('seen') and os.remove('seen')")
        waits = f"while not os.path.exists('seen'): {pause}"
        cell = prepared.submit(f"print('ready')\n{waits}\npow(3, 10**8);").wait_for_text("ready")
        (prepared.log_path.parent / "seen").touch()
        time.sleep(0.6)
        press_stop(prepared, cell, "SIGINT")
        assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
        assert "----> 3 pow(3, 10**8)" in cell.traceback
        assert prepared.run("6 * 7").result == "42"


@both_ways
def test_queued_cells_are_aborted_and_later_ones_run(how: str, prepared: Notebook) -> None:
    running = prepared.submit("print('ready'); time.sleep(60)")
    queued = [prepared.submit("print('never')") for _ in range(3)]
    running.wait_for_text("ready")
    press_stop(prepared, running, how)
    assert [cell.wait().status for cell in queued] == ["aborted"] * 3
    assert not any(cell.outputs for cell in queued)
    assert prepared.run("6 * 7").result == "42"


@both_ways
@pytest.mark.parametrize("code", ["time.sleep(60)", "await asyncio.sleep(60)", "while True: pass"])
def test_a_stop_that_arrives_with_the_cell_ends_it_or_leaves_it_running(
    code: str, how: str, prepared: Notebook
) -> None:
    cell = prepared.submit(code).wait_started()
    press_stop(prepared, cell, how)
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"


@both_ways
def test_interrupting_an_idle_kernel_does_nothing(how: str, fresh_notebook: Notebook) -> None:
    fresh_notebook.run("x = 1")
    logged = fresh_notebook.log
    for _ in range(3):
        if how == "SIGINT":
            fresh_notebook.interrupt(how)
        else:  # its reply tells that the signal was sent before the next cell
            assert fresh_notebook.ask("interrupt_request", channel="control")["status"] == "ok"
        assert fresh_notebook.ask("kernel_info_request")["status"] == "ok"
    after = fresh_notebook.run("x + 1")
    assert (after.result, after.count) == ("2", 2)
    assert fresh_notebook.run("import asyncio; await asyncio.sleep(0); x + 2").result == "3"
    assert fresh_notebook.log == logged
    assert fresh_notebook.alive
