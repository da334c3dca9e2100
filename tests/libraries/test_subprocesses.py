"""asyncio's subprocesses in awaiting cells, in tasks, and by `asyncio.run` in plain cells."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.libraries.steps import ok, result

DEFINITIONS = """\
import asyncio, subprocess, threading
from asyncio.subprocess import PIPE
async def echo(text):
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    out, _ = await process.communicate(text.encode())
    return process.returncode, out.decode()
async def end_with(code):
    process = await asyncio.create_subprocess_shell(f"exit {code}")
    return await process.wait()
"""


@pytest.fixture
def ready(notebook: Notebook) -> Notebook:
    """A kernel that knows two coroutines which start a process."""
    ok(notebook, DEFINITIONS)
    return notebook


@pytest.mark.parametrize(
    "call", ["await {}", "asyncio.run({})", "asyncio.get_event_loop().run_until_complete({})"]
)
def test_a_process_is_started_fed_and_waited_for(call: str, ready: Notebook) -> None:
    for _ in range(2):
        assert result(ready, call.format("echo('hello')")) == "(0, 'hello')"
        assert result(ready, call.format("end_with(3)")) == "3"


def test_plain_and_awaiting_cells_start_processes_in_turn(ready: Notebook) -> None:
    for _ in range(5):
        assert result(ready, "asyncio.run(end_with(4))") == "4"
        assert result(ready, "await end_with(5)") == "5"
        assert result(ready, "subprocess.run(['true']).returncode") == "0"


def test_a_process_lives_over_several_cells(ready: Notebook) -> None:
    ok(ready, "process = await asyncio.create_subprocess_exec('cat', stdin=PIPE, stdout=PIPE)")
    ok(ready, "process.stdin.write(b'one\\n'); await process.stdin.drain()")
    assert result(ready, "await process.stdout.readline()") == r"b'one\n'"
    ok(ready, "subprocess.run(['true'])")
    ok(ready, "process.stdin.write(b'two\\n'); await process.stdin.drain()")
    assert result(ready, "await process.stdout.readline()") == r"b'two\n'"
    ok(ready, "process.stdin.close()")
    assert result(ready, "await process.wait()") == "0"


def test_a_task_waits_for_a_process_while_a_plain_cell_blocks(ready: Notebook) -> None:
    ok(
        ready,
        """\
ended = threading.Event()
async def run():
    answer = await echo("from a task")
    ended.set()
    return answer
task = asyncio.create_task(run())""",
    )
    assert result(ready, "ended.wait(10)") == "True"
    assert result(ready, "await task") == "(0, 'from a task')"


def test_a_process_that_ends_during_a_plain_cell_is_waited_for_in_the_next(ready: Notebook) -> None:
    ok(ready, "process = await asyncio.create_subprocess_exec('cat', stdin=PIPE)")
    ok(ready, "import os; os.kill(process.pid, 9)")
    assert result(ready, "await process.wait()") == "-9"


def test_many_processes_run_at_once(ready: Notebook) -> None:
    assert (
        result(ready, "await asyncio.gather(*[end_with(n) for n in range(8)])") == "[0, 1, 2, 3, 4, 5, 6, 7]"
    )


def test_stop_ends_a_wait_for_a_process(ready: Notebook) -> None:
    ok(
        ready,
        "async def sleep():\n    process = await asyncio.create_subprocess_exec('sleep', '60')\n"
        "    print('begins', flush=True)\n    return await process.wait()",
    )
    for call in ("await sleep()", "asyncio.run(sleep())"):
        cell = ready.submit(call)
        cell.wait_for_text("begins")
        ready.interrupt("SIGINT")
        cell.wait(10)
        assert cell.error is not None and cell.error[0] == "KeyboardInterrupt", cell.text
        assert result(ready, "await end_with(0), asyncio.run") is not None
        assert result(ready, "asyncio.run(end_with(6))") == "6"
