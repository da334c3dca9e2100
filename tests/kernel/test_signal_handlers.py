"""What a signal's handler of the user's raises ends the cell that runs, whatever it does or waits for."""

from __future__ import annotations

import sys

import pytest

from tests.kernel.client import Notebook
from tests.kernel.leaks import ok

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no timer that sends a signal")

SETUP = """\
import asyncio, signal, time
class OutOfTime(Exception): pass
def out_of_time(number, frame):
    raise OutOfTime('too long')
signal.signal(signal.SIGALRM, out_of_time)
async def forever():
    while True: await asyncio.sleep(60)"""
WAITS = {
    "a plain cell": "time.sleep(60)",
    "a sleep": "await asyncio.sleep(60)",
    "a task": "await asyncio.create_task(forever())",
    "several": "await asyncio.gather(forever(), asyncio.sleep(60))",
    "a group": "async with asyncio.TaskGroup() as group: group.create_task(forever())",
    "a future": "await asyncio.get_running_loop().create_future()",
    "a timeout": "async with asyncio.timeout(60): await forever()",
    "an awaiting cell's own code": "await asyncio.sleep(0)\nwhile True: pass",
}


@pytest.mark.parametrize("code", WAITS.values(), ids=WAITS)
def test_it_ends_the_cell(code: str, notebook: Notebook) -> None:
    ok(notebook.run(SETUP))
    cell = notebook.run(f"signal.setitimer(signal.ITIMER_REAL, .05)\n{code}\nprint('went on')")
    assert cell.error == ("OutOfTime", "too long")
    assert "raise OutOfTime('too long')" in cell.traceback
    assert not [part for part in ("namespace_kernel", "base_events.py", "selectors.py") if part in cell.text]
    assert cell.stdout == ""
    assert ok(notebook.run("await asyncio.sleep(0, 42)")).result == "42"


def test_a_cell_may_catch_its_cancellation_and_go_on(notebook: Notebook) -> None:
    ok(notebook.run(SETUP))
    cell = notebook.run("""\
signal.setitimer(signal.ITIMER_REAL, .05)
try: await asyncio.sleep(60)
except asyncio.CancelledError: print('cancelled')
await asyncio.sleep(0, 42)""")
    assert (cell.status, cell.stdout, cell.result) == ("ok", "cancelled\n", "42")


def test_tasks_of_earlier_cells_go_on(notebook: Notebook) -> None:
    ok(
        notebook.run(
            SETUP
            + "\nn = 0\nasync def tick():\n    global n\n    while True: n += 1; await asyncio.sleep(.01)"
        )
    )
    ok(notebook.run("ticking = asyncio.create_task(tick())"))
    assert notebook.run(f"signal.setitimer(signal.ITIMER_REAL, .05)\n{WAITS['a sleep']}").error is not None
    ok(notebook.run("m = n\nwhile n < m + 3: await asyncio.sleep(.01)"))
    ok(notebook.run("ticking.cancel()"))
