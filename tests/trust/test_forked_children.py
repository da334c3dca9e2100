"""A child that a cell has forked ends where the code that forked it ends: it is no second kernel."""

from __future__ import annotations

import sys

import pytest

from tests.kernel.client import SPEC, Notebook
from tests.trust.conftest import SOON, WANTED, goes_on, run

pytestmark = [
    pytest.mark.skipif(SPEC != "namespace", reason="ipykernel's goes on"),
    pytest.mark.trust("faults", WANTED, unit="rows"),
]

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
    code += "print('parent\\n' if child else 'child\\n', end='', flush=True)\n"
    # What a child prints after the cell's end is dropped; it stays to be waited for.
    code += "if child: _ = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)"
    cell = run(kernel, code)
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


WORKS = """\
import logging, multiprocessing, os, subprocess, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # since 3.12, of a fork among threads
from concurrent.futures import ProcessPoolExecutor
from IPython.display import display
context = multiprocessing.get_context("fork")
logging.basicConfig(force=True, format="%(message)s", stream=sys.stderr)
def works(said="works"): print(said)
def fork(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
def start(kind):
    one = kind(target=works)
    one.start()
    one.join()
"""
WAYS = {
    "os.fork": "fork(lambda: print('works', flush=True))",
    "os.fork without a flush": "fork(works)",
    "a child's child": "fork(lambda: fork(works))",
    "a thread of a child": "fork(lambda: start(threading.Thread))",
    "multiprocessing": "start(context.Process)",
    "multiprocessing in a background cell": "%%background\nstart(context.Process)",
    "multiprocessing in an awaiting cell": "await asyncio.to_thread(start, context.Process)",
    "a pool": "with ProcessPoolExecutor(1, context) as pool: pool.submit(works).result()",
    "a pool of multiprocessing": "with context.Pool(1) as pool: pool.map(works, ['works'])",
    "a long text": "fork(lambda: works('works' + 300_000 * 'é'))",
    "display": "fork(lambda: display('works'))",
    "logging": "fork(lambda: logging.warning('works'))",
    "the descriptor": "fork(lambda: os.write(1, b'works\\n'))",
    "subprocess": "subprocess.run(['echo', 'works'])",
    "without descriptors": "fork(lambda: (os.closerange(3, 1000), works()))",
}


#: These children connect anew, for what they had was closed.
SLOW_WAYS = {"without descriptors"}


@pytest.mark.parametrize("way", WAYS)
def test_what_a_child_has_published_is_there_when_its_cell_is_done(way: str, kernel: Notebook) -> None:
    code = WAYS[way]
    first, _, rest = code.partition("\n") if code.startswith("%%") else ("", "", code)
    run(kernel, f"import asyncio\n{WORKS}")
    for _ in range(2):
        # The thread that publishes is late, as beside other processes.
        run(kernel, "get_ipython().kernel.iopub_thread.io_loop.add_callback(time.sleep, 0.7)")
        cell = run(kernel, f"{first}\nprint('before')\n{rest}\nprint('after')".lstrip())
        if way in SLOW_WAYS:
            cell.wait_for_text("works")
        words = [word.strip("'").rstrip("é") for word in cell.text.split()]
        if way in SLOW_WAYS:
            words.sort(key=["before", "works", "after"].index)
        assert words == ["before", "works", "after"]
        assert cell.text.count("é") == (300_000 if way == "a long text" else 0)
    goes_on(kernel)


def test_lines_of_children_keep_their_order_and_stay_whole(kernel: Notebook) -> None:
    code = "def work(number):\n    for line in range(40): print(number, 'x' * 100, line, flush=line % 2)\n"
    code += "children = [context.Process(target=work, args=(number,)) for number in range(15)]\n"
    code += "for child in children: child.start()\nfor child in children: child.join()"
    lines = run(kernel, WORKS + code).stdout.splitlines()
    for number in range(15):
        of_child = [line for line in lines if line.startswith(f"{number} ")]
        assert of_child == [f"{number} {'x' * 100} {line}" for line in range(40)]
    assert len(lines) == 600


@pytest.mark.parametrize("flush", ["False", "number % 2", "True"])
def test_lines_of_an_isolated_cells_children_stay_whole(flush: str, kernel: Notebook) -> None:
    code = """%%isolated
import multiprocessing
def work(who):
    for number in range(300): print(who, "x" * 50, number, sep=":", flush={})
    print("the end", end="")
context = multiprocessing.get_context("fork")
children = [context.Process(target=work, args=(who,)) for who in range(5)]
for child in children: child.start()
for child in children: child.join()"""
    text = run(kernel, code.replace("{}", flush)).stdout
    lines = text.replace("the end", "").splitlines()
    for who in range(5):
        assert [line for line in lines if line.startswith(f"{who}:")] == [
            f"{who}:{'x' * 50}:{number}" for number in range(300)
        ]
    assert len(lines) == 1500 and text.count("the end") == 5


WAITS = {
    "run": "subprocess.run(['echo', 'child'])",
    "check_call": "subprocess.check_call(['sh', '-c', 'echo child'])",
    "communicate": "subprocess.Popen(['echo', 'child']).communicate()",
    "os.system": "os.system('echo child')",
    "multiprocessing": "start(context.Process)",
    "os.fork": "fork(lambda: works('child'))",
}


@pytest.mark.parametrize("begin", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
@pytest.mark.parametrize("wait", WAITS)
def test_what_a_child_wrote_comes_before_what_follows_the_wait(
    wait: str, begin: str, kernel: Notebook
) -> None:
    run(kernel, f"import asyncio\n{WORKS}\ndef works(said='child'): print(said)")
    code = f"{begin}for n in range(15): print('one'); _ = {WAITS[wait]}; print('two', file=sys.stderr)"
    assert run(kernel, code).text == 15 * "one\nchild\ntwo\n"


#: The threads that read are in the midst of what the child has written when it ends.
SLOW_READERS = """\
import sys
streams, publishing = get_ipython().kernel.streams, get_ipython().kernel.iopub_thread
def accept(text, accept=sys.stdout.accept):
    if threading.current_thread() is sys.stdout.watch_fd_thread: time.sleep(0.5)
    return accept(text)
def take(parts, take=publishing._take):
    time.sleep(0.5)
    take(parts)
sys.stdout.accept, publishing._take = accept, take
"""
SLOW_CHILDREN = {
    "a command": "subprocess.run(['sh', '-c', 'echo child; sleep 0.2'])",
    "one that begins a line": "subprocess.run(['sh', '-c', 'printf ch; sleep 0.005; echo ild'])",
    "a forked one": "fork(lambda: (print('child', flush=True), time.sleep(0.2)))",
    "multiprocessing": "one = context.Process(target=lambda: (print('child', flush=True), time.sleep(0.2))); "
    "one.start(); one.join()",
}


@pytest.mark.parametrize("child", SLOW_CHILDREN)
def test_what_is_just_being_read_comes_before_what_follows_the_wait(child: str, spoilt: Notebook) -> None:
    run(spoilt, WORKS + SLOW_READERS)
    assert run(spoilt, f"print('one'); {SLOW_CHILDREN[child]}; print('two')").text == "one\nchild\ntwo\n"


def test_a_child_that_goes_on_for_ever_is_ended_with_the_kernel(spoilt: Notebook) -> None:
    import psutil

    cell = run(spoilt, "import os, time\nchild = os.fork()\nwhile child == 0: time.sleep(0.1)\nchild")
    child = psutil.Process(int(cell.result or 0))
    spoilt.ask("shutdown_request", {"restart": False}, channel="control")
    spoilt.wait_exit()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.version_info < (3, 12), reason="in Python, too, the child has it until 3.11")
def test_a_loop_that_was_set_is_not_the_child_s(kernel: Notebook) -> None:
    run(kernel, f"{IMPORTS}\nloop = asyncio.new_event_loop(); asyncio.set_event_loop(loop)")
    run(
        kernel,
        """child = os.fork()
if child == 0:
    try: same = asyncio.get_event_loop() is loop
    except RuntimeError: same = False  # there is none, from Python 3.14 on
    os._exit(same)""",
    )
    assert run(kernel, WAIT).result == "0"
    run(kernel, "asyncio.set_event_loop(None); loop.close()")
    goes_on(kernel)
