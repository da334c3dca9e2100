"""A task factory of the user's: what it makes is run, shown and stopped as other tasks are."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.kernel.client import INTERRUPTS, Notebook
from tests.kernel.leaks import ok

SETUP = """\
import asyncio, time
loop = asyncio.get_event_loop()
class Own(asyncio.Task): pass
def raises(loop, coroutine, **options): coroutine.close(); raise ValueError('no tasks')
def gives_a_number(loop, coroutine, **options): coroutine.close(); return 5
def gives_a_future(loop, coroutine, **options):
    coroutine.close(); future = loop.create_future(); future.set_result(9); return future
async def now(): return 5
async def soon(): await asyncio.sleep(.01); return 6
async def fails(): raise ValueError('lost')
async def blocks(): time.sleep(60)
async def computes():
    while True: pass
def start(): return asyncio.create_task(soon())"""

#: Each makes tasks as asyncio's own does.
FACTORIES = {"a class of its own": "lambda loop, coroutine, **options: Own(coroutine, loop=loop, **options)"}
if sys.version_info >= (3, 12):
    FACTORIES |= {
        "eager": "asyncio.eager_task_factory",
        "eager, of a class": "asyncio.create_eager_task_factory(Own)",
    }
WORKS = {
    "ended at once": ("t = asyncio.create_task(now())\nawait t", "5"),
    "awaited": ("await asyncio.create_task(soon())", "6"),
    "of a plain cell": ("t = start()\nisinstance(t, asyncio.Task)", "True"),
    "of a plain cell, by the loop": ("t = loop.create_task(soon())\nisinstance(t, asyncio.Task)", "True"),
    "gather": ("await asyncio.gather(now(), soon())", "[5, 6]"),
    "run_until_complete": ("loop.run_until_complete(soon())", "6"),
    "of a thread": ("asyncio.run_coroutine_threadsafe(soon(), loop).result(30)", "6"),
    "asyncio.run": ("asyncio.run(soon())", "6"),
    "in the background": ("%%background\nt = asyncio.create_task(soon())\nawait t", "6"),
}
#: Factories that make no task.
BROKEN = {"raises": "ValueError", "gives_a_number": None, "gives_a_future": None}
eager_only = pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")


@pytest.fixture
def prepared(notebook: Notebook) -> Iterator[Notebook]:
    ok(notebook.run(SETUP))
    yield notebook
    ok(notebook.run("loop.set_task_factory(None)"))


@pytest.mark.parametrize(("code", "result"), WORKS.values(), ids=WORKS)
@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
def test_its_tasks_work(factory: str, code: str, result: str, prepared: Notebook) -> None:
    ok(prepared.run(f"loop.set_task_factory({factory})"))
    cell = ok(prepared.run(code))
    assert (cell.result, cell.stderr) == (result, "")
    ok(prepared.run("%wait"))
    if "t =" in code:
        assert ok(prepared.run("await t")).result in ("5", "6")
    assert ok(prepared.run("await asyncio.sleep(0, 42)")).result == "42"


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
def test_a_task_that_fails_is_told(factory: str, prepared: Notebook) -> None:
    ok(prepared.run(f"loop.set_task_factory({factory})"))
    cell = ok(prepared.run("t = asyncio.create_task(fails())"))
    cell.wait_for_text("ValueError: lost")
    assert "A task that this cell started failed" in cell.stderr
    assert "namespace_kernel" not in cell.text


@pytest.mark.parametrize(("factory", "error"), BROKEN.items(), ids=BROKEN)
def test_a_broken_one_harms_only_who_makes_tasks(factory: str, error: str | None, prepared: Notebook) -> None:
    ok(prepared.run(f"loop.set_task_factory({factory})"))
    for way in ("await asyncio.sleep(0)\n", ""):
        made = prepared.run(f"{way}t = loop.create_task(now())")
        assert made.reply.get("ename") in (error, "AttributeError")  # Python 3.13.0 gives it a name
        assert ok(prepared.run("await asyncio.sleep(.01, 42)")).result == "42"
        assert ok(prepared.run("6 * 7")).result == "42"


@eager_only
@pytest.mark.parametrize("how", INTERRUPTS)
@pytest.mark.parametrize("body", ["blocks", "computes"])
def test_stop_ends_a_cell_in_the_first_step_of_its_eager_task(
    body: str, how: str, prepared: Notebook
) -> None:
    ok(prepared.run("loop.set_task_factory(asyncio.eager_task_factory)"))
    ends = f"t = asyncio.create_task({body}())\nprint('went on')"
    cell = prepared.submit(f"await asyncio.sleep(0)\nprint('begun', flush=True)\n{ends}")
    cell.wait_for_text("begun")
    prepared.interrupt(how)
    assert cell.wait().error == ("KeyboardInterrupt", "")
    assert (cell.stdout, cell.stderr) == ("begun\n", "")
    assert ok(prepared.run("await asyncio.create_task(soon())")).result == "6"
