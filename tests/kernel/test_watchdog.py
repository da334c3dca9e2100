"""A line of code that blocks the user loop while tasks wait is named, with what to do about it."""

from __future__ import annotations

import time

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook

PREPARE = """\
import asyncio, subprocess, threading, time
%config NamespaceKernel.blocking_time = 0.2
async def tick():
    while True: await asyncio.sleep(.01)
def stop_ticking():
    for t in asyncio.all_tasks(loop): t.cancel()
loop = asyncio.get_event_loop()"""
LEAVE_OUT = "or remove `await`: cells without it run beside your tasks"
#: The code, the line that is named, and what to use instead.
BLOCKS = {
    "sleeping": ("time.sleep(1)", "time.sleep(1)", "await asyncio.sleep(1)"),
    "computing": (
        "end = time.monotonic() + 1\nwhile time.monotonic() < end: pass",
        "while time",
        "await asyncio.to_thread(",
    ),
    "waiting for a thread": (
        "threading.Event().wait(1)",
        "threading.Event().wait(1)",
        "await asyncio.to_thread(threading.Event().wait, 1)",
    ),
    "in a library": (
        "subprocess.run(['sleep', '1'])",
        "subprocess.run(['sleep', '1'])",
        "await asyncio.to_thread(subprocess.run, ['sleep', '1'])",
    ),
}


@pytest.fixture
def ready(notebook: Notebook) -> Notebook:
    """A kernel that says it after a fifth of a second, and has no tasks."""
    assert notebook.run(PREPARE).status == "ok"
    assert notebook.run("stop_ticking()").status == "ok"
    assert notebook.run("await asyncio.sleep(0)").status == "ok"
    return notebook


@pytest.fixture
def ticking(ready: Notebook) -> Notebook:
    """The same, and a task that wants to run every now and then."""
    assert ready.run("t = asyncio.create_task(tick()); await asyncio.sleep(0)").status == "ok"
    return ready


def lines_about_blocking(cell: Cell) -> list[str]:
    return [line for line in cell.receipt.splitlines() if "the user loop" in line]


@pytest.mark.parametrize("block", BLOCKS)
def test_an_async_cell_that_blocks_while_a_task_waits_is_told_its_line_and_both_remedies(
    block: str, ticking: Notebook
) -> None:
    code, line, use = BLOCKS[block]
    cell = ticking.run(f"await asyncio.sleep(0)\n{code};")
    (said,) = lines_about_blocking(cell)
    number = 3 if block == "computing" else 2
    assert said.startswith(f"line {number} of In [{cell.count}] blocked the user loop for "), said
    assert "while tasks wait" in said
    assert f"`{line}" in said
    assert f"use `{use}" in said and said.endswith(LEAVE_OUT)


def test_a_function_that_blocks_is_named_by_the_line_that_calls_it_not_by_its_def(ticking: Notebook) -> None:
    cell = ticking.run("await asyncio.sleep(0)\ndef slow(): time.sleep(1)\nslow()")
    (said,) = lines_about_blocking(cell)
    assert said.startswith(f"line 3 of In [{cell.count}] blocked") and "`slow()`" in said
    assert "use `await asyncio.to_thread(slow)`" in said
    ok = ticking.run("await asyncio.to_thread(slow)")
    assert (ok.status, ok.receipt) == ("ok", "")


FOREVER = {
    "at once": (
        "asyncio.run_coroutine_threadsafe(asyncio.sleep(0, 5), asyncio.get_running_loop()).result()",
        "await asyncio.sleep(0, 5)",
    ),
    "by a name": (
        "job = asyncio.run_coroutine_threadsafe(asyncio.sleep(0, 5), loop)\njob.result()",
        "await asyncio.wrap_future(job)",
    ),
    "in a function": (
        "def ask(): return asyncio.run_coroutine_threadsafe(asyncio.sleep(0, 5), loop).result()\nask()",
        "await asyncio.sleep(0, 5)",
    ),
}


@pytest.mark.parametrize("waits", FOREVER)
def test_who_waits_for_the_loop_on_its_own_thread_is_told_that_it_is_for_ever(
    waits: str, ready: Notebook
) -> None:
    code, use = FOREVER[waits]
    cell = ready.submit(f"await asyncio.sleep(0)\n{code}")
    cell.wait_for(lambda cell: "waits for ever" in cell.receipt, "the line about it")
    assert f"Stop the cell, and use `{use}`" in cell.receipt
    ready.interrupt("SIGINT")
    assert cell.wait().error == ("KeyboardInterrupt", "")
    before = code.rpartition("\n")[0] if waits == "by a name" else "pass"
    assert ready.run(f"{before}\n{use}").result == "5"


def test_it_is_said_while_the_line_still_blocks(ticking: Notebook) -> None:
    ticking.run("gate = threading.Event()")
    cell = ticking.submit("await asyncio.sleep(0)\ngate.wait(30);")
    cell.wait_for(lambda cell: bool(cell.receipts), "the line about it")
    assert not cell.done
    assert "has been blocking the user loop for" in cell.receipt
    ticking.interrupt("SIGINT")
    assert cell.wait().error == ("KeyboardInterrupt", "")
    cell.wait_for(lambda cell: "] blocked the user loop for" in cell.receipt, "the last word")
    assert len(lines_about_blocking(cell)) == 1


SERVERS = {
    "in a task": """\
async def serve():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port.set_result(server.sockets[0].getsockname()[1])
    await server.serve_forever()
t = asyncio.create_task(serve()); port = await port""",
    "without a task": """\
server = await asyncio.start_server(answer, "127.0.0.1", 0)
port = server.sockets[0].getsockname()[1]""",
}


@pytest.mark.parametrize("server", SERVERS)
def test_the_classic_deadlock_a_blocking_request_to_a_server_of_the_same_loop_is_told(
    server: str, ready: Notebook
) -> None:
    ready.run("""\
import requests
async def answer(reader, writer):
    await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"); writer.close()
port = loop.create_future()""")
    assert ready.run(SERVERS[server]).status == "ok"
    time.sleep(0.3)  # nothing happens that could be awaited: without tasks and cells it looks no more
    cell = ready.run("await asyncio.sleep(0)\nrequests.get(f'http://127.0.0.1:{port}', timeout=3).text")
    assert cell.reply["ename"] == "ReadTimeout"
    assert len(lines_about_blocking(cell)) == 1, ready.story()
    (said,) = lines_about_blocking(cell)
    assert said.startswith(f"line 2 of In [{cell.count}] blocked")
    assert ("tasks wait" if server == "in a task" else "a client of its server waits") in said
    assert LEAVE_OUT in said
    plain = ready.run("requests.get(f'http://127.0.0.1:{port}', timeout=30).text")
    assert (plain.result, plain.receipt) == ("'ok'", "")


@pytest.mark.parametrize("meanwhile", ["idle", "plain"])
def test_a_task_that_blocks_is_told_under_its_cell_with_the_remedy_that_fits(
    meanwhile: str, ticking: Notebook
) -> None:
    cell = ticking.run("""\
done = threading.Event()
async def block():
    await asyncio.sleep(.05)
    time.sleep(1)
    done.set()
b = asyncio.create_task(block())""")
    other = ticking.run("done.wait(30)") if meanwhile == "plain" else None
    cell.wait_for(lambda cell: "] blocked the user loop for" in cell.receipt, "the line about it")
    (said,) = lines_about_blocking(cell)
    assert said.startswith(f"line 4 of In [{cell.count}] blocked the user loop for ")
    assert "use `await asyncio.sleep(1)`" in said and LEAVE_OUT not in said
    assert other is None or other.receipt == ""


def test_a_callback_that_blocks_is_told_under_its_cell(ticking: Notebook) -> None:
    cell = ticking.run("""\
u = asyncio.create_task(tick())
def block():
    time.sleep(1)
loop.call_later(.05, block);""")
    cell.wait_for(lambda cell: "] blocked the user loop for" in cell.receipt, "the line about it")
    (said,) = lines_about_blocking(cell)
    assert said.startswith(f"line 3 of In [{cell.count}] blocked the user loop for ")
    assert said.endswith("let a thread do it: `loop.run_in_executor(None, block)`")


def test_it_is_said_once_for_each_block(ticking: Notebook) -> None:
    cell = ticking.run("await asyncio.sleep(0)\ntime.sleep(1)\nawait asyncio.sleep(.05)\ntime.sleep(1);")
    said = lines_about_blocking(cell)
    assert [line.partition(" of ")[0] for line in said] == ["line 2", "line 4"]
    # Each is shown when it is found, and once more when it is over.
    assert len(cell.receipts) <= 6


SILENT = {
    "a plain cell that blocks": "time.sleep(1)",
    "a plain cell that computes": "end = time.monotonic() + 1\nwhile time.monotonic() < end: pass",
    "an async cell that waits": "await asyncio.sleep(1)",
    "an async cell that asks a thread": "await asyncio.to_thread(time.sleep, 1)",
    "many short callbacks": """\
end = time.monotonic() + 1
while time.monotonic() < end: await asyncio.sleep(0); sum(range(10_000))""",
    "a short block": "await asyncio.sleep(0); time.sleep(.02)",
}


@pytest.mark.parametrize("silent", SILENT.values(), ids=SILENT)
def test_nothing_is_said_about(silent: str, ticking: Notebook) -> None:
    cell = ticking.run(silent)
    assert (cell.status, cell.receipt, cell.stderr) == ("ok", "", "")


ALONE = {
    "a block": "await asyncio.sleep(0); time.sleep(1)",
    "its own timeout": "async with asyncio.timeout(.3) as own:\n    time.sleep(1)\n    own.reschedule(None)",
    "a task that only waits": "w = asyncio.create_task(asyncio.sleep(3600))\n"
    "await asyncio.sleep(0); time.sleep(1)",
    "its own connection": """\
import socket
ours, theirs = socket.socketpair()
reader, writer = await asyncio.open_connection(sock=ours)
theirs.send(b"data")
time.sleep(1); writer.close()""",
}


@pytest.mark.parametrize("alone", ALONE.values(), ids=ALONE)
def test_nothing_is_said_when_nobody_waits(alone: str, ready: Notebook) -> None:
    cell = ready.run(alone)
    assert cell.status == "ok", cell.text
    assert lines_about_blocking(cell) == []


def test_nothing_is_said_when_it_is_switched_off(ticking: Notebook) -> None:
    ticking.run("%config NamespaceKernel.blocking_time = 0")
    cell = ticking.run("await asyncio.sleep(0); time.sleep(1)")
    assert (cell.status, cell.receipt) == ("ok", "")


def test_nothing_is_said_about_nested_loops_after_nest_asyncio(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(PREPARE)
    fresh_notebook.run("import nest_asyncio; nest_asyncio.apply()")
    fresh_notebook.run("t = asyncio.create_task(tick()); await asyncio.sleep(0)")
    for nested in (
        "asyncio.get_running_loop().run_until_complete(asyncio.sleep(1))",
        "asyncio.run(asyncio.sleep(1))",
    ):
        cell = fresh_notebook.run(f"await asyncio.sleep(0); {nested}")
        assert (cell.status, cell.receipt) == ("ok", ""), cell.text
    cell = fresh_notebook.run("await asyncio.sleep(0)\ntime.sleep(1)")
    assert len(lines_about_blocking(cell)) == 1
