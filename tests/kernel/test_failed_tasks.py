"""A task's failure: shown once, under its cell, from the user's line on. And the end of all tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.cells import Cell, plain
from tests.kernel.client import Notebook
from tests.kernel.leaks import SETUP, ok

BOOM = """
async def boom(text):
    await asyncio.sleep(0)
    raise ValueError(text)"""
HEADING = "A task that this cell started failed:"
OF_CALLBACK = "A callback that this cell scheduled failed:"
# Cells that start what fails with "lost"; `t` keeps it.
FAILING = {
    "a task": "t = asyncio.create_task(boom('lost'))",
    "a task that nobody keeps": "asyncio.create_task(boom('lost')); t = None",
    "one that fails while its cell runs": "t = asyncio.create_task(boom('lost')); await asyncio.sleep(.01)",
    "a future of it": "t = asyncio.ensure_future(boom('lost'))",
    "gather": "t = asyncio.gather(boom('lost'), asyncio.sleep(0))",
    "gather that nobody keeps": "asyncio.gather(boom('lost'), asyncio.sleep(0)); t = None",
    "gather, all of which fail": "t = asyncio.gather(boom('lost'), boom('lost'), boom('lost'))",
    "gather that fails while its cell runs": "t = asyncio.gather(boom('lost')); await asyncio.sleep(.01)",
    "gather of a plain cell": "def start(): return asyncio.gather(boom('lost'), f())\nt = start()",
    "wait_for": "t = asyncio.create_task(asyncio.wait_for(boom('lost'), 9))",
    "shield": "t = asyncio.shield(boom('lost'))",
    "of another": "async def g(): await asyncio.ensure_future(boom('lost'))\nt = asyncio.create_task(g())",
}
CALLBACKS = {
    "call_soon": "asyncio.get_event_loop().call_soon(fail); t = None",
    "call_later": "asyncio.get_event_loop().call_later(.01, fail); t = None",
    "call_soon_threadsafe": "asyncio.get_event_loop().call_soon_threadsafe(fail); t = None",
    "a callback of a task": "t = asyncio.create_task(f()); t.add_done_callback(fail)",
}
# The same without a failure to tell: somebody takes it.
RETRIEVED = {
    "awaited": "try: await boom('lost')\nexcept ValueError: pass",
    "gather, awaited": "try: await asyncio.gather(boom('lost'), boom('lost'))\nexcept ValueError: pass",
    "gather that returns exceptions": "t = asyncio.gather(boom('lost'), return_exceptions=True)",
    "awaited at once": "t = asyncio.create_task(boom('lost'))\ntry: await t\nexcept ValueError: pass",
    "asked": "t = asyncio.create_task(boom('lost')); t.add_done_callback(lambda t: t.exception())",
    "a gather, asked": "t = asyncio.gather(boom('lost')); t.add_done_callback(lambda t: t.exception())",
    "cancelled": "t = asyncio.create_task(asyncio.sleep(60)); t.cancel()",
    "a gather that is cancelled": "t = asyncio.gather(asyncio.sleep(60)); t.cancel()",
    "in a loop of its own": "try: asyncio.run(boom('lost'))\nexcept ValueError: pass",
}


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    ok(notebook.run(SETUP + BOOM))
    return notebook


def stays_silent(notebook: Notebook, *cells: Cell) -> None:
    """Nothing more comes, also when everything is let go of."""
    before = [cell.stderr.strip() for cell in cells]
    late = ok(notebook.run("t = asyncio.create_task(boom('the last'))"))
    late.wait_for_text("ValueError: the last")
    dropped = ok(notebook.run("t = None; gc.collect(); gc.collect(); await asyncio.sleep(.06)"))
    assert dropped.text == ""
    assert [cell.stderr.strip() for cell in cells] == before
    assert not [m for m in notebook.strays if m["msg_type"] in ("stream", "display_data", "error")]


@pytest.mark.parametrize("code", FAILING.values(), ids=FAILING)
def test_a_failure_is_shown_once_from_the_user_s_line_on(code: str, prepared: Notebook) -> None:
    cell = ok(prepared.run(code))
    cell.wait_for_text("ValueError: lost")
    stays_silent(prepared, cell)
    lines = plain(cell.stderr).splitlines()
    assert lines.count(HEADING) == lines.count("ValueError: lost") == 1
    assert lines[0] == HEADING
    assert lines[2].split() == ["ValueError", "Traceback", "(most", "recent", "call", "last)"]
    assert lines[3].startswith("Cell In["), "the first frame is the user's"
    assert "namespace_kernel" not in cell.text


@pytest.mark.parametrize("code", CALLBACKS.values(), ids=CALLBACKS)
def test_so_is_a_callback_s(code: str, prepared: Notebook) -> None:
    cell = ok(prepared.run(f"def fail(*_): raise KeyError('lost')\n{code}"))
    cell.wait_for_text("KeyError: 'lost'")
    stays_silent(prepared, cell)
    assert plain(cell.stderr).splitlines()[0] == OF_CALLBACK
    assert cell.text.count("KeyError: 'lost'") == 1
    frames = [line for line in cell.text.splitlines() if line.startswith(("Cell In[", "File "))]
    assert len(frames) == 1
    assert frames[0].endswith("line 1, in fail(*_)")


@pytest.mark.parametrize("code", (FAILING | CALLBACKS).values(), ids=FAILING | CALLBACKS)
def test_where_the_user_has_set_a_handler_python_calls_that(code: str, prepared: Notebook) -> None:
    ok(
        prepared.run("""\
def fail(*_): raise ValueError('lost')
def handle(loop, details): handled.append(repr(details['exception']))
handled, loop = [], asyncio.get_event_loop()
loop.set_exception_handler(handle)""")
    )
    cell = ok(prepared.run(code))
    seen = ok(prepared.run("t = None\nwhile not handled: gc.collect(); await asyncio.sleep(.01)\nhandled"))
    ok(prepared.run("loop.set_exception_handler(None)"))
    stays_silent(prepared, cell)
    assert (seen.result, cell.stderr) == ("[\"ValueError('lost')\"]", "")


def test_gather_in_plain_cells_notices_all_that_ends_meanwhile(prepared: Notebook) -> None:
    ok(
        prepared.run("""\
import sys
def start(n): return asyncio.gather(*[f(1) for _ in range(n)], asyncio.ensure_future(f(2)))
def start_twice(coroutine): return asyncio.gather(coroutine, coroutine, f(6))""")
    )
    ok(prepared.run("interval = sys.getswitchinterval(); sys.setswitchinterval(1e-6)"))
    ok(prepared.run("started = [start(20) for n in range(100)]; twice = start_twice(f(5))"))
    ok(prepared.run("sys.setswitchinterval(interval)"))
    results = ok(
        prepared.run("[await asyncio.wait_for(one, 9) == [1] * 20 + [2] for one in started].count(True)")
    )
    assert results.result == "100"
    assert ok(prepared.run("await twice")).result == "[5, 5, 6]"
    own = """\
def run():
    loop = asyncio.new_event_loop(); asyncio.set_event_loop(loop)
    result = loop.run_until_complete(asyncio.gather(f(1), asyncio.shield(f(2)), loop.create_task(f(3))))
    asyncio.set_event_loop(None); loop.close()
    return result
run()"""
    assert ok(prepared.run(own)).result == "[1, 2, 3]", "in a loop of its own"
    assert prepared.run("def start(): asyncio.gather(5)\nstart()").error == (
        "TypeError",
        "An asyncio.Future, a coroutine or an awaitable is required",
    )


@pytest.mark.parametrize("code", RETRIEVED.values(), ids=RETRIEVED)
def test_one_that_somebody_takes_is_not_shown(code: str, prepared: Notebook) -> None:
    cell = ok(prepared.run(code))
    stays_silent(prepared, cell)
    assert cell.stderr == ""


def test_a_gather_that_a_later_cell_awaits_is_raised_there(prepared: Notebook) -> None:
    ok(prepared.run("go = asyncio.Event()\nasync def later(): await go.wait(); await boom('lost')"))
    started = ok(prepared.run("t = asyncio.gather(later(), f(1))"))
    assert prepared.run("go.set(); await t").error == ("ValueError", "lost")
    assert started.stderr == ""


# --- the end

ENDING = """\
import asyncio, pathlib
async def work(name, seconds):
    try: await asyncio.Event().wait()
    finally:
        await asyncio.sleep(seconds)
        pathlib.Path(name).write_text("finally")
async def generate():
    try:
        while True: yield 1
    finally:
        await asyncio.sleep(0)
        pathlib.Path("generator").write_text("finally")
tasks = [asyncio.create_task(work(f"task {n}", n / 100)) for n in range(3)]
generator = generate(); await anext(generator)
await asyncio.sleep(.01)"""


@pytest.mark.parametrize("restart", [False, True], ids=["shutdown", "restart"])
@pytest.mark.parametrize("last", ["1", "import time; time.sleep(3600)", "await asyncio.Event().wait()"])
def test_at_the_end_tasks_and_generators_run_their_finally(
    last: str, restart: bool, fresh_notebook: Notebook
) -> None:
    directory = Path(ok(fresh_notebook.run("import os; os.getcwd()")).result or "").name
    place = fresh_notebook.log_path.parent
    assert place.name == directory.strip("'")
    ok(fresh_notebook.run(ENDING))
    fresh_notebook.submit(last).wait_started()
    fresh_notebook.request("shutdown_request", {"restart": restart}, channel="control")
    fresh_notebook.wait_exit()
    written = {name: (place / name).exists() for name in ("task 0", "task 1", "task 2", "generator")}
    assert written == dict.fromkeys(written, True)


def test_a_task_that_does_not_end_does_not_keep_the_kernel(fresh_notebook: Notebook) -> None:
    ok(
        fresh_notebook.run("""\
import asyncio
async def stubborn():
    while True:
        try: await asyncio.Event().wait()
        except asyncio.CancelledError: pass
async def generate():
    try: yield 1
    finally: await asyncio.Event().wait()
t = asyncio.create_task(stubborn()); g = generate(); await anext(g)""")
    )
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert fresh_notebook.wait_exit() == 0
    assert "Traceback" not in fresh_notebook.log
