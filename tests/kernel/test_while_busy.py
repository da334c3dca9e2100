"""D4: whatever a cell does, the other requests are answered at once, and from a consistent namespace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel.cells import Message, Request
from tests.kernel.client import Notebook

ROUNDS = 3

PREPARE = """\
import asyncio, threading, time
class Thing:
    "What it is."
    attribute_of_it = 1
very_long_name = {"a_long_key": 1}
very_long_thing = Thing()"""
# Each prints when it is busy, and ends only when it is stopped, or `gate` is set.
BUSY = {
    "sleeping": "print('ready'); time.sleep(3600)",
    "computing": "print('ready')\nwhile True: pass",
    "waiting for a lock": "print('ready'); threading.Event().wait()",
    "adding globals": """\
print('ready'); n = 0
while True:
    globals()[f"added_{n}"] = n
    globals().pop(f"added_{n - 3000}", None)
    n += 1""",
    "adding attributes": """\
print('ready'); n = 0
while True:
    setattr(very_long_thing, f"added_{n}", n); very_long_name[f"added_{n}"] = n
    vars(very_long_thing).pop(f"added_{n - 3000}", None); very_long_name.pop(f"added_{n - 3000}", None)
    n += 1""",
    "importing modules": """\
import sys, types; print('ready'); n = 0
while True:
    sys.modules[f"added_{n}"] = types.ModuleType(f"added_{n}")
    sys.modules.pop(f"added_{n - 500}", None)
    n += 1""",
    "awaiting": "print('ready'); await asyncio.sleep(3600)",
    "awaiting often": "print('ready')\nwhile True: await asyncio.sleep(0)",
    "blocking the loop": "await asyncio.sleep(0); print('ready'); time.sleep(3600)",
    "computing on the loop": "await asyncio.sleep(0); print('ready')\nwhile True: pass",
    "idle, with a callback that blocks the loop": """\
gate = threading.Event()
def block(): print('ready'); gate.wait()
asyncio.get_event_loop().call_soon_threadsafe(block);""",
}


@pytest.fixture(params=BUSY)
def busy_notebook(request: pytest.FixtureRequest, notebook: Notebook) -> Iterator[Notebook]:
    """A kernel that is busy until after the test, which must not have to wait for it."""
    assert notebook.run(PREPARE).status == "ok"
    cell = notebook.submit(BUSY[request.param]).wait_for_text("ready")
    idle = "gate" in BUSY[request.param]
    if idle:
        cell.wait()
    yield notebook
    assert idle or not cell.done, "the test's requests were answered only after the cell"
    if idle:
        notebook.run("gate.set()")
    else:
        notebook.interrupt("SIGINT")
        cell.wait()
    assert "changed size" not in notebook.log and "changed size" not in cell.text


def asked(code: str) -> Message:
    return {"code": code, "cursor_pos": len(code)}


def send_one_of_each(notebook: Notebook) -> dict[str, Request]:
    tail = {"hist_access_type": "tail", "n": 3, "output": False, "raw": True}
    return {
        "name": notebook.request("complete_request", asked("x = very_long_n")),
        "attribute": notebook.request("complete_request", asked("very_long_thing.attr")),
        "key": notebook.request("complete_request", asked("very_long_name['a_l")),
        "module": notebook.request("complete_request", asked("import asynci")),
        "inspect": notebook.request("inspect_request", {**asked("very_long_thing"), "detail_level": 0}),
        "source": notebook.request("inspect_request", {**asked("Thing"), "detail_level": 1}),
        "complete": notebook.request("is_complete_request", {"code": "await f()"}),
        "incomplete": notebook.request("is_complete_request", {"code": "for i in x:"}),
        "history": notebook.request("history_request", tail),
        "kernel_info": notebook.request("kernel_info_request"),
        "comm_info": notebook.request("comm_info_request", {}),
        "on control": notebook.request("kernel_info_request", channel="control"),
        "usage": notebook.request("usage_request", channel="control"),
    }


def test_every_other_request_is_answered_many_times(busy_notebook: Notebook) -> None:
    for _ in range(ROUNDS):
        sent = send_one_of_each(busy_notebook)
        for request in sent.values():
            request.wait()
            assert request.states == ["busy", "idle"]
        replies = {name: request.reply for name, request in sent.items()}
        for name in set(replies) - {"complete", "incomplete", "usage"}:
            assert replies[name]["status"] == "ok", replies[name]
        assert "very_long_name" in replies["name"]["matches"]
        assert any("attribute_of_it" in match for match in replies["attribute"]["matches"])
        assert any("a_long_key" in match for match in replies["key"]["matches"])
        assert "asyncio" in replies["module"]["matches"]
        assert replies["inspect"]["found"] and "What it is." in replies["inspect"]["data"]["text/plain"]
        assert replies["source"]["found"]
        assert replies["complete"]["status"] == "complete"
        assert replies["incomplete"]["status"] == "incomplete"
        assert PREPARE in [line[2] for line in replies["history"]["history"]]
        assert replies["usage"]["pid"] == busy_notebook.pid


def debug(notebook: Notebook, command: str, **arguments: object) -> Message:
    content = {"type": "request", "seq": 1, "command": command, "arguments": arguments}
    return notebook.ask("debug_request", content, channel="control")


@pytest.fixture
def debugged_notebook(notebook: Notebook) -> Notebook:
    """With a debugger that has started and is not attached: it knows variables, and slows nothing down."""
    if not debug(notebook, "debugInfo")["body"]["isStarted"]:
        assert debug(notebook, "initialize")["success"]
    return notebook


def test_a_debugger_s_variables_can_be_read_many_times(
    debugged_notebook: Notebook, busy_notebook: Notebook
) -> None:
    for _ in range(ROUNDS):
        listed = debug(busy_notebook, "inspectVariables")
        assert listed["success"], listed
        variables = {variable["name"]: variable for variable in listed["body"]["variables"]}
        assert variables["very_long_name"]["type"] == "dict"
        assert "get_ipython" not in variables
        reference = variables["very_long_thing"]["variablesReference"]
        inner = debug(busy_notebook, "variables", variablesReference=reference)["body"]["variables"]
        assert "attribute_of_it" in {variable["name"] for variable in inner}
        rich = debug(busy_notebook, "richInspectVariables", variableName="very_long_thing")
        assert rich["success"] and "Thing" in rich["body"]["data"]["text/plain"]
        assert debug(busy_notebook, "debugInfo")["body"]["isStarted"] is True


def test_the_busy_cell_s_own_new_names_can_be_completed_and_inspected(notebook: Notebook) -> None:
    notebook.run(PREPARE)
    cell = notebook.submit("bound_by_the_cell = Thing()\nprint('ready'); time.sleep(3600)").wait_for_text(
        "ready"
    )
    reply = notebook.ask("complete_request", asked("bound_by_t"))
    assert reply["matches"] == ["bound_by_the_cell"]
    assert notebook.ask("inspect_request", {**asked("bound_by_the_cell"), "detail_level": 0})["found"]
    notebook.interrupt("SIGINT")
    cell.wait()


# --- one that is slow does not delay the others

SLOW = """\
import threading
class Slow:
    def __dir__(self): entered.set(); assert gate.wait(60); return ["late_attribute"]
class Slower:
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        entered.set(); assert gate.wait(60); return 1
class Slowest:
    @property
    def docs(self): return 1
    def __repr__(self): entered.set(); assert gate.wait(60); return "late repr"
slow, slower, slowest = Slow(), Slower(), Slowest()
entered, gate = threading.Event(), threading.Event()
quick_name = 1"""
SLOW_REQUESTS = {
    "completion": ("complete_request", asked("slow.")),
    "inspection": ("inspect_request", {**asked("slowest"), "detail_level": 0}),
}
OTHERS: dict[str, tuple[str, Message] | None] = {
    "cell": None,
    "kernel_info": ("kernel_info_request", {}),
    "is_complete": ("is_complete_request", {"code": "1"}),
    "comm_info": ("comm_info_request", {}),
    "history": ("history_request", {"hist_access_type": "tail", "n": 1, "output": False, "raw": True}),
    "completion": ("complete_request", asked("quick_n")),
    "inspection": ("inspect_request", {**asked("quick_name"), "detail_level": 0}),
}


@pytest.fixture
def slow_notebook(notebook: Notebook) -> Iterator[Notebook]:
    assert notebook.run(SLOW).status == "ok"
    yield notebook
    assert notebook.run("gate.set()").status == "ok"
    assert "quick_name" in notebook.ask("complete_request", asked("quick_n"))["matches"]


@pytest.mark.parametrize("slow", SLOW_REQUESTS)
@pytest.mark.parametrize("other", OTHERS)
def test_a_slow_request_does_not_delay_another_reply(slow: str, other: str, slow_notebook: Notebook) -> None:
    waits = slow_notebook.request(*SLOW_REQUESTS[slow])
    assert slow_notebook.run("entered.wait(30)").result == "True"
    request = OTHERS[other]
    if request is None:
        assert slow_notebook.run("quick_name").result == "1"
        assert slow_notebook.run("import asyncio; await asyncio.sleep(0, quick_name)").result == "1"
    else:
        assert slow_notebook.request(*request).wait(20).reply["status"] in ("ok", "complete")
    assert not waits.done
    slow_notebook.run("gate.set()")
    assert waits.wait().reply["status"] == "ok"
    if slow == "completion":
        assert any("late_attribute" in match for match in waits.reply["matches"]), "its own, not the other's"


def test_a_completion_that_calls_slow_attributes_comes_late_and_alone(slow_notebook: Notebook) -> None:
    waits = slow_notebook.request("complete_request", asked("slower.anything."))
    for _ in range(5):
        assert slow_notebook.run("quick_name").result == "1"
        assert slow_notebook.ask("kernel_info_request")["status"] == "ok"
    slow_notebook.run("gate.set()")
    assert waits.wait().reply["status"] == "ok"


@pytest.mark.parametrize("what", ["raises", "raises a BaseException", "is not a list", "exits"])
def test_a_completion_of_an_ill_behaved_object_is_answered(what: str, notebook: Notebook) -> None:
    bodies = {
        "raises": "raise ValueError",
        "raises a BaseException": "raise KeyboardInterrupt",
        "is not a list": "return 3",
        "exits": "raise SystemExit(3)",
    }
    notebook.run(f"class Ill:\n    def __dir__(self): {bodies[what]}\nill = Ill(); well = 1")
    assert notebook.request("complete_request", asked("ill.")).wait().replies
    assert "well" in notebook.ask("complete_request", asked("wel"))["matches"]
    assert notebook.run("well").result == "1"
