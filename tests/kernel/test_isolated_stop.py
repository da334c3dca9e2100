"""`%%isolated`: Stop, processes that die, and the end of the kernel."""

from __future__ import annotations

import contextlib
import time

import psutil
import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import INTERRUPTS, Notebook

START = "import asyncio, os, queue, time\nprint('pid', os.getpid())\n"
BLOCKING = {
    "sleep": "time.sleep(60)",
    "busy": "while True: pass",
    "queue": "queue.Queue().get()",
    "async sleep": "await asyncio.sleep(60)",
    "async busy": "await asyncio.sleep(0)\nwhile True: pass",
    "async blocked": "await asyncio.sleep(0)\ntime.sleep(60)",
}


def begin(notebook: Notebook, code: str, above: str = "%%isolated") -> Cell:
    """Send a cell; until its code runs in the other process."""
    return notebook.submit(f"{above}\n{START}{code}").wait_for_text("pid ")


def pid_of(cell: Cell) -> int:
    return int(cell.stdout.split()[1])


def wait_gone(pids: list[int]) -> None:
    processes = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(pid))
    assert psutil.wait_procs(processes, 10)[1] == []


@pytest.mark.parametrize("how", INTERRUPTS)
@pytest.mark.parametrize("code", BLOCKING.values(), ids=BLOCKING)
def test_stop_ends_it_at_its_line(code: str, how: str, notebook: Notebook) -> None:
    notebook.run("kept = 1")
    cell = begin(notebook, f"kept = 2\n{code}")
    notebook.interrupt(how)
    cell.wait()
    assert cell.reply["ename"] == "KeyboardInterrupt"
    assert code.splitlines()[-1] in cell.traceback and "namespace_kernel" not in cell.traceback
    assert notebook.run("kept").result == "1"
    again = begin(notebook, "kept = 3").wait()
    assert pid_of(again) == pid_of(cell)
    assert notebook.run("kept").result == "3"


def test_its_own_code_ends_by_itself(notebook: Notebook) -> None:
    cell = begin(notebook, "try: time.sleep(60)\nfinally: print('tidied up')")
    notebook.interrupt("SIGINT")
    assert "tidied up" in cell.wait().stdout


def test_one_that_does_not_react_is_killed(notebook: Notebook) -> None:
    cell = begin(notebook, "while True:\n    try: time.sleep(60)\n    except KeyboardInterrupt: print('no')")
    notebook.interrupt("SIGINT")
    cell.wait()
    assert cell.reply["ename"] == "KeyboardInterrupt"
    assert "so its worker was ended" in cell.stderr
    wait_gone([pid_of(cell)])
    assert notebook.run("%%isolated\n1 + 1").result == "2"


def test_a_second_stop_kills_it_at_once(notebook: Notebook) -> None:
    cell = begin(notebook, "while True:\n    try: time.sleep(60)\n    except KeyboardInterrupt: print('no')")
    notebook.interrupt("SIGINT")
    cell.wait_for_text("no")
    notebook.interrupt("SIGINT")
    assert cell.wait().reply["ename"] == "KeyboardInterrupt"
    wait_gone([pid_of(cell)])


def test_stop_comes_also_to_code_that_holds_the_interpreter(notebook: Notebook) -> None:
    cell = begin(notebook, "time.sleep(.2)\nprint('now')\ntime.sleep(.2)\nn = 7; n ** 10 ** 8")
    cell.wait_for_text("now")
    time.sleep(0.5)
    notebook.interrupt("SIGINT")
    notebook.interrupt("SIGINT")
    cell.wait()
    assert cell.reply["ename"] == "KeyboardInterrupt"
    wait_gone([pid_of(cell)])


@pytest.mark.parametrize(
    ("code", "fate"),
    [
        ("os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
        ("os._exit(7)", "ended with exit status 7"),
        ("import ctypes; ctypes.string_at(0)", "was killed by SIGSEGV"),
        ("import subprocess; subprocess.Popen(['sleep', '60']); os.kill(os.getpid(), 9)", "SIGKILL"),
        (
            "import multiprocessing as m\n"
            "m.get_context('fork').Process(target=time.sleep, args=(60,)).start()\nos.kill(os.getpid(), 9)",
            "SIGKILL",
        ),
    ],
    ids=["killed", "exit", "crash", "with a child", "with a fork"],
)
def test_a_process_that_dies_is_an_error_and_nothing_is_merged(
    code: str, fate: str, notebook: Notebook
) -> None:
    notebook.run("kept = [1]")
    cell = begin(notebook, f"kept.append(2)\nlost = 1\n{code}").wait()
    assert cell.reply["ename"] == "WorkerLostError"
    assert fate in cell.reply["evalue"] and "Nothing was merged" in cell.reply["evalue"]
    assert notebook.run("kept, 'lost' in globals()").result == "([1], False)"
    assert notebook.run("%%isolated\nkept.append(3)\nkept").result == "[1, 3]"


def test_somebody_else_kills_it(notebook: Notebook) -> None:
    cell = begin(notebook, "time.sleep(60)")
    psutil.Process(pid_of(cell)).kill()
    assert cell.wait().reply["ename"] == "WorkerLostError"


def test_one_that_dies_between_two_cells_is_replaced(notebook: Notebook) -> None:
    cell = begin(notebook, "1").wait()
    psutil.Process(pid_of(cell)).kill()
    wait_gone([pid_of(cell)])
    assert begin(notebook, "2").wait().result == "2"


def test_a_failed_cell_aborts_those_behind_it(notebook: Notebook) -> None:
    failing = begin(notebook, "time.sleep(.3); 1 / 0")
    behind = notebook.submit("never = 1")
    assert failing.wait().status == "error"
    assert behind.wait().status == "aborted"


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_the_end_of_the_kernel_leaves_no_process_behind(busy: bool, fresh_notebook: Notebook) -> None:
    child = "import subprocess; print('child', subprocess.Popen(['sleep', '60']).pid)"
    first = begin(fresh_notebook, child).wait()
    pids = [pid_of(first), int(first.stdout.split()[3])]
    if busy:
        pids.append(pid_of(begin(fresh_notebook, "while True: pass")))
    fresh_notebook.request("shutdown_request", {"restart": False}, "control")
    fresh_notebook.wait_exit()
    wait_gone(pids)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_kernel_that_is_killed_leaves_no_process_behind(busy: bool, fresh_notebook: Notebook) -> None:
    pids = [pid_of(begin(fresh_notebook, "1").wait())]
    if busy:
        pids.append(pid_of(begin(fresh_notebook, "while True: pass")))
    psutil.Process(fresh_notebook.pid).kill()
    fresh_notebook.wait_exit()
    wait_gone(pids)
