"""The debugger at a stop and over its life: variables, other requests, Stop, detaching, restart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel.client import Notebook
from tests.kernel.test_debugger import AWAITING, PLAIN, Debugger, attached

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
