"""A child that a cell has forked ends where the code that forked it ends: it is no second kernel."""

from __future__ import annotations

import pytest

from tests.kernel.client import SPEC, Notebook
from tests.trust.conftest import SOON, goes_on, run

pytestmark = pytest.mark.skipif(SPEC != "namespace", reason="ipykernel's goes on")

FORK = "child = os.fork()\nprint('child' if child == 0 else 'parent')"
IN_FUNCTION = "def fork():\n    global child\n    pid = os.fork()\n    child = pid or child\n" + (
    "    print('parent' if pid else 'child')\n"
)
PLACES = {
    "a plain cell": FORK,
    "an awaiting cell": f"await asyncio.sleep(0)\n{FORK}",
    "a background cell": f"%%background\n{FORK}",
    "an awaiting background cell": f"%%background\nawait asyncio.sleep(0)\n{FORK}",
    "a terminal's": FORK.replace("os.fork()", "os.forkpty()[0]"),
    "a thread": IN_FUNCTION + "threading.Thread(target=fork).start()",
    "a pool's job": IN_FUNCTION + "ThreadPoolExecutor(1).submit(fork).result()",
    "a callback": IN_FUNCTION + "asyncio.get_event_loop().call_soon(fork)",
    "a task": IN_FUNCTION + "async def task(): fork()\n_task = asyncio.get_event_loop().create_task(task())",
    "a signal's handler between cells": IN_FUNCTION
    + "import signal\nsignal.signal(signal.SIGALRM, lambda *_: fork())\n"
    + "_ = signal.setitimer(signal.ITIMER_REAL, 0.2)",
}
IMPORTS = "import asyncio, os, sys, threading\nfrom concurrent.futures import ThreadPoolExecutor\nchild = 0"
#: Waits for the child, for long; its exit code, or `None` if it goes on.
WAIT = """\
import time
until = time.monotonic() + 15
while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < until: time.sleep(0.02)
os.waitstatus_to_exitcode(ended[1]) if ended[0] else None"""


@pytest.mark.parametrize("place", PLACES)
def test_a_child_that_returns_ends_and_what_it_printed_arrives(place: str, kernel: Notebook) -> None:
    run(kernel, IMPORTS)
    cell = run(kernel, PLACES[place]).wait_for_text("parent", SOON)
    if place != "a terminal's":
        cell.wait_for_text("child", SOON)
    assert run(kernel, WAIT).result == "0"
    assert len(cell.replies) == 1 and cell.states == ["busy", "idle"]
    goes_on(kernel)


@pytest.mark.parametrize(
    ("ends", "code", "said"),
    [
        ("sys.exit(7)", 7, ""),
        ("raise ValueError('mine')", 1, "ValueError: mine"),
        ("print('no end of line', end='')", 0, "no end of line"),
        ("print('flushed', flush=True); os._exit(3)", 3, "flushed"),
        ("sys.stdout = None", 0, ""),
    ],
)
@pytest.mark.parametrize("begins", ["", "await asyncio.sleep(0)\n"])
def test_how_it_ends_is_its_exit_code(begins: str, ends: str, code: int, said: str, kernel: Notebook) -> None:
    run(kernel, IMPORTS)
    cell = run(kernel, f"{begins}child = os.fork()\nif child == 0:\n    {ends}")
    assert run(kernel, WAIT).result == str(code)
    cell.wait_for_text(said, SOON)
    assert "namespace_kernel/" not in cell.text and "IPython/" not in cell.text
    assert run(kernel, "child > 0").result == "True"
    goes_on(kernel)


@pytest.mark.parametrize("begins", ["", "await asyncio.sleep(0)\n"])
def test_a_child_of_an_isolated_cell_is_no_second_worker(begins: str, kernel: Notebook) -> None:
    code = f"%%isolated\nimport asyncio, os\n{begins}child = os.fork()\n"
    cell = run(kernel, code + "print('parent\\n' if child else 'child\\n', end='', flush=True)")
    assert sorted(cell.wait_for(lambda c: len(c.stdout) > 12, "both").stdout.split()) == ["child", "parent"]
    code = f"%%isolated\nimport os, time\n{WAIT}"
    assert run(kernel, code).result == "0"
    goes_on(kernel)


def test_a_child_of_multiprocessing_ends_as_ever(kernel: Notebook) -> None:
    code = "import multiprocessing\ndef work(): print('works')\n"
    code += "process = multiprocessing.get_context('fork').Process(target=work)\n"
    cell = run(kernel, code + "process.start(); process.join(); process.exitcode")
    assert (cell.result, cell.stdout) == ("0", "works\n")
    goes_on(kernel)


def test_a_child_that_goes_on_for_ever_is_ended_with_the_kernel(spoilt: Notebook) -> None:
    import psutil

    cell = run(spoilt, "import os, time\nchild = os.fork()\nwhile child == 0: time.sleep(0.1)\nchild")
    child = psutil.Process(int(cell.result or 0))
    spoilt.ask("shutdown_request", {"restart": False}, channel="control")
    spoilt.wait_exit()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
