"""What the end of an object starts (`__del__`, a callback of `weakref`) is not of the cell that runs then."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

PRELUDE = """\
import asyncio, concurrent.futures, gc, threading, weakref
from multiprocessing.pool import ThreadPool
go_on, ended = threading.Event(), []
pool, threads, loop = concurrent.futures.ThreadPoolExecutor(), ThreadPool(1), asyncio.get_event_loop()
async def close():
    while not go_on.is_set(): await asyncio.sleep(0.01)
    ended.append("closed")
async def fail():
    ended.append("failed"); raise ValueError("of the library")
async def with_others():
    await asyncio.gather(close(), asyncio.create_task(fail()), return_exceptions=True)
def wait(*args): go_on.wait(); ended.append("waited")
class Client:
    def __init__(self, act):
        self.me, self.act = self, act
    def __del__(self): self.act()
class Plain:
    def __init__(self): self.me = self
class Helped(Client):
    def __del__(self): self.help()
    def help(self): self.act()"""

ACTS = {
    "a task": "lambda: loop.create_task(close())",
    "a task by asyncio": "lambda: asyncio.create_task(close())",
    "a future": "lambda: asyncio.ensure_future(close(), loop=loop)",
    "a task from anywhere": "lambda: asyncio.run_coroutine_threadsafe(close(), loop)",
    "a task that is started later": "lambda: loop.call_soon_threadsafe(lambda: loop.create_task(close()))",
    "a task that starts others": "lambda: loop.create_task(with_others())",
    "a task that fails": "lambda: loop.create_task(fail())",
    "a thread": "lambda: threading.Thread(target=wait).start()",
    "a job": "lambda: pool.submit(wait)",
    "a job of another pool": "lambda: threads.apply_async(wait)",
}
OBJECTS = {
    "__del__": "Client(act)",
    "a function of __del__": "Helped(act)",
    "a callback": "keep = weakref.ref(Plain(), lambda dead: act())",
    "a finalizer": "weakref.finalize(Plain(), act)",
}
CELLS = {"a plain cell": "gc.collect()", "an awaiting cell": "await asyncio.sleep(0); gc.collect()"}


@pytest.mark.parametrize("code", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_an_innocent_cell_is_not_blamed(act: str, code: str, notebook: Notebook) -> None:
    check(notebook, act, OBJECTS["__del__"], code)


@pytest.mark.parametrize("code", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("made", OBJECTS.values(), ids=OBJECTS)
def test_whatever_ends(made: str, code: str, notebook: Notebook) -> None:
    check(notebook, ACTS["a task"], made, code)
    check(notebook, ACTS["a thread"], made, code)


def check(notebook: Notebook, act: str, made: str, code: str) -> None:
    notebook.run("%reset -f")
    assert notebook.run(PRELUDE).status == "ok"
    assert notebook.run(f"gc.disable(); act = {act}\n{made}; None").receipt == ""
    cell = notebook.run(code)
    assert cell.receipt == "", cell.receipt
    notebook.run("import time; until = time.monotonic() + 10; go_on.set()")
    begun = notebook.run("while not ended and time.monotonic() < until: await asyncio.sleep(0.01)")
    assert notebook.run("gc.enable(); await asyncio.sleep(0.1); bool(ended)").result == "True"
    assert (begun.receipt, cell.receipt) == ("", "")
    assert "this cell started" not in cell.text + begun.text


def test_what_a_cell_starts_itself_is_told(notebook: Notebook) -> None:
    notebook.run("%reset -f")
    notebook.run(PRELUDE)
    notebook.run("class Open:\n    def close(self, ref=None): loop.create_task(close())\nopened = Open()")
    cell = notebook.run("await asyncio.sleep(0); opened.close(weakref.ref(opened))")
    assert "1 task still ran" in cell.receipt
    notebook.run("go_on.set()")


SAYS = """\
class Says:
    def __del__(self): print("it ends")
def drop():
    global one
    del one
one = Says()"""


DROPS = [
    *("del one", "one = None", "drop()", "exec('del one')"),
    *("%xdel one", "await asyncio.sleep(0); del one", "%reset -f"),
]


@pytest.mark.parametrize("drop", DROPS)
def test_an_object_ends_where_the_cell_drops_it(drop: str, notebook: Notebook) -> None:
    assert notebook.run(f"import asyncio\n{SAYS}").status == "ok"
    cell = notebook.run(f"print('before')\n{drop}\nprint('after')")
    assert cell.stdout == "before\nit ends\nafter\n"


def test_a_cell_in_the_background_keeps_nothing_that_others_drop(notebook: Notebook) -> None:
    assert notebook.run(f"import threading; go_on = threading.Event()\n{SAYS}").status == "ok"
    beside = notebook.submit("%%background\ngo_on.wait()").wait_started()
    assert notebook.run("print('before')\ndel one\nprint('after')").stdout == "before\nit ends\nafter\n"
    assert notebook.run("go_on.set()").status == "ok"
    assert beside.wait().status == "ok"
