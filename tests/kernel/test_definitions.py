"""D15: definitions stay alive across contexts, because all cells run in one live dict."""

from __future__ import annotations

import itertools

import pytest

from tests.kernel.client import Notebook

KINDS = {"plain": "", "awaiting": "import asyncio; await asyncio.sleep(0)\n"}
PAIRS = list(itertools.product(KINDS, repeat=2))


@pytest.mark.parametrize(("defining", "rebinding"), PAIRS)
def test_a_function_sees_a_global_that_another_cell_rebinds(
    defining: str, rebinding: str, notebook: Notebook
) -> None:
    notebook.run(KINDS[defining] + "value = 'old'\ndef read(): return value\nasync def aread(): return value")
    notebook.run(KINDS[rebinding] + "value = 'new'")
    assert notebook.run("read()").result == "'new'"
    assert notebook.run("read(), await aread()").result == "('new', 'new')"


@pytest.mark.parametrize("kind", KINDS)
def test_recursion_and_comprehensions_work_at_the_top_level(kind: str, notebook: Notebook) -> None:
    cell = notebook.run(
        KINDS[kind] + "def fact(n): return n * fact(n - 1) if n else 1\n"
        "factor = 2\n"
        "[fact(n) * factor for n in range(4)], (lambda: factor)(), {n for n in range(2) if n < factor}"
    )
    assert cell.result == "([2, 2, 4, 12], 2, {0, 1})"


@pytest.mark.parametrize("kind", KINDS)
def test_deep_recursion_has_the_main_thread_s_stack(kind: str, notebook: Notebook) -> None:
    cell = notebook.run(
        KINDS[kind] + "import sys; limit = sys.getrecursionlimit(); sys.setrecursionlimit(20_000)\n"
        "def down(n): return n and down(n - 1)\n"
        "reached = down(15_000); sys.setrecursionlimit(limit); reached"
    )
    assert cell.result == "0", cell.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_pickles(kind: str, notebook: Notebook) -> None:
    notebook.run(KINDS[kind] + "class Point:\n    def __init__(self, x): self.x = x")
    cell = notebook.run(
        "import pickle; copy = pickle.loads(pickle.dumps(Point(3)))\ncopy.x, type(copy) is Point"
    )
    assert cell.result == "(3, True)"
    assert notebook.run("Point.__module__").result == "'__main__'"


@pytest.mark.parametrize("kind", KINDS)
def test_multiprocessing_finds_a_function_by_name(kind: str, notebook: Notebook) -> None:
    notebook.run(KINDS[kind] + "def square(x): return x * x")
    cell = notebook.run("""\
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool: squares = pool.map(square, [1, 2, 3])
squares""")
    assert cell.result == "[1, 4, 9]", cell.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_thread_reads_and_writes_globals_after_its_cell_ended(kind: str, notebook: Notebook) -> None:
    notebook.run(
        KINDS[kind]
        + """\
import threading
go = threading.Event()
def work():
    global answer
    go.wait(30); answer = question * 2
thread = threading.Thread(target=work); thread.start()"""
    )
    notebook.run("question = 21; go.set()")
    assert notebook.run("thread.join(30); answer").result == "42"


def test_a_polling_plain_cell_ends_when_a_task_sets_its_flag(notebook: Notebook) -> None:
    notebook.run("""\
import asyncio, time
done = False
async def finish():
    global done
    await asyncio.sleep(.2); done = True
t = asyncio.create_task(finish())""")
    assert notebook.run("while not done: time.sleep(.05)\n'ended'").result == "'ended'"


@pytest.mark.parametrize(("binding", "deleting"), PAIRS)
def test_del_deletes(binding: str, deleting: str, notebook: Notebook) -> None:
    notebook.run("import asyncio")
    notebook.run(KINDS[binding] + "gone = 1")
    assert notebook.run(KINDS[deleting] + "del gone").status == "ok"
    assert notebook.run("gone").error == ("NameError", "name 'gone' is not defined")
    assert notebook.run("await asyncio.sleep(0); gone").error == ("NameError", "name 'gone' is not defined")


@pytest.mark.parametrize("kind", KINDS)
def test_dataclasses_and_type_hints_resolve_names(kind: str, notebook: Notebook) -> None:
    notebook.run(
        KINDS[kind]
        + """\
from dataclasses import dataclass, field
from typing import ClassVar, get_type_hints
@dataclass
class Node:
    value: int
    kids: "ClassVar[int]" = 0
    next: "Node | None" = None"""
    )
    cell = notebook.run("get_type_hints(Node)['next'] == (Node | None), Node(1, Node(2)).next.value")
    assert cell.result == "(True, 2)", cell.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_failing_cell_keeps_what_it_bound_before_the_failure(kind: str, notebook: Notebook) -> None:
    assert notebook.run(KINDS[kind] + "bound = 'before'\n1 / 0\nbound = 'after'").error is not None
    assert notebook.run("bound").result == "'before'"


def test_every_foreground_cell_runs_on_the_main_thread(notebook: Notebook) -> None:
    code = "import threading; threading.current_thread() is threading.main_thread()"
    assert notebook.run(code).result == "True"
    assert notebook.run(KINDS["awaiting"] + code).result == "True"


def test_a_sqlite_connection_opened_in_one_cell_serves_the_next(notebook: Notebook) -> None:
    notebook.run("import sqlite3, asyncio; db = sqlite3.connect(':memory:')")
    assert notebook.run("await asyncio.sleep(0); db.execute('select 42').fetchone()").result == "(42,)"
    notebook.run("await asyncio.sleep(0); other = sqlite3.connect(':memory:')")
    assert notebook.run("other.execute('select 42').fetchone()").result == "(42,)"


def test_signal_handlers_can_be_installed(notebook: Notebook) -> None:
    code = "import signal; signal.signal(signal.SIGUSR1, lambda *_: None); 'installed'"
    assert notebook.run(code).result == "'installed'"
    assert notebook.run(KINDS["awaiting"] + code).result == "'installed'"


def test_a_forked_child_has_asyncio_as_in_plain_python(notebook: Notebook) -> None:
    notebook.run("""\
import asyncio, multiprocessing, signal
async def answer(): return 42
def child(queue):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    found = [asyncio.get_event_loop() is loop, loop.run_until_complete(answer()), asyncio.run(answer())]
    queue.put([*found, signal.getsignal(signal.SIGINT) is signal.default_int_handler])
""")
    cell = notebook.run("""\
context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=child, args=[queue])
process.start()
answers = queue.get(timeout=30)
process.join()
answers""")
    assert cell.result == "[True, 42, 42, True]", cell.text
