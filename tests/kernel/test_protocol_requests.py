"""The other requests: completion, inspection, history, comms and input, also while a cell runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel.cells import Cell, Message, Request, plain
from tests.kernel.client import Notebook

SLEEPS = {
    "plain": "print('ready'); time.sleep(60)",
    "awaiting": "print('ready'); await asyncio.sleep(60)",
    "awaiting, blocked": "await asyncio.sleep(0); print('ready'); time.sleep(60)",
}
ECHO = """\
import asyncio, time
def opened(comm, message):
    @comm.on_msg
    def echo(message): comm.send({"echo": message["content"]["data"]})
get_ipython().kernel.comm_manager.register_target("echo", opened)"""


@pytest.fixture(params=SLEEPS)
def busy_notebook(request: pytest.FixtureRequest, notebook: Notebook) -> Iterator[Notebook]:
    """A kernel in which a cell sleeps; it is stopped after the test, which it must outlast."""
    notebook.run("import asyncio, time\nvery_long_name = {'key': 1}")
    notebook.run(ECHO)
    cell = notebook.submit(SLEEPS[request.param]).wait_for_text("ready")
    yield notebook
    assert not cell.done, "the test's requests were answered only after the cell"
    notebook.interrupt("SIGINT")
    cell.wait()


def complete(notebook: Notebook, code: str) -> Message:
    return notebook.ask("complete_request", {"code": code, "cursor_pos": len(code)})


def inspect(notebook: Notebook, code: str, detail: int = 0) -> Message:
    content = {"code": code, "cursor_pos": len(code), "detail_level": detail}
    return notebook.ask("inspect_request", content)


def test_completion_knows_the_namespace_and_its_span(notebook: Notebook) -> None:
    notebook.run("very_long_name = {'key': 1}")
    reply = complete(notebook, "x = very_l")
    assert reply["status"] == "ok"
    assert "very_long_name" in reply["matches"]
    assert (reply["cursor_start"], reply["cursor_end"]) == (4, 10)


def test_completion_after_a_character_outside_the_basic_plane_counts_code_points(notebook: Notebook) -> None:
    notebook.run("very_long_name = 1")
    reply = complete(notebook, "'🐍', very_l")
    assert "very_long_name" in reply["matches"]
    assert (reply["cursor_start"], reply["cursor_end"]) == (5, 11)


def test_completion_and_inspection_answer_while_a_cell_runs(busy_notebook: Notebook) -> None:
    assert "very_long_name" in complete(busy_notebook, "very_l")["matches"]
    inspected = inspect(busy_notebook, "very_long_name")
    assert inspected["found"] is True
    assert "dict" in inspected["data"]["text/plain"]
    assert busy_notebook.ask("is_complete_request", {"code": "for i in x:"})["status"] == "incomplete"
    assert busy_notebook.ask("kernel_info_request")["status"] == "ok"


def test_inspection_finds_signature_docstring_and_source(notebook: Notebook) -> None:
    notebook.run('def documented(a, b=2):\n    "What it does."\n    return a')
    found = inspect(notebook, "documented(")
    assert (found["status"], found["found"]) == ("ok", True)
    shown = plain(found["data"]["text/plain"])
    assert "documented(a, b=2)" in shown
    assert "What it does." in shown
    assert "return a" in plain(inspect(notebook, "documented", detail=1)["data"]["text/plain"])
    assert inspect(notebook, "no_such_name")["found"] is False


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("6 * 7", "complete"),
        ("await f()", "complete"),
        ("async with x: pass\n", "complete"),
        ("for i in x:", "incomplete"),
        ("print(", "incomplete"),
        ("x = = 1", "invalid"),
        ("%time 1", "complete"),
    ],
)
def test_is_complete(code: str, status: str, notebook: Notebook) -> None:
    reply = notebook.ask("is_complete_request", {"code": code})
    assert reply["status"] == status
    if code.endswith(":"):
        assert reply["indent"] == "    "


def test_history_has_what_was_run_in_both_kinds_of_cell(notebook: Notebook) -> None:
    codes = [
        "'history of a plain cell'",
        "import asyncio; await asyncio.sleep(0, 'history of an awaiting cell')",
    ]
    for code in codes:
        notebook.run(code)
    tail = notebook.ask(
        "history_request", {"hist_access_type": "tail", "n": 2, "output": False, "raw": True}
    )["history"]
    assert [line[2] for line in tail] == codes
    found = notebook.ask(
        "history_request",
        {"hist_access_type": "search", "pattern": "*plain cell*", "n": 1, "output": False, "raw": True},
    )["history"]
    assert found[0][2] == codes[0]


def test_kernel_info_tells_language_and_protocol(notebook: Notebook) -> None:
    info = notebook.ask("kernel_info_request")
    assert info["language_info"]["name"] == "python"
    assert info["language_info"]["file_extension"] == ".py"
    assert info["protocol_version"].startswith("5.")
    assert info["implementation"]
    assert info["banner"]


# --- comms


def open_comm(notebook: Notebook, comm_id: str) -> Request:
    content = {"comm_id": comm_id, "target_name": "echo", "data": {}}
    return notebook.request("comm_open", content)


def test_comm_info_lists_the_open_comms(notebook: Notebook) -> None:
    notebook.run(ECHO)
    open_comm(notebook, "listed").wait_idle()
    assert notebook.ask("comm_info_request", {"target_name": "echo"})["comms"]["listed"] == {
        "target_name": "echo"
    }
    notebook.request("comm_close", {"comm_id": "listed", "data": {}}).wait_idle()
    assert "listed" not in notebook.ask("comm_info_request", {})["comms"]


@pytest.mark.parametrize("busy_notebook", ["plain", "awaiting"], indirect=True)
def test_a_comm_echoes_while_a_cell_sleeps_each_message_with_its_own_busy_and_idle(
    busy_notebook: Notebook, request: pytest.FixtureRequest
) -> None:
    """Not in an awaiting cell that blocks: there the user loop itself stands still, and comms wait for it."""
    comm_id = f"echo of {request.node.name}"
    assert open_comm(busy_notebook, comm_id).wait_idle().states == ["busy", "idle"]
    sent = [busy_notebook.request("comm_msg", {"comm_id": comm_id, "data": {"number": n}}) for n in range(10)]
    for number, message in enumerate(sent):
        message.wait_idle()
        kinds = [m["msg_type"] for m in message.messages]
        assert kinds == ["status", "comm_msg", "status"]
        assert message.states == ["busy", "idle"]
        assert message.messages[1]["content"]["data"] == {"echo": {"number": number}}


def test_comm_messages_are_handled_one_at_a_time_and_in_order(notebook: Notebook) -> None:
    notebook.run("""\
import time
handled, inside = [], []
def opened(comm, message):
    @comm.on_msg
    def slow(message):
        inside.append(1); time.sleep(.01); assert len(inside) == 1; inside.pop()
        handled.append(message["content"]["data"]["number"])
get_ipython().kernel.comm_manager.register_target("slow", opened)""")
    notebook.request("comm_open", {"comm_id": "slow", "target_name": "slow", "data": {}}).wait_idle()
    sleeping = notebook.submit("time.sleep(.3)")
    sent = [notebook.request("comm_msg", {"comm_id": "slow", "data": {"number": n}}) for n in range(20)]
    for message in sent:
        message.wait_idle()
    sleeping.wait()
    assert notebook.run("handled == list(range(20))").result == "True"


def test_a_comm_callback_that_raises_is_reported_and_the_next_works(notebook: Notebook) -> None:
    notebook.run("""\
def opened(comm, message):
    @comm.on_msg
    def fragile(message): comm.send({"quotient": 6 // message["content"]["data"]["by"]})
get_ipython().kernel.comm_manager.register_target("fragile", opened)""")
    notebook.request("comm_open", {"comm_id": "fragile", "target_name": "fragile", "data": {}}).wait_idle()
    broken = notebook.request("comm_msg", {"comm_id": "fragile", "data": {"by": 0}}).wait_idle()
    assert broken.states == ["busy", "idle"]
    works = notebook.request("comm_msg", {"comm_id": "fragile", "data": {"by": 2}}).wait_idle()
    assert [m["content"]["data"] for m in works.messages if m["msg_type"] == "comm_msg"] == [{"quotient": 3}]
    assert notebook.run("6 * 7").result == "42"


def test_a_stop_ends_a_comm_callback_that_does_not_end_and_is_shown(notebook: Notebook) -> None:
    notebook.run("""\
def opened(comm, message):
    @comm.on_msg
    def endless(message):
        print("begun", flush=True)
        while True: pass
get_ipython().kernel.comm_manager.register_target("endless", opened)""")
    notebook.request("comm_open", {"comm_id": "endless", "target_name": "endless", "data": {}}).wait_idle()
    sent = notebook.request("comm_msg", {"comm_id": "endless", "data": {}})
    notebook.pump(lambda: any(m["msg_type"] == "stream" for m in sent.messages), "its text")
    notebook.interrupt("SIGINT")
    sent.wait_idle()
    assert [m["content"]["ename"] for m in sent.messages if m["msg_type"] == "error"] == ["KeyboardInterrupt"]
    assert notebook.run("await __import__('asyncio').sleep(0, 42)").result == "42"


# --- input


def ask_in_cell(notebook: Notebook, code: str, answer: str) -> tuple[Cell, Message]:
    cell = notebook.submit(code, allow_stdin=True)
    asked = cell.wait_for_input_request()
    notebook.answer(answer)
    return cell.wait(), asked


WAITING = {"plain": "", "awaiting": "import asyncio; await asyncio.sleep(0)\n"}
each_kind = pytest.mark.parametrize("waiting", WAITING.values(), ids=WAITING)


@each_kind
def test_input_asks_the_frontend(waiting: str, notebook: Notebook) -> None:
    cell, asked = ask_in_cell(notebook, waiting + "input('who? ')", "me")
    assert asked == {"prompt": "who? ", "password": False}
    assert cell.result == "'me'"


@each_kind
def test_getpass_asks_for_a_password(waiting: str, notebook: Notebook) -> None:
    cell, asked = ask_in_cell(notebook, waiting + "import getpass; getpass.getpass('secret: ')", "hush")
    assert asked == {"prompt": "secret: ", "password": True}
    assert cell.result == "'hush'"


@each_kind
@pytest.mark.parametrize("call", ["input()", "import getpass; getpass.getpass()"])
def test_input_is_refused_where_the_frontend_does_not_allow_it(
    call: str, waiting: str, notebook: Notebook
) -> None:
    cell = notebook.run(waiting + call, allow_stdin=False)
    assert cell.error is not None
    assert cell.error[0] == "StdinNotImplementedError"
    assert not cell.input_requests


@each_kind
def test_stop_ends_a_cell_that_waits_for_input(waiting: str, notebook: Notebook) -> None:
    cell = notebook.submit(waiting + "input('who? ')", allow_stdin=True)
    cell.wait_for_input_request()
    notebook.interrupt("SIGINT")
    cell.wait()
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    again, _ = ask_in_cell(notebook, waiting + "input('and now? ')", "me")
    assert again.result == "'me'"
