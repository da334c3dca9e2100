"""Stop of a plain cell ends the tasks that this cell started, whichever way, and no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel.client import INTERRUPTS, Notebook

PREPARE = """\
import asyncio, concurrent.futures, threading, time
ticks, ended = {}, []
async def worker(name):
    try:
        while True:
            ticks[name] = ticks.get(name, 0) + 1
            if ticks[name] == 2: print(name, flush=True)
            await asyncio.sleep(0.005)
    finally: ended.append(name)
def start(*names): return [asyncio.create_task(worker(name)) for name in names]
async def group(*names):
    async with asyncio.TaskGroup() as tasks:
        for name in names: tasks.create_task(worker(name))
async def outer(name):
    task = asyncio.create_task(worker(name)); await asyncio.sleep(0.001)
async def go_on(*names):
    before = dict(ticks)
    until = asyncio.get_running_loop().time() + 20
    while any(ticks[name] == before[name] for name in names):
        if asyncio.get_running_loop().time() > until: return 'stands still'
        await asyncio.sleep(0.005)
    return sorted(name for name in ticks if ticks[name] > before[name])
async def all_ended(names):
    until = asyncio.get_running_loop().time() + 20
    while len(ended) < len(names) and asyncio.get_running_loop().time() < until: await asyncio.sleep(0.005)
    return sorted(ended)
never, home = threading.Event(), asyncio.get_event_loop()
earlier = start('earlier')
"""
#: The code, and the names of its tasks. Each says its name when it runs.
STARTED = {
    "by a helper": ("t = start('a', 'b')\nnever.wait()", "ab"),
    "on the loop": ("t = home.create_task(worker('a'))\nnever.wait()", "a"),
    "by ensure_future": ("def f(): return asyncio.ensure_future(worker('a'))\nt = f()\nnever.wait()", "a"),
    "by a task": ("t = home.create_task(outer('a'))\nnever.wait()", "a"),
    "from another thread": ("asyncio.run_coroutine_threadsafe(worker('a'), home).result()", "a"),
    "that is waited for": ("home.run_until_complete(worker('a'))", "a"),
    "by gather": ("home.run_until_complete(asyncio.gather(worker('a'), worker('b')))", "ab"),
    "in a group": ("home.run_until_complete(group('a', 'b'))", "ab"),
    "in asyncio.run": ("asyncio.run(group('a', 'b'))", "ab"),
    "and left in asyncio.run": (
        "async def f(): t = asyncio.create_task(worker('a')); await asyncio.sleep(60)\nasyncio.run(f())",
        "a",
    ),
    "beside a busy line": ("t = start('a')\nwhile True: pass", "a"),
    "by a cell that is marked": ("%%sync\nt = start('a')\nnever.wait()", "a"),
    "by an awaiting cell": ("t = start('a')\nawait asyncio.sleep(60)", "a"),
    "in a group that awaits": ("await group('a', 'b')", "ab"),
}


@pytest.fixture
def prepared(notebook: Notebook) -> Iterator[Notebook]:
    assert notebook.run(PREPARE).wait_for_text("earlier").status == "ok"
    yield notebook
    notebook.run("[one.cancel() for one in asyncio.all_tasks() if 'worker' in repr(one)]")
    assert notebook.run("await asyncio.sleep(0)").status == "ok"


def ended(notebook: Notebook, names: str) -> None:
    assert notebook.run(f"await all_ended({names!r})").result == str(sorted(names))
    assert notebook.run("await go_on('earlier')").result == "['earlier']"


@pytest.mark.parametrize("how", INTERRUPTS)
@pytest.mark.parametrize(("code", "names"), list(STARTED.values()), ids=STARTED)
def test_the_tasks_of_a_stopped_cell_end(code: str, names: str, how: str, prepared: Notebook) -> None:
    cell = prepared.submit(code)
    cell.wait_for(lambda cell: set(names) <= set(cell.stdout.split()), "its tasks")
    prepared.interrupt(how)
    assert cell.wait().reply["ename"] == "KeyboardInterrupt"
    cell.wait_for(lambda cell: "still run" not in cell.receipt, "the end of its tasks")
    ended(prepared, names)


def test_the_tasks_of_a_plain_cell_that_ends_by_itself_go_on(prepared: Notebook) -> None:
    for code in ("t = start('a')", "t = start('b'); 1 / 0"):
        prepared.run(code).wait_for_text(code[11])
    assert prepared.run("await go_on('a', 'b')").result == "['a', 'b', 'earlier']"


def test_with_plain_cells_on_the_loop_they_end_too(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(PREPARE).wait_for_text("earlier")
    fresh_notebook.run("%plain_cells loop")
    cell = fresh_notebook.submit("t = start('a')\nnever.wait(0.2)\nawait asyncio.sleep(0)\nnever.wait()")
    cell.wait_for_text("a")
    fresh_notebook.interrupt("SIGINT")
    assert cell.wait().reply["ename"] == "KeyboardInterrupt"
    ended(fresh_notebook, "a")


def test_the_tasks_of_a_stopped_background_cell_end(prepared: Notebook) -> None:
    cell = prepared.submit("%%background\nt = start('a')\nwhile True: time.sleep(0.001)").wait_for_text("a")
    prepared.interrupt("SIGINT")
    cell.wait()
    assert cell.error == ("KeyboardInterrupt", "")
    ended(prepared, "a")


def test_a_task_that_keeps_the_loop_busy_does_not_keep_the_stopped_cell(prepared: Notebook) -> None:
    prepared.run("gate = threading.Event()\nasync def block(): print('blocks', flush=True); gate.wait(60)")
    cell = prepared.submit(
        "t = start('a')\nwhile 'a' not in ticks: pass\nu = home.create_task(block())\nnever.wait()"
    )
    cell.wait_for_text("blocks")
    prepared.interrupt("SIGINT")
    assert cell.wait().reply["ename"] == "KeyboardInterrupt"
    assert prepared.run("gate.is_set()").result == "False"
    prepared.run("gate.set()")
    ended(prepared, "a")


def test_a_task_that_does_not_let_itself_be_cancelled_goes_on(prepared: Notebook) -> None:
    prepared.run(
        "async def stubborn():\n    while True:\n        try: await worker('a')\n"
        "        except asyncio.CancelledError:\n            if go: raise\n"
        "go, keep = False, []\n"
    )
    cell = prepared.submit("keep.append(home.create_task(stubborn()))\nnever.wait()").wait_for_text("a")
    prepared.interrupt("SIGINT")
    assert cell.wait().reply["ename"] == "KeyboardInterrupt"
    assert prepared.run("await go_on('a')").result == "['a', 'earlier']"
    prepared.run("go = True; keep[0].cancel()")


def test_the_jobs_of_a_pool_go_on(prepared: Notebook) -> None:
    """As everywhere in Python: nobody can end a thread."""
    prepared.run("pool, gate, done = concurrent.futures.ThreadPoolExecutor(1), threading.Event(), []")
    cell = prepared.submit(
        "def job(n): print('job', n, flush=True); gate.wait(60); done.append(n)\n"
        "jobs = [pool.submit(job, n) for n in range(2)]\nprint('all', flush=True); never.wait()"
    )
    cell.wait_for(lambda cell: "job 0" in cell.text and "all" in cell.text, "both jobs")
    prepared.interrupt("SIGINT")
    assert cell.wait().reply["ename"] == "KeyboardInterrupt"
    assert prepared.run("gate.set(); concurrent.futures.wait(jobs, 30); done").result == "[0, 1]"
    prepared.run("pool.shutdown()")
