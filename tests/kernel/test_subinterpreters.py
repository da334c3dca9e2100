"""Interpreters of their own in the kernel's process: no thread of the kernel's ends it by looking at them."""

from __future__ import annotations

import sys

import pytest

from tests.kernel.client import Notebook

PREPARE = """\
import gc, threading, time
try:
    from concurrent import interpreters                 # since 3.14
    def new(): return interpreters.create()
    def execute(one, code): one.exec(code)
    def end(one): one.close()
except ImportError:
    try: import _interpreters as interpreters           # 3.13
    except ImportError: import _xxsubinterpreters as interpreters
    new, execute, end = interpreters.create, interpreters.run_string, interpreters.destroy
WORK = "import sys, time; t = sys.intern(str(b'x', 'utf-8')); time.sleep(.002)"
def work(times):
    for i in range(times):
        one = new()
        execute(one, WORK)
        end(one)
        if i % 10 == 0: gc.collect()
    return "worked"
"""

CELLS = {
    "plain": "work(50)",
    "async": "import asyncio\nawait asyncio.sleep(0)\nwork(50)",
    "a thread": "one = threading.Thread(target=work, args=(50,))\none.start(); one.join(); 'worked'",
    "background": "%%background\nr = work(50)",
    "two threads of it print": (
        "def chatter():\n    while working: print('a', 'b')\n"
        "working = [1]\nthreads = [threading.Thread(target=chatter) for _ in range(2)]\n"
        "for one in threads: one.start()\n"
        "try: r = work(30)\nfinally:\n    working.clear()\n    for one in threads: one.join()\nr"
    ),
}


@pytest.mark.parametrize("kind", CELLS)
def test_they_end_and_the_kernel_goes_on(kind: str, notebook: Notebook) -> None:
    if "threads" in kind and sys.version_info < (3, 12):
        pytest.skip("Python 3.11 itself stands still, also without a kernel")
    code = CELLS[kind]
    assert notebook.run(PREPARE).status == "ok"
    cell = notebook.submit(code)
    notebook.run("%ps")  # looks at all threads
    cell.wait(timeout=100)
    if code.startswith("%%background"):
        assert notebook.run("%wait\nr").result == "'worked'"
    else:
        assert cell.result == "'worked'"
    assert notebook.run("6 * 7").result == "42"


@pytest.mark.skipif(not (3, 12) <= sys.version_info < (3, 14), reason="there it harms nobody")
def test_while_one_is_there_threads_are_not_looked_at(notebook: Notebook) -> None:
    notebook.run(PREPARE)
    notebook.run("from namespace_kernel.base.threads import frames_of_threads\none = new()")
    assert notebook.run("len(frames_of_threads())").result == "0"
    notebook.run("end(one)")
    assert notebook.run("threading.get_ident() in frames_of_threads()").result == "True"
