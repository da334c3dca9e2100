"""asgiref, anyio and nest_asyncio: libraries that lead from sync code into async code and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import StartNotebook
from tests.kernel.client import Notebook
from tests.libraries.steps import expect_no_noise, ok, result

DEFINITIONS = "import asyncio, threading\nasync def f():\n    await asyncio.sleep(.01)\n    return 42"


# --- asgiref


def test_async_to_sync_works_in_a_plain_cell(notebook: Notebook) -> None:
    ok(notebook, DEFINITIONS + "\nfrom asgiref.sync import async_to_sync, sync_to_async")
    assert result(notebook, "async_to_sync(f)()") == "42"
    assert result(notebook, "await f()") == "42"
    assert result(notebook, "async_to_sync(f)()") == "42"


def test_sync_to_async_works_in_an_awaiting_cell(notebook: Notebook) -> None:
    ok(notebook, DEFINITIONS + "\nfrom asgiref.sync import async_to_sync, sync_to_async")
    code = "await sync_to_async(lambda: threading.current_thread() is threading.main_thread())()"
    assert result(notebook, code) == "False"
    assert (
        result(notebook, "await asyncio.gather(*[sync_to_async(abs)(-i) for i in range(3)])") == "[0, 1, 2]"
    )


def test_sync_to_async_under_async_to_sync_runs_in_the_thread_that_waits(notebook: Notebook) -> None:
    ok(notebook, DEFINITIONS + "\nfrom asgiref.sync import async_to_sync, sync_to_async")
    ok(notebook, "async def outer(): return await sync_to_async(threading.current_thread)()")
    assert result(notebook, "async_to_sync(outer)().name") == "'MainThread'"


def test_async_to_sync_in_a_thread_runs_on_the_loop_of_the_awaiting_cell(notebook: Notebook) -> None:
    ok(notebook, DEFINITIONS + "\nfrom asgiref.sync import async_to_sync, sync_to_async")
    code = """\
async def loop(): return asyncio.get_running_loop()
await sync_to_async(lambda: async_to_sync(loop)())() is asyncio.get_running_loop()"""
    assert result(notebook, code) == "True"


def test_asgiref_carries_context_variables_both_ways(notebook: Notebook) -> None:
    ok(notebook, "import contextvars\nV = contextvars.ContextVar('V', default='unset')")
    ok(notebook, "from asgiref.sync import async_to_sync, sync_to_async")
    ok(notebook, "async def write(): V.set('by async_to_sync')\nasync_to_sync(write)()")
    assert result(notebook, "V.get()") == "'by async_to_sync'"
    ok(notebook, "await sync_to_async(V.set)('by sync_to_async');")
    assert result(notebook, "V.get()") == "'by sync_to_async'"


# --- anyio


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_run_works_in_a_plain_cell(backend: str, notebook: Notebook) -> None:
    ok(notebook, "import anyio\nasync def nap():\n    await anyio.sleep(.01)\n    return 42")
    assert result(notebook, f"anyio.run(nap, backend={backend!r})") == "42"
    assert result(notebook, "await nap()") == "42"
    assert result(notebook, f"anyio.run(nap, backend={backend!r})") == "42"


def test_an_anyio_task_group_works_in_an_awaiting_cell(notebook: Notebook) -> None:
    cell = ok(
        notebook,
        """\
import anyio
async def work(number):
    await anyio.sleep(.01 * number)
    print(number)
async with anyio.create_task_group() as group:
    for number in (2, 1, 0):
        group.start_soon(work, number)
print("all")""",
    )
    assert cell.stdout == "0\n1\n2\nall\n"


def test_an_anyio_task_group_reports_all_that_failed(notebook: Notebook) -> None:
    cell = notebook.run(
        """\
import anyio
async def fail(): raise ValueError("the child")
async with anyio.create_task_group() as group:
    group.start_soon(fail)
    await anyio.sleep(60)"""
    )
    assert (cell.status, cell.reply["ename"]) == ("error", "ExceptionGroup")
    assert "ValueError: the child" in cell.text
    assert result(notebook, "await anyio.sleep(0); 'goes on'") == "'goes on'"


def test_an_anyio_cancel_scope_ends_a_wait(notebook: Notebook) -> None:
    code = (
        "import anyio\nwith anyio.move_on_after(.01) as scope: await anyio.sleep(60)\nscope.cancelled_caught"
    )
    assert result(notebook, code) == "True"


def test_anyio_s_threads_work_in_an_awaiting_cell_and_lead_back(notebook: Notebook) -> None:
    ok(notebook, "import anyio, threading, time")
    away = "await anyio.to_thread.run_sync(lambda: threading.current_thread() is threading.main_thread())"
    for _ in range(2):
        assert result(notebook, away) == "False"
    back = "await anyio.to_thread.run_sync(lambda: anyio.from_thread.run(anyio.sleep, .01))"
    assert result(notebook, f"{back} is None") == "True"


def test_an_anyio_blocking_portal_works_in_a_plain_cell(notebook: Notebook) -> None:
    code = """\
import anyio.from_thread
async def f():
    await anyio.sleep(.01)
    return 42
with anyio.from_thread.start_blocking_portal() as portal:
    answer = portal.call(f)
answer"""
    assert result(notebook, code) == "42"


def test_anyio_s_events_and_streams_serve_over_several_cells(notebook: Notebook) -> None:
    ok(
        notebook,
        "import anyio, asyncio\nsend, receive = anyio.create_memory_object_stream(5)\nheard = anyio.Event()",
    )
    started = ok(
        notebook,
        """\
async def listen():
    async for item in receive:
        print(item)
    heard.set()
listener = asyncio.create_task(listen())""",
    )
    ok(notebook, "await send.send('one')")
    ok(notebook, "send.send_nowait('two'); await send.aclose()")
    ok(notebook, "await heard.wait()")
    assert started.wait_for_text("two\n").stdout == "one\ntwo\n"
    ok(notebook, "receive.close()")


# --- nest_asyncio


@pytest.fixture(scope="module")
def nested(start_notebook: StartNotebook) -> Iterator[Notebook]:
    """A kernel in which nest_asyncio was applied."""
    notebook = start_notebook()
    ok(notebook, DEFINITIONS + "\nimport nest_asyncio; nest_asyncio.apply()")
    yield notebook
    notebook.close()


def test_nest_asyncio_lets_an_awaiting_cell_run_a_coroutine_to_its_end(nested: Notebook) -> None:
    ways = ("asyncio.run(f())", "asyncio.get_event_loop().run_until_complete(f())")
    for _ in range(2):
        for way in ways:
            assert result(nested, f"await asyncio.sleep(0)\n{way}") == "42"
            assert result(nested, f"{way}, await f()") == "(42, 42)"
            assert result(nested, way) == "42"
            assert result(nested, "await f()") == "42"


def test_tasks_go_on_during_a_nested_run(nested: Notebook) -> None:
    cell = ok(
        nested,
        """\
async def wait(): await rung.wait()
async def ring(): rung.set(); print("rung")
rung = asyncio.Event()
task = asyncio.create_task(ring())
asyncio.run(wait())""",
    )
    assert cell.stdout == "rung\n"


def test_after_nest_asyncio_tasks_of_earlier_cells_run_while_a_plain_cell_blocks(nested: Notebook) -> None:
    ok(nested, "rung = threading.Event()\nasync def ring(): rung.set()")
    ok(nested, "loop = asyncio.get_event_loop(); loop.call_later(.05, rung.set);")
    assert result(nested, "rung.wait(10)") == "True"
    ok(nested, "rung.clear(); task = asyncio.create_task(ring())")
    assert result(nested, "rung.wait(10)") == "True"


def test_after_nest_asyncio_stop_ends_either_kind_of_cell(nested: Notebook) -> None:
    begins = "print('begins', flush=True)"
    # It says so when it waits: a Stop just before it would leave the coroutine of `sleep` behind.
    ok(
        nested,
        "async def waits():\n"
        f"    asyncio.get_running_loop().call_soon(lambda: {begins})\n"
        "    await asyncio.sleep(60)",
    )
    for code in (f"import time; {begins}; time.sleep(60)", "await waits()", "asyncio.run(waits())"):
        cell = nested.submit(code)
        cell.wait_for_text("begins")
        nested.interrupt("SIGINT")
        cell.wait(10)
        assert cell.error is not None and cell.error[0] == "KeyboardInterrupt", cell.text
        assert result(nested, "await f()") == "42"
        assert result(nested, "asyncio.run(f())") == "42"


def test_after_nest_asyncio_a_failed_task_and_a_forgotten_coroutine_are_still_told(nested: Notebook) -> None:
    failed = nested.run("async def boom(): raise ValueError('lost')\nt = asyncio.create_task(boom())")
    failed.wait_for_text("ValueError: lost")
    forgotten = nested.run("f();")
    assert "`f()` was called without `await`" in forgotten.text
    expect_no_noise(nested.run("await f()"))
