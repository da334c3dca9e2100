"""The debugger at a stop and over its life: variables, other requests, Stop, detaching, restart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel.client import Notebook
from tests.kernel.test_debugger import AWAITING, FUNCTION, PLAIN, Debugger, attached

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


# --- over its life

CALLS = {
    "plain": "n = 0\nwhile not n: time.sleep(.01); n = function(21) if go else 0\nn",
    "awaiting": "n = 0\nwhile not n: await asyncio.sleep(.01); n = function(21) if go else 0\nn",
}


def test_the_debugger_can_be_detached_and_attached_again(notebook: Notebook) -> None:
    for _ in range(3):
        with attached(notebook) as debugger:
            assert debugger.info["isStarted"] and debugger.info["breakpoints"] == []
            debugger.break_at(PLAIN, 2)
            cell = notebook.submit(PLAIN)
            debugger.wait_stopped().go()
            assert cell.wait().result == "42"
        assert not debugger.info["isStarted"]
        assert debugger.info["breakpoints"] == []
        assert notebook.run(PLAIN).result == "42"


@each_kind
def test_detaching_lets_a_cell_go_on_that_is_at_a_breakpoint(code: str, notebook: Notebook) -> None:
    notebook.run("import asyncio")
    debugger = Debugger(notebook)
    debugger.attach()
    debugger.break_at(code, 2)
    cell = notebook.submit(code)
    debugger.wait_stopped()
    debugger.do("disconnect", restart=False, terminateDebuggee=False)
    assert cell.wait(BOUND).result == "42"
    assert debugger.info["stoppedThreads"] == []


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_debugger_starts_while_a_cell_runs_and_stops_in_it(call: str, fresh_notebook: Notebook) -> None:
    """The cell calls the function in each round, and the breakpoint is set while it goes on."""
    fresh_notebook.run("import asyncio, threading, time\ngo = False")
    fresh_notebook.run(FUNCTION)
    fresh_notebook.run("from comm import create_comm; comm = create_comm(target_name='nobody')")
    fresh_notebook.run("def on_message(message):\n    global go\n    go = True\ncomm.on_msg(on_message)")
    comm_id = fresh_notebook.run("print(comm.comm_id)").stdout.strip()
    cell = fresh_notebook.submit(call).wait_started()
    debugger = Debugger(fresh_notebook)
    debugger.attach()
    assert not cell.done
    debugger.break_at(FUNCTION, 2)
    fresh_notebook.request("comm_msg", {"comm_id": comm_id, "data": {}})
    stop = debugger.wait_stopped()
    assert stop.top == ("function", 2)
    assert stop.variables() == {"x": "21"}
    stop.go()
    assert cell.wait().result == "42"


def test_a_stop_is_told_whatever_the_kernels_threads_are_doing(fresh_notebook: Notebook) -> None:
    """The user loop answers comm messages meanwhile, so that it is often just sending."""
    notebook = fresh_notebook
    notebook.run("import asyncio, time")
    notebook.run(FUNCTION)
    notebook.run("from comm import create_comm; comm = create_comm(target_name='nobody')")
    notebook.run("seen = []\ncomm.on_msg(lambda message: seen.append(message))")
    comm_id = notebook.run("print(comm.comm_id)").stdout.strip()
    debugger = Debugger(notebook)
    debugger.attach()
    debugger.break_at(FUNCTION, 2)
    messages, rounds = 20, 10
    for _ in range(rounds):
        cell = notebook.submit("time.sleep(.02); function(21)")
        for _ in range(messages):
            notebook.request("comm_msg", {"comm_id": comm_id, "data": {}})
        stop = debugger.wait_stopped()
        assert stop.top == ("function", 2)
        stop.go()
        assert cell.wait().result == "42"
    notebook.run(f"while len(seen) < {messages * rounds}: await asyncio.sleep(.01)")


# --- steps


@pytest.mark.parametrize("second", ["b = a + 1", "b = await asyncio.sleep(.01, a + 1)"])
def test_stepping_goes_from_line_to_line_of_a_cell(second: str, debugger: Debugger) -> None:
    code = f"a = 20\n{second}\nb * 2"
    debugger.break_at(code, 1)
    cell = debugger.notebook.submit(code)
    stop = debugger.wait_stopped()
    assert stop.top == ("<module>", 1)
    stop = stop.step("next")
    assert stop.top == ("<module>", 2)
    stop = stop.step("next")
    if "await" in second and stop.top == ("<module>", 2):
        stop = stop.step("next")  # debugpy may stop once more where the awaiting line goes on
    assert stop.top == ("<module>", 3)
    assert stop.variables("Globals")["b"] == "21"
    stop.go()
    assert cell.wait().result == "42"


@pytest.mark.parametrize("waiting", ["", "await asyncio.sleep(.01)\n"], ids=["plain", "awaiting"])
def test_stepping_goes_from_a_cell_into_a_function_and_back(waiting: str, debugger: Debugger) -> None:
    code = f"{waiting}a = 21\nb = function(a)\nb"
    line = waiting.count("\n") + 2
    debugger.notebook.run(FUNCTION)
    debugger.sources.add(str(debugger.do("dumpCell", code=FUNCTION)["sourcePath"]))
    debugger.break_at(code, line)
    cell = debugger.notebook.submit(code)
    stop = debugger.wait_stopped().step("stepIn")
    assert stop.top == ("function", 2)
    stop = stop.step("stepOut")
    assert stop.top[0] == "<module>"
    stop.go()
    assert cell.wait().result == "42"


def test_a_breakpoint_in_an_earlier_cells_function_is_hit_from_a_task(debugger: Debugger) -> None:
    debugger.notebook.run(FUNCTION)
    debugger.break_at(FUNCTION, 2)
    cell = debugger.notebook.submit("""\
async def work():
    await asyncio.sleep(.01)
    return function(21)
await asyncio.create_task(work())""")
    stop = debugger.wait_stopped()
    assert [frame["name"] for frame in stop.frames[:2]] == ["function", "work"]
    stop.go()
    assert cell.wait().result == "42"


# --- the variable explorer


def inspected(debugger: Debugger) -> dict[str, str]:
    return {v["name"]: v["value"] for v in debugger.do("inspectVariables")["variables"]}


def children(debugger: Debugger, name: str) -> dict[str, str]:
    listed = debugger.do("inspectVariables")["variables"]
    reference = next(v["variablesReference"] for v in listed if v["name"] == name)
    asked = debugger.do("variables", variablesReference=reference)["variables"]
    return {v["name"]: v["value"] for v in asked}


RICH = """\
class Rich:
    def __repr__(self): return "plain words"
    def _repr_html_(self): return "<b>rich words</b>"
number, items, rich = 42, [1, 2], Rich()"""


def expect_variables(debugger: Debugger) -> None:
    variables = inspected(debugger)
    assert variables["number"] == "42" and variables["items"] == "[1, 2]"
    assert variables["rich"] == "plain words"
    assert not {"In", "Out", "_", "get_ipython", "debugpy"} & variables.keys()
    shown = debugger.do("richInspectVariables", variableName="rich")
    assert shown["data"] == {"text/plain": "plain words", "text/html": "<b>rich words</b>"}
    assert children(debugger, "items")["1"] == "2"


def test_variables_are_inspected_without_a_started_debugger(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(RICH)
    debugger = Debugger(fresh_notebook)
    expect_variables(debugger)
    assert not debugger.info["isStarted"]
    fresh_notebook.run("number = 43")
    assert inspected(debugger)["number"] == "43"


@pytest.mark.parametrize("line", ["event.wait()", "await asyncio.to_thread(event.wait)"])
def test_variables_are_inspected_while_a_cell_runs(line: str, notebook: Notebook) -> None:
    notebook.run(RICH)
    notebook.run("import asyncio, threading; event = threading.Event()")
    cell = notebook.submit(f"{line}\n'done'").wait_started()
    expect_variables(Debugger(notebook))
    assert not cell.done
    notebook.interrupt("SIGINT")
    cell.wait()
    notebook.run("event.set()")


@each_kind
def test_variables_are_inspected_at_a_stop(code: str, debugger: Debugger) -> None:
    debugger.notebook.run(RICH)
    debugger.break_at(code, 2)
    cell = debugger.notebook.submit(code)
    stop = debugger.wait_stopped()
    variables = inspected(debugger)
    assert variables["number"] == "42" and variables["a"] == "20"
    shown = debugger.do("richInspectVariables", variableName="rich", frameId=stop.frame_id)
    assert shown["data"] == {"text/plain": "plain words", "text/html": "<b>rich words</b>"}
    stop.go()
    assert cell.wait().result == "42"


STALE = """\
numbers = set()
threads = [threading.Thread(target=lambda: numbers.add(threading.get_ident())) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
for number in numbers:  # what debugpy leaves of a thread whose object ends with it
    dummy = threading._DummyThread()
    threading._active[threading.get_ident()] = threading.main_thread()
    dummy._ident = number
    threading._active[number] = dummy"""


def test_variables_are_inspected_though_threads_of_the_same_number_have_ended(notebook: Notebook) -> None:
    for _ in range(3):
        with attached(notebook) as debugger:
            assert notebook.run(STALE).status == "ok"
            debugger.break_at(PLAIN, 2)
            cell = notebook.submit(PLAIN)
            stop = debugger.wait_stopped()
            for _ in range(3):
                assert inspected(debugger)["a"] == "20"
            stop.go()
            assert cell.wait().result == "42"


def test_a_repr_that_does_not_end_blocks_no_other_request(notebook: Notebook) -> None:
    notebook.run("""\
import threading
release = threading.Event()
class Slow:
    def __repr__(self): release.wait(); return "slow"
slow = Slow();""")
    content = {"type": "request", "seq": 1, "command": "richInspectVariables"}
    content["arguments"] = {"variableName": "slow"}
    asked = notebook.request("debug_request", content, channel="control")
    assert "isStarted" in Debugger(notebook).info
    assert notebook.ask("kernel_info_request", channel="control")["status"] == "ok"
    assert not asked.replies
    notebook.run("release.set()")
    assert asked.wait().reply["body"]["data"]["text/plain"] == "slow"
