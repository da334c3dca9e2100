"""The debugger at a stop and over its life: variables, other requests, Stop, detaching, restart."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.kernel.client import INTERRUPTS, Notebook
from tests.kernel.test_debugger import AWAITING, FUNCTION, PLAIN, Debugger, attached
from tests.kernel.test_subshells import create

each_kind = pytest.mark.parametrize("code", [PLAIN, AWAITING], ids=["plain", "awaiting"])
BOUND = 20.0


@pytest.fixture
def debugger(notebook: Notebook) -> Iterator[Debugger]:
    with attached(notebook) as debugger:
        yield debugger


# --- at a stop


@each_kind
def test_the_namespace_is_seen_and_changed_at_a_stop(code: str, debugger: Debugger) -> None:
    debugger.break_at(code, 2)
    cell = debugger.notebook.submit(code)
    stop = debugger.wait_stopped()
    variables = stop.variables("Globals")
    assert variables["a"] == "20"
    assert "get_ipython" not in variables and "In" not in variables
    assert stop.evaluate("a + 1") == "21"
    stop.evaluate("a = 99")
    stop.go()
    assert cell.wait().result == "200"


def test_a_local_variable_is_shown_richly_and_copied_to_the_globals(debugger: Debugger) -> None:
    code = "def rich():\n    local = [1, 2]\n    return local"
    debugger.break_at(code, 3)
    debugger.notebook.run(code)
    cell = debugger.notebook.submit("rich()")
    stop = debugger.wait_stopped()
    shown = debugger.do("richInspectVariables", variableName="local", frameId=stop.frame_id)
    assert shown["data"]["text/plain"] == "[1, 2]"
    debugger.do("copyToGlobals", srcVariableName="local", dstVariableName="copied", srcFrameId=stop.frame_id)
    stop.go()
    assert cell.wait().result == "[1, 2]"
    assert debugger.notebook.run("copied").result == "[1, 2]"


@each_kind
def test_other_requests_are_answered_at_a_stop(code: str, debugger: Debugger) -> None:
    notebook = debugger.notebook
    notebook.run("a_name_to_complete = 1")
    debugger.break_at(code, 2)
    cell = notebook.submit(code)
    stop = debugger.wait_stopped()
    assert stop.thread_id in debugger.info["stoppedThreads"]
    for channel in ("shell", "control"):
        assert notebook.ask("kernel_info_request", channel=channel)["status"] == "ok"
    reply = notebook.ask("complete_request", {"code": "a_name_to_c", "cursor_pos": 11})
    assert reply["matches"] == ["a_name_to_complete"]
    assert notebook.ask("is_complete_request", {"code": "1"})["status"] == "complete"
    assert not cell.done
    stop.go()
    assert cell.wait().result == "42"


@pytest.mark.parametrize("waiting", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_an_exception_that_the_user_does_not_handle_is_stopped_at(waiting: str, debugger: Debugger) -> None:
    debugger.do("setExceptionBreakpoints", filters=["userUnhandled"])
    debugger.notebook.run("def fails():\n    reason = 'own words'\n    raise ValueError(reason)")
    cell = debugger.notebook.submit(f"{waiting}fails()")
    stop = debugger.wait_stopped("exception")
    assert stop.top == ("fails", 3)
    assert stop.evaluate("reason") == "'own words'"
    stop.go()
    assert cell.wait().error == ("ValueError", "own words")


@pytest.mark.parametrize("waiting", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_breakpoint_in_the_code_stops_in_the_debugger_that_is_attached(
    waiting: str, debugger: Debugger
) -> None:
    cell = debugger.notebook.submit(f"{waiting}a = 20\nbreakpoint()\na + 22", allow_stdin=True)
    stop = debugger.wait_stopped()
    assert stop.evaluate("a + 1") == "21"
    assert not cell.input_requests
    stop.go()
    assert cell.wait().result == "42"


@pytest.mark.parametrize("waiting", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_a_breakpoint_is_hit_in_a_cell_of_a_subshell(waiting: str, debugger: Debugger) -> None:
    debugger.break_at(FUNCTION, 2)
    debugger.notebook.run(FUNCTION)
    cell = create(debugger.notebook).submit(f"{waiting}function(21)")
    stop = debugger.wait_stopped()
    assert stop.top == ("function", 2)
    stop.go()
    assert cell.wait().result == "42"


@pytest.mark.parametrize("how", INTERRUPTS)
@each_kind
def test_stop_at_a_breakpoint_ends_the_cell_at_the_latest_when_it_goes_on(
    code: str, how: str, debugger: Debugger
) -> None:
    code = f"{code}\nprint('not reached')"
    debugger.break_at(code, 2)
    cell = debugger.notebook.submit(code)
    stop = debugger.wait_stopped()
    debugger.notebook.interrupt(how)
    debugger.ask("continue", threadId=stop.thread_id)
    cell.wait()
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    assert "not reached" not in cell.stdout
    assert debugger.notebook.run("6 * 7").result == "42"


# --- over its life


@each_kind
def test_detaching_lets_a_stopped_cell_go_on_and_forgets_the_breakpoints(
    code: str, debugger: Debugger
) -> None:
    debugger.break_at(code, 2)
    assert debugger.info["isStarted"] is True
    cell = debugger.notebook.submit(code)
    debugger.wait_stopped()
    debugger.do("disconnect", restart=False, terminateDebuggee=False)
    assert cell.wait().result == "42"
    info = debugger.info
    assert (info["isStarted"], info["breakpoints"], info["stoppedThreads"]) == (False, [], [])
    assert debugger.notebook.run(code).result == "42", "without a stop"
    debugger.attach()
    debugger.break_at(code, 2)
    cell = debugger.notebook.submit(code)
    debugger.wait_stopped().go()
    assert cell.wait().result == "42"


def test_the_debugger_can_be_started_while_a_cell_runs(notebook: Notebook) -> None:
    """ipykernel starts it by a cell, and its control channel stands still until that had its turn."""
    notebook.run(f"import time\nended = False\n{FUNCTION}")
    cell = notebook.submit("print('ready')\nwhile not ended: function(21); time.sleep(.01)")
    cell.wait_for_text("ready")
    with attached(notebook, prepare="") as debugger:
        debugger.break_at(f"import time\nended = False\n{FUNCTION}", 4)
        stop = debugger.wait_stopped()
        assert stop.top == ("function", 4)
        stop.evaluate("globals().update(ended=True)")
        stop.go()
        assert cell.wait().status == "ok"


def test_variables_are_listed_without_a_debugger(notebook: Notebook) -> None:
    notebook.run("listed_here = [1, 2]")
    debugger = Debugger(notebook)
    assert debugger.info["isStarted"] is False
    variables = {v["name"]: v for v in debugger.do("inspectVariables")["variables"]}
    assert variables["listed_here"]["value"] == "[1, 2]"
    assert not {"In", "Out", "get_ipython", "exit", "_"} & set(variables)
    shown = debugger.do("richInspectVariables", variableName="listed_here")
    assert shown["data"]["text/plain"] == "[1, 2]"


@pytest.mark.parametrize("restart", [False, True], ids=["shutdown", "restart"])
@each_kind
def test_the_process_ends_in_bounded_time_from_a_stop(
    code: str, restart: bool, fresh_notebook: Notebook
) -> None:
    debugger = Debugger(fresh_notebook)
    fresh_notebook.run("import asyncio")
    debugger.attach()
    debugger.break_at(code, 2)
    fresh_notebook.submit(code)
    debugger.wait_stopped()
    fresh_notebook.request("shutdown_request", {"restart": restart}, channel="control")
    asked = time.monotonic()
    fresh_notebook.wait_exit(BOUND)
    assert time.monotonic() - asked < BOUND


@each_kind
def test_after_a_restart_the_debugger_begins_anew(code: str, fresh_notebook: Notebook) -> None:
    with attached(fresh_notebook) as debugger:
        debugger.break_at(code, 2)
        before = debugger.info
        fresh_notebook.manager.restart_kernel(now=False)
        after = debugger.info
        assert (after["isStarted"], after["breakpoints"], after["stoppedThreads"]) == (False, [], [])
        assert after["tmpFilePrefix"] != before["tmpFilePrefix"]
        assert after["hashSeed"] == before["hashSeed"]
        fresh_notebook.run("import asyncio")
        debugger.attach()
        debugger.break_at(code, 2)
        cell = fresh_notebook.submit(code)
        debugger.wait_stopped().go()
        assert cell.wait().result == "42"
