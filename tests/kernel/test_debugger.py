"""The debugger, driven by `debug_request` and `debug_event` as JupyterLab drives it."""

from __future__ import annotations

import ast
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.kernel.cells import PATIENCE, Message
from tests.kernel.client import Notebook

CLIENT = {
    "clientID": "test-client",
    "clientName": "testClient",
    "adapterID": "",
    "pathFormat": "path",
    "linesStartAt1": True,
    "columnsStartAt1": True,
    "supportsVariableType": True,
    "supportsVariablePaging": True,
    "supportsRunInTerminalRequest": True,
    "locale": "en",
}


class Debugger:
    """Sends debug requests and waits for debug events, whatever request these are sent under."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.sources: set[str] = set()
        self._seq = 1
        self._old = len(self._all_stops())

    def ask(self, command: str, **arguments: Any) -> Message:
        self._seq += 1
        content = {"type": "request", "seq": self._seq, "command": command, "arguments": arguments}
        return self.notebook.ask("debug_request", content, channel="control")

    def do(self, command: str, **arguments: Any) -> Message:
        """A request that must succeed; its body."""
        reply = self.ask(command, **arguments)
        assert reply.get("success"), (command, str(reply.get("message")))
        body: Message = reply.get("body") or {}
        return body

    def attach(self) -> None:
        assert self.do("initialize", **CLIENT)["supportsConfigurationDoneRequest"]
        self.do("attach")

    @property
    def info(self) -> Message:
        return self.do("debugInfo")

    def break_at(self, code: str, *lines: int, **more: str) -> str:
        """Breakpoints in a cell, before it is run; the path of the source."""
        path: str = self.do("dumpCell", code=code)["sourcePath"]
        self.sources.add(path)
        self.set_breakpoints(path, *lines, **more)
        self.do("configurationDone")
        return path

    def set_breakpoints(self, path: str, *lines: int, **more: str) -> None:
        wanted = [{"line": line, **more} for line in lines]
        body = self.do("setBreakpoints", source={"path": path}, breakpoints=wanted, sourceModified=False)
        assert [b["line"] for b in body["breakpoints"]] == list(lines)

    def _all_stops(self) -> list[Message]:
        """In the order in which they came, of which every message tells the date."""
        requests = list(self.notebook.requests.values())
        messages = [m for r in requests for m in r.messages] + self.notebook.strays
        stops = [m for m in messages if m["msg_type"] == "debug_event" and m["content"]["event"] == "stopped"]
        return sorted(stops, key=lambda message: message["header"]["date"])

    def wait_stopped(self, reason: str = "breakpoint") -> Stop:
        self.notebook.pump(lambda: len(self._all_stops()) > self._old, f"a stop by {reason}")
        body = self._all_stops()[self._old]["content"]["body"]
        self._old += 1
        assert body["reason"] == reason
        return Stop(self, body["threadId"])


class Stop:
    """A thread that is stopped, and what can be asked about it."""

    def __init__(self, debugger: Debugger, thread_id: int) -> None:
        self.debugger = debugger
        self.thread_id = thread_id
        self.frames: list[Message] = debugger.do("stackTrace", threadId=thread_id)["stackFrames"]

    @property
    def top(self) -> tuple[str, int]:
        return self.frames[0]["name"], self.frames[0]["line"]

    @property
    def frame_id(self) -> int:
        return int(self.frames[0]["id"])

    def variables(self, scope: str = "Locals") -> dict[str, str]:
        scopes = {s["name"]: s for s in self.debugger.do("scopes", frameId=self.frame_id)["scopes"]}
        reference = scopes[scope]["variablesReference"]
        listed = self.debugger.do("variables", variablesReference=reference)["variables"]
        return {v["name"]: v["value"] for v in listed}

    def evaluate(self, expression: str) -> str:
        asked = {"expression": expression, "frameId": self.frame_id, "context": "repl"}
        return str(self.debugger.do("evaluate", **asked)["result"])

    def go(self, command: str = "continue") -> None:
        self.debugger.do(command, threadId=self.thread_id)

    def step(self, command: str) -> Stop:
        self.go(command)
        return self.debugger.wait_stopped("step")


@contextmanager
def attached(notebook: Notebook, prepare: str = "import asyncio, threading, time") -> Iterator[Debugger]:
    """Attached, with no breakpoints; let go afterwards, whatever happened."""
    assert not prepare or notebook.run(prepare).status == "ok"
    debugger = Debugger(notebook)
    debugger.attach()
    yield debugger
    for path in debugger.sources:
        debugger.ask("setBreakpoints", source={"path": path}, breakpoints=[], sourceModified=False)
    debugger.do("disconnect", restart=False, terminateDebuggee=False)


@pytest.fixture
def debugger(notebook: Notebook) -> Iterator[Debugger]:
    with attached(notebook) as debugger:
        yield debugger


# --- where breakpoints are hit

FUNCTION = "def function(x):\n    y = x * 2\n    return y"
COROUTINE = "async def coroutine(x):\n    await asyncio.sleep(0)\n    y = x * 2\n    return y"
PLAIN = "a = 20\nb = a + 1\nb * 2"
AWAITING = "a = await asyncio.sleep(0, 20)\nb = a + 1\nb * 2"
# The cell with the breakpoint and its line, the cell that runs into it (if another), where it stops.
HITS = {
    "in a plain cell": (PLAIN, 2, None, "<module>", 2),
    "in an awaiting cell": (AWAITING, 2, None, "<module>", 2),
    "on an awaiting line": (AWAITING, 1, None, "<module>", 1),
    "below empty lines": (f"\n\n{PLAIN}", 4, None, "<module>", 4),
    "below a directive": (f"%%async\n{PLAIN}", 3, None, "<module>", 3),
    "below empty lines and a directive": (f"\n\n%%sync\n\n{PLAIN}", 6, None, "<module>", 6),
    "below a magic": (f"%precision\n{PLAIN}", 3, None, "<module>", 3),
    "in a function, from a plain cell": (FUNCTION, 2, "function(21)", "function", 2),
    "in a function, from an awaiting cell": (
        FUNCTION,
        2,
        "await asyncio.sleep(0, function(21))",
        "function",
        2,
    ),
    "in a function, under %time": (FUNCTION, 2, "%time function(21)", "function", 2),
    "in a coroutine": (COROUTINE, 3, "await coroutine(21)", "coroutine", 3),
    "in a coroutine under asyncio.run": (COROUTINE, 3, "asyncio.run(coroutine(21))", "coroutine", 3),
    "in a task of the cell": (COROUTINE, 3, "await asyncio.create_task(coroutine(21))", "coroutine", 3),
    "in a thread": (FUNCTION, 2, "await asyncio.to_thread(function, 21)", "function", 2),
}


@pytest.mark.parametrize("where", HITS)
def test_a_breakpoint_is_hit(where: str, debugger: Debugger) -> None:
    code, line, other, name, stopped_at = HITS[where]
    path = debugger.break_at(code, line)
    if other is not None:
        assert debugger.notebook.run(code).status == "ok"
    cell = debugger.notebook.submit(other or code)
    stop = debugger.wait_stopped()
    assert stop.top == (name, stopped_at)
    assert stop.frames[0]["source"]["path"] == path
    assert not cell.done
    stop.go()
    assert cell.wait().result == "42", cell.text


def test_a_breakpoint_is_hit_in_a_task_while_no_cell_runs(debugger: Debugger) -> None:
    debugger.break_at(COROUTINE, 3)
    notebook = debugger.notebook
    notebook.run(COROUTINE)
    started = notebook.run("""\
async def later():
    await go.wait()
    return await coroutine(21)
go = asyncio.Event(); task = asyncio.create_task(later())""")
    assert started.status == "ok"
    notebook.run("asyncio.get_event_loop().call_later(2, go.set)")
    stop = debugger.wait_stopped()
    assert stop.top == ("coroutine", 3)
    stop.go()
    assert notebook.run("await task").result == "42"


def test_a_breakpoint_is_hit_in_a_task_while_a_plain_cell_runs(debugger: Debugger) -> None:
    debugger.break_at(COROUTINE, 3)
    debugger.notebook.run(COROUTINE)
    cell = debugger.notebook.submit("""\
task = asyncio.get_event_loop().create_task(coroutine(21))
while not task.done(): time.sleep(.01)
task.result()""")
    stop = debugger.wait_stopped()
    assert stop.top == ("coroutine", 3)
    stop.go()
    assert cell.wait().result == "42"


def test_a_breakpoint_may_have_a_condition(debugger: Debugger) -> None:
    code = "for n in range(9):\n    m = n * 2"
    debugger.break_at(code, 2, condition="n == 3")
    cell = debugger.notebook.submit(code)
    stop = debugger.wait_stopped()
    assert stop.evaluate("n") == "3"
    stop.go()
    assert cell.wait().status == "ok"


def test_a_breakpoint_that_was_removed_is_not_hit(debugger: Debugger) -> None:
    path = debugger.break_at(FUNCTION, 2)
    debugger.notebook.run(FUNCTION)
    assert {"source": path, "breakpoints": [{"line": 2}]} in debugger.info["breakpoints"]
    debugger.set_breakpoints(path)
    assert debugger.notebook.run("function(21)").result == "42"


# --- what can be done at a stop

NESTED = "def inner(x):\n    y = x + 1\n    return y\ndef outer(x):\n    z = inner(x)\n    return z * 2"


@pytest.mark.parametrize(
    "call", ["outer(20)", "await asyncio.sleep(0)\nouter(20)"], ids=["plain", "awaiting"]
)
def test_stepping_goes_over_into_and_out_of_functions(call: str, debugger: Debugger) -> None:
    debugger.break_at(NESTED, 5)
    debugger.notebook.run(NESTED)
    cell = debugger.notebook.submit(call)
    stop = debugger.wait_stopped()
    assert [frame["name"] for frame in stop.frames[:2]] == ["outer", "<module>"]
    stop = stop.step("stepIn")
    assert stop.top == ("inner", 2)
    stop = stop.step("next")
    assert stop.top == ("inner", 3)
    assert stop.variables() == {"x": "20", "y": "21"}
    stop = stop.step("stepOut")
    assert stop.top[0] == "outer"
    stop = stop.step("next")
    assert stop.top == ("outer", 6)
    stop.go()
    assert cell.wait().result == "42"


def test_stepping_over_an_await_stays_in_the_coroutine(debugger: Debugger) -> None:
    code = """\
async def steps():
    a = await asyncio.sleep(.01, 20)
    b = await asyncio.sleep(.01, a + 1)
    return b * 2"""
    debugger.break_at(code, 2)
    debugger.notebook.run(code)
    cell = debugger.notebook.submit("await steps()")
    stop = debugger.wait_stopped()
    for line in (3, 4):
        stop = stop.step("next")
        assert stop.top == ("steps", line)
    assert stop.variables()["b"] == "21"
    stop.go()
    assert cell.wait().result == "42"


# --- sessions that follow each other


def begin_and_end(address: tuple[str, int]) -> None:
    """A session of a client that speaks with debugpy itself, and so is faster than the kernel."""
    with socket.create_connection(address, PATIENCE) as connection, connection.makefile("rb") as reader:
        arrived: set[str] = set()
        for command, awaited in (
            ("initialize", {"initialize", "the greeting"}),
            ("disconnect", {"disconnect"}),
        ):
            request = {"type": "request", "seq": 1, "command": command, "arguments": CLIENT}
            body = json.dumps(request).encode()
            connection.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            while not awaited <= arrived:
                length = int(reader.readline().removeprefix(b"Content-Length: "))
                assert reader.readline() == b"\r\n"
                message = json.loads(reader.read(length))
                greets = message.get("body", {}).get("output") == "debugpy"
                arrived.add("the greeting" if greets else message.get("command", "another event"))


def test_debugpy_takes_each_session_though_the_one_before_is_just_ending(debugger: Debugger) -> None:
    """Where debugpy is left to itself, it takes none any more after some thirty."""
    port = debugger.notebook.run("get_ipython().kernel.debugger.debugpy_client.debugpy_port").result
    debugger.do("disconnect", restart=False, terminateDebuggee=False)
    for _ in range(400):
        begin_and_end(("127.0.0.1", int(ast.literal_eval(str(port)))))
    debugger.attach()
    debugger.break_at(PLAIN, 2)
    cell = debugger.notebook.submit(PLAIN)
    debugger.wait_stopped().go()
    assert cell.wait().result == "42"
