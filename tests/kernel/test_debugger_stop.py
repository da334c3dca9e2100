"""The debugger at a breakpoint when something happens: Stop, the kernel's end, no answer to a request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel.cells import PATIENCE, Cell, Request
from tests.kernel.client import INTERRUPTS, Notebook
from tests.kernel.test_debugger import AWAITING, COROUTINE, FUNCTION, PLAIN, Debugger, Stop, attached
from tests.kernel.test_subshells import Subshell, create, delete

BOUND = PATIENCE
TICK = """\
ticks = 0
async def tick():
    global ticks
    while True:
        await asyncio.sleep(.01)
        ticks += 1
task = asyncio.create_task(tick())"""
AFTERWARDS = {
    "1 + 1": "2",
    "await asyncio.sleep(0, 3)": "3",
    "before = ticks\nwhile ticks == before: time.sleep(.01)\nticks > before": "True",
}


@pytest.fixture
def debugger(notebook: Notebook) -> Iterator[Debugger]:
    with attached(notebook) as debugger:
        yield debugger


@pytest.fixture
def subshell(notebook: Notebook) -> Iterator[Subshell]:
    subshell = create(notebook)
    yield subshell
    delete(subshell)


# --- in a subshell


@pytest.mark.parametrize("code", [PLAIN, AWAITING], ids=["plain", "awaiting"])
def test_a_breakpoint_in_a_subshells_cell_is_hit(code: str, debugger: Debugger, subshell: Subshell) -> None:
    debugger.break_at(code, 2)
    for _ in range(2):
        cell = subshell.submit(code)
        stop = debugger.wait_stopped()
        assert stop.top == ("<module>", 2)
        assert stop.variables("Globals")["a"] == "20"
        assert stop.evaluate("a + 1") == "21"
        stop = stop.step("next")
        assert stop.top == ("<module>", 3)
        assert not cell.done
        stop.go()
        assert cell.wait().result == "42"
        assert subshell.run("1 + 1").result == "2"


def test_a_breakpoint_in_a_function_is_hit_from_a_subshell(debugger: Debugger, subshell: Subshell) -> None:
    debugger.break_at(FUNCTION, 2)
    debugger.notebook.run(FUNCTION)
    cell = subshell.submit("function(21)")
    stop = debugger.wait_stopped()
    assert stop.top == ("function", 2)
    assert stop.variables() == {"x": "21"}
    stop.go()
    assert cell.wait().result == "42"


def test_a_breakpoint_in_a_callback_is_hit_and_later_messages_are_handled(debugger: Debugger) -> None:
    callback = "def callback(message):\n    seen.append(message['content']['data'])\n    return seen"
    debugger.break_at(callback, 2)
    notebook = debugger.notebook
    notebook.run(callback)
    notebook.run("""\
from comm import create_comm
seen = []; comm = create_comm(target_name="nobody"); comm.on_msg(callback)""")
    comm_id = notebook.run("print(comm.comm_id)").stdout.strip()
    for number in (1, 2):
        message = notebook.request("comm_msg", {"comm_id": comm_id, "data": {"n": number}})
        stop = debugger.wait_stopped()
        assert stop.top == ("callback", 2)
        stop.go()
        message.wait_idle()
    assert notebook.run("seen").result == "[{'n': 1}, {'n': 2}]"


# --- Stop


def end_by_stop(how: str, cell: Cell, debugger: Debugger) -> None:
    debugger.notebook.interrupt(how)
    cell.wait(BOUND)
    assert cell.error == ("KeyboardInterrupt", "")


def expect_all_runs(debugger: Debugger) -> None:
    for code, result in AFTERWARDS.items():
        assert debugger.notebook.run(code, timeout=BOUND).result == result
    assert debugger.info["stoppedThreads"] == []


@pytest.mark.parametrize("how", INTERRUPTS)
@pytest.mark.parametrize("code", [PLAIN, AWAITING], ids=["plain", "awaiting"])
def test_stop_ends_a_cell_at_a_breakpoint_and_all_else_runs_on(
    how: str, code: str, debugger: Debugger
) -> None:
    debugger.notebook.run(TICK)
    debugger.break_at(code, 2)
    for _ in range(2):  # the second time shows that breakpoints are still hit
        cell = debugger.notebook.submit(code)
        assert debugger.wait_stopped().top == ("<module>", 2)
        end_by_stop(how, cell, debugger)
        assert "line 2" in cell.traceback
        expect_all_runs(debugger)
    debugger.notebook.run("task.cancel()")


def test_stop_ends_a_cell_that_waits_for_a_task_at_a_breakpoint(debugger: Debugger) -> None:
    debugger.notebook.run(TICK)
    debugger.break_at(COROUTINE, 3)
    debugger.notebook.run(COROUTINE)
    cell = debugger.notebook.submit("await asyncio.create_task(coroutine(21))")
    assert debugger.wait_stopped().top == ("coroutine", 3)
    end_by_stop("SIGINT", cell, debugger)
    expect_all_runs(debugger)
    debugger.notebook.run("task.cancel()")


def test_stop_ends_a_plain_cell_while_a_task_is_at_a_breakpoint(debugger: Debugger) -> None:
    debugger.notebook.run(TICK)
    debugger.break_at(COROUTINE, 3)
    debugger.notebook.run(COROUTINE)
    cell = debugger.notebook.submit("""\
other = asyncio.get_event_loop().create_task(coroutine(21))
time.sleep(60)""")
    assert debugger.wait_stopped().top == ("coroutine", 3)
    end_by_stop("SIGINT", cell, debugger)
    expect_all_runs(debugger)
    debugger.notebook.run("task.cancel()")


def test_stop_ends_a_subshells_cell_at_a_breakpoint(debugger: Debugger, subshell: Subshell) -> None:
    debugger.notebook.run(TICK)
    debugger.break_at(PLAIN, 2)
    for _ in range(2):
        cell = subshell.submit(PLAIN)
        assert debugger.wait_stopped().top == ("<module>", 2)
        end_by_stop("SIGINT", cell, debugger)
        assert subshell.run("1 + 1").result == "2"
    expect_all_runs(debugger)
    debugger.notebook.run("task.cancel()")


# --- the end


@pytest.mark.parametrize("restart", [False, True], ids=["shutdown", "restart"])
@pytest.mark.parametrize("code", [PLAIN, AWAITING], ids=["plain", "awaiting"])
def test_a_kernel_that_is_at_a_breakpoint_ends_in_time(
    restart: bool, code: str, fresh_notebook: Notebook
) -> None:
    fresh_notebook.run("import asyncio")
    debugger = Debugger(fresh_notebook)
    debugger.attach()
    debugger.break_at(code, 2)
    fresh_notebook.submit(code)
    debugger.wait_stopped()
    asked = fresh_notebook.request("shutdown_request", {"restart": restart}, channel="control")
    fresh_notebook.wait_exit(BOUND)
    assert asked.wait(BOUND).reply == {"status": "ok", "restart": restart}


def test_a_kernel_with_a_task_at_a_breakpoint_ends_in_time(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import asyncio, time")
    debugger = Debugger(fresh_notebook)
    debugger.attach()
    debugger.break_at(COROUTINE, 3)
    fresh_notebook.run(COROUTINE)
    fresh_notebook.submit("task = asyncio.get_event_loop().create_task(coroutine(21)); time.sleep(60)")
    debugger.wait_stopped()
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    fresh_notebook.wait_exit(BOUND)


def test_after_a_restart_the_debugger_is_not_started_and_can_be(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("1")
    debugger = Debugger(fresh_notebook)
    debugger.attach()
    debugger.break_at(PLAIN, 2)
    assert debugger.info["isStarted"] and debugger.info["breakpoints"]
    fresh_notebook.submit(PLAIN)
    debugger.wait_stopped()
    first = fresh_notebook.pid
    fresh_notebook.manager.restart_kernel(now=False)
    assert fresh_notebook.pid != first
    fresh_notebook.wait_ready()
    info = debugger.info
    assert not info["isStarted"]
    assert info["breakpoints"] == [] and info["stoppedThreads"] == []
    debugger.attach()
    debugger.break_at(PLAIN, 2)
    cell = fresh_notebook.submit(PLAIN)
    debugger.wait_stopped().go()
    assert cell.wait().result == "42"


# --- requests that debugpy does not answer


@pytest.fixture
def endless(debugger: Debugger) -> Iterator[tuple[Debugger, Stop, Cell]]:
    """At a stop of a cell, under a debugger that waits for three seconds."""
    notebook = debugger.notebook
    notebook.run("import threading\ngo = threading.Event()\nget_ipython().kernel.debug_patience = 3.0")
    debugger.break_at(PLAIN, 2)
    cell = notebook.submit(PLAIN)
    yield debugger, debugger.wait_stopped(), cell
    if not cell.done:
        notebook.interrupt("SIGINT")
        cell.wait()
    notebook.run("get_ipython().kernel.debug_patience = 30.0")


def ask_forever(debugger: Debugger, stop: Stop, cell: Cell) -> Request:
    """Asks what is never answered; returns when debugpy has begun with it."""
    expression = "print('asked') or go.wait()"
    arguments = {"expression": expression, "frameId": stop.frame_id, "context": "repl"}
    content = {"type": "request", "seq": 1000, "command": "evaluate", "arguments": arguments}
    request = debugger.notebook.request("debug_request", content, channel="control")
    cell.wait_for_text("asked")
    return request


def test_a_request_without_an_answer_is_answered_with_an_error(endless: tuple[Debugger, Stop, Cell]) -> None:
    reply = ask_forever(*endless).wait(BOUND).reply
    assert not reply["success"]
    assert reply["command"] == "evaluate" and reply["request_seq"] == 1000
    assert "did not answer `evaluate` within 3 seconds" in reply["message"]


def test_other_requests_do_not_wait_for_the_answer(endless: tuple[Debugger, Stop, Cell]) -> None:
    debugger, _, cell = endless
    asked = ask_forever(*endless)
    assert debugger.info["isStarted"]
    assert debugger.do("dumpCell", code="1")["sourcePath"]
    threads = debugger.do("threads")["threads"]
    assert "MainThread" in [thread["name"] for thread in threads]
    assert debugger.notebook.ask("kernel_info_request", channel="control")["status"] == "ok"
    assert not asked.done and not cell.done
    asked.wait(BOUND)


@pytest.mark.parametrize("how", INTERRUPTS)
def test_stop_ends_a_request_without_an_answer(how: str, endless: tuple[Debugger, Stop, Cell]) -> None:
    debugger, _, cell = endless
    ask_forever(*endless)
    debugger.notebook.interrupt(how)
    cell.wait(BOUND)
    assert debugger.notebook.run("1 + 1", timeout=BOUND).result == "2"


def test_what_cannot_be_answered_is_an_error_with_its_reason(debugger: Debugger) -> None:
    reply = debugger.ask("setBreakpoints")
    assert not reply["success"]
    assert reply["message"] == "KeyError: 'source'"
    assert debugger.info["isStarted"]


def test_the_kernel_ends_in_time_under_a_request_without_an_answer(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import threading; go = threading.Event()")
    fresh_notebook.run("get_ipython().kernel.debug_patience = 10 * 60.0")
    debugger = Debugger(fresh_notebook)
    debugger.attach()
    debugger.break_at(PLAIN, 2)
    cell = fresh_notebook.submit(PLAIN)
    ask_forever(debugger, debugger.wait_stopped(), cell)
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    fresh_notebook.wait_exit(BOUND)
