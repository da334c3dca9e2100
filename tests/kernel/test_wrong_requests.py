"""Signed, but wrong: every request is answered, what is wrong in it is named, and the kernel goes on."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kernel.cells import Cell, Request
from tests.kernel.client import Notebook

MISSING = object()

#: What stands in the place of a proper value, beside what is drawn at random.
VALUES: tuple[Any, ...] = (
    MISSING,
    None,
    True,
    0,
    -1,
    2**31,
    2**70,
    0.5,
    float("nan"),
    "",
    "text",
    "\0",
    [],
    [[]],
    {},
    {"": {}},
)

#: Proper contents; each field is then replaced by something else.
SHELL: dict[str, dict[str, Any]] = {
    "execute_request": {
        "code": "1 + 1",
        "silent": False,
        "store_history": True,
        "user_expressions": {"two": "2"},
        "allow_stdin": False,
        "stop_on_error": True,
    },
    "complete_request": {"code": "prin", "cursor_pos": 4},
    "inspect_request": {"code": "print", "cursor_pos": 3, "detail_level": 0, "omit_sections": []},
    "is_complete_request": {"code": "x = ("},
    "history_request": {
        "hist_access_type": "range",
        "output": False,
        "raw": True,
        "session": 0,
        "start": 1,
        "stop": 2,
        "n": 5,
        "pattern": "*",
        "unique": False,
    },
    "comm_info_request": {"target_name": "x"},
    "comm_open": {"comm_id": "a comm", "target_name": "no target", "data": {}},
    "comm_msg": {"comm_id": "a comm", "data": {}},
    "comm_close": {"comm_id": "a comm", "data": {}},
    "kernel_info_request": {},
    "connect_request": {},
}
CONTROL: dict[str, dict[str, Any]] = {
    "kernel_info_request": {},
    "interrupt_request": {},
    "debug_request": {"command": "debugInfo", "seq": 1, "type": "request", "arguments": {}},
    "list_subshell_request": {},
    "delete_subshell_request": {"subshell_id": "none"},
    "usage_request": {},
    "ps_request": {},
    "comm_info_request": {"target_name": "x"},
    "history_request": SHELL["history_request"],
    "execute_request": SHELL["execute_request"],
}
ALL = [("shell", kind) for kind in SHELL] + [("control", kind) for kind in CONTROL]

#: What is refused, with the field's name in the answer.
NAMED: dict[tuple[str, str], tuple[Any, ...]] = {
    ("execute_request", "code"): (MISSING, None, 5, [], {}, True),
    ("execute_request", "user_expressions"): ([], "text", 5),
    ("complete_request", "code"): (MISSING, None, 5, []),
    ("complete_request", "cursor_pos"): (MISSING, "5", [], 2.5, 2**70),
    ("inspect_request", "code"): (MISSING, None, 5, []),
    ("inspect_request", "cursor_pos"): (MISSING, "5", [], None),
    ("inspect_request", "detail_level"): ("1", [], None),
    ("inspect_request", "omit_sections"): (5, [[]], None),
    ("is_complete_request", "code"): (MISSING, None, 5, {}),
    ("history_request", "hist_access_type"): (MISSING, None, 5, []),
    ("history_request", "output"): (MISSING,),
    ("history_request", "raw"): (MISSING,),
    ("history_request", "session"): ("0", [], 2**70),
    ("history_request", "n"): ("5", {}, 1.5),
    ("history_request", "pattern"): (5, []),
    ("shutdown_request", "restart"): (MISSING,),
    ("debug_request", "command"): (MISSING, 5, []),
    ("debug_request", "seq"): (MISSING, "1"),
    ("delete_subshell_request", "subshell_id"): (MISSING, None, 5, []),
}


def send(notebook: Notebook, channel: str, header: Any, content: Any, metadata: Any = None) -> Request:
    """Sends anything, signed."""
    session = notebook.client.session
    parts = [json.dumps(part, default=str).encode() for part in (header, {}, metadata, content)]
    msg_id = header.get("msg_id") if isinstance(header, dict) else None
    request = notebook.expect(Cell, msg_id if isinstance(msg_id, str) else "none", f"{header} {content}")
    notebook.sockets[channel].send_multipart([b"<IDS|MSG>", session.sign(parts), *parts])
    return request


def header(notebook: Notebook, kind: str, **changes: Any) -> dict[str, Any]:
    made = {**notebook.client.session.msg_header(kind), **changes}
    return {key: value for key, value in made.items() if value is not MISSING}


def with_field(content: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    return {key: one for key, one in {**content, name: value}.items() if one is not MISSING}


def settled(notebook: Notebook, request: Request, kind: str) -> dict[str, Any]:
    """The content of its only reply, if it has one; busy and idle came once each."""
    if kind.endswith("_request"):
        request.wait()
        assert [one["msg_type"] for one in request.replies] == [kind.replace("_request", "_reply")]
    request.wait_idle()
    assert request.states == ["busy", "idle"]
    return request.reply if request.replies else {}


@pytest.fixture
def served(notebook: Notebook) -> Iterator[Notebook]:
    """A kernel that serves on after the test."""
    notebook.run("kept = ['kept']")
    pid = notebook.pid
    yield notebook
    assert notebook.run("kept").result == "['kept']"
    assert notebook.run("await __import__('asyncio').sleep(0, 7)").result == "7"
    assert "kept" in notebook.ask("complete_request", {"code": "kep", "cursor_pos": 3})["matches"]
    assert notebook.ask("kernel_info_request", channel="control")["status"] == "ok"
    assert notebook.alive and notebook.pid == pid


@pytest.mark.parametrize(("kind", "name"), NAMED)
def test_a_wrong_field_is_named_in_the_reply(kind: str, name: str, served: Notebook) -> None:
    content = {**SHELL, **CONTROL, "shutdown_request": {"restart": False}}[kind]
    for channel in ("shell", "control"):
        if channel == "shell" and kind not in SHELL:
            continue
        for wrong in NAMED[kind, name]:
            one = send(served, channel, header(served, kind), with_field(content, name, wrong), {})
            reply = settled(served, one, kind)
            assert reply["status"] == "error"
            assert reply["ename"] == "RequestError"
            assert f"`{name}`" in reply["evalue"]
            if kind == "debug_request":
                assert reply["success"] is False and f"`{name}`" in reply["message"]


def generated(seed: int) -> Iterator[Any]:
    """Values of all kinds that JSON has, and that Python's reads."""
    rng = random.Random(seed)
    yield from VALUES

    def any_value(depth: int) -> Any:
        kind = rng.randrange(8 if depth < 3 else 5)
        if kind < 3:
            return rng.choice((None, False, rng.randrange(-9, 9), rng.random() * 1e300, -1e400))
        if kind < 5:
            return "".join(chr(rng.choice((0, 9, 37, 65, 233, 0x1F600))) for _ in range(rng.randrange(4)))
        if kind < 7:
            return [any_value(depth + 1) for _ in range(rng.randrange(4))]
        return {str(rng.random()): any_value(depth + 1) for _ in range(rng.randrange(4))}

    for _ in range(6):
        yield any_value(0)


@pytest.mark.parametrize(("channel", "kind"), ALL)
def test_whatever_a_field_holds_the_request_is_answered(channel: str, kind: str, served: Notebook) -> None:
    proper = {"shell": SHELL, "control": CONTROL}[channel][kind]
    for number, name in enumerate([*proper, "unknown"]):
        for value in generated(number):
            one = send(served, channel, header(served, kind), with_field(proper, name, value), {})
            reply = settled(served, one, kind)
            if kind not in ("debug_request", "usage_request", "is_complete_request"):
                assert reply.get("status") in ("ok", "error", None), (name, value)


@pytest.mark.parametrize(("channel", "kind"), ALL)
def test_whatever_the_parts_are_the_request_is_answered(channel: str, kind: str, served: Notebook) -> None:
    proper = {"shell": SHELL, "control": CONTROL}[channel][kind]
    for value in generated(7):
        value = None if value is MISSING else value
        for content, metadata in ((proper, value), (value, {})):
            settled(served, send(served, channel, header(served, kind), content, metadata), kind)


@pytest.mark.parametrize("metadata", ["text", ["sync"], 5, True])
def test_a_cell_whose_metadata_is_no_object_is_refused(metadata: Any, served: Notebook) -> None:
    content = {"code": "kept.clear()"}
    cell = send(served, "shell", header(served, "execute_request"), content, metadata)
    reply = settled(served, cell, "execute_request")
    assert reply["status"] == "error" and "`metadata`" in reply["evalue"]
    assert isinstance(cell, Cell) and cell.error is not None and "`metadata`" in cell.error[1]


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"tags": 5},
        {"tags": "sync"},
        {"tags": {"background": 1}},
        {"tags": [5, None, ["x"]]},
        {"tags": None, "cellId": 5},
        {"cellId": ["x"]},
        {"cellId": {}, "deletedCells": 7},
    ],
)
def test_a_cell_whose_metadata_hold_odd_things_runs(metadata: Any, served: Notebook) -> None:
    cell = send(served, "shell", header(served, "execute_request"), {"code": "1 + 1"}, metadata)
    assert settled(served, cell, "execute_request")["status"] == "ok"
    assert isinstance(cell, Cell) and cell.result == "2"
    failed = send(served, "shell", header(served, "execute_request"), {"code": "1 / 0"}, metadata)
    assert settled(served, failed, "execute_request")["ename"] == "ZeroDivisionError"


@pytest.mark.parametrize("channel", ["shell", "control"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subshell_id", 5),
        ("subshell_id", ["a"]),
        ("subshell_id", {}),
        ("date", float("nan")),
        ("username", float("inf")),
        ("version", 5),
        ("version", "x.y"),
        ("extra", [[float("-inf")]]),
    ],
)
def test_a_wrong_header_is_told_of_in_the_reply(
    channel: str, name: str, value: Any, served: Notebook
) -> None:
    for kind in ("kernel_info_request", "execute_request", "history_request"):
        one = send(served, channel, header(served, kind, **{name: value}), SHELL[kind], {})
        reply = settled(served, one, kind)
        assert reply["status"] == "error" and "header" in reply["evalue"]


@pytest.mark.parametrize("channel", ["shell", "control"])
@pytest.mark.parametrize("msg_id", [MISSING, None, ["a"], {}])
def test_a_request_without_a_proper_id_is_answered(channel: str, msg_id: Any, served: Notebook) -> None:
    mark = uuid.uuid4().hex
    send(served, channel, header(served, "kernel_info_request", msg_id=msg_id, username=mark), {}, {})

    def answers() -> list[Any]:
        return [one for one in served.strays if one["parent_header"].get("username") == mark]

    served.pump(lambda: "kernel_info_reply" in [one["msg_type"] for one in answers()], "an answer")
    served.pump(lambda: [one["msg_type"] for one in answers()].count("status") == 2, "busy and idle")
    (reply,) = [one["content"] for one in answers() if one["msg_type"] == "kernel_info_reply"]
    assert "`msg_id`" in reply["evalue"]


@pytest.mark.parametrize("channel", ["shell", "control"])
@pytest.mark.parametrize("msg_type", [MISSING, None, 5, ["a"], {}])
def test_what_has_no_type_is_busy_and_idle(channel: str, msg_type: Any, served: Notebook) -> None:
    one = send(served, channel, header(served, "x", msg_type=msg_type), {}, {})
    assert one.wait_idle().states == ["busy", "idle"]


@pytest.mark.parametrize("channel", ["shell", "control"])
@pytest.mark.parametrize("wrong", [[], "text", 5, None, {}])
def test_a_header_that_is_no_header_harms_nothing(channel: str, wrong: Any, served: Notebook) -> None:
    send(served, channel, wrong, {}, {})


@pytest.mark.parametrize("value", [5, None, ["a"], {}])
def test_an_answer_that_is_no_text_is_the_cell_s_error(value: Any, served: Notebook) -> None:
    cell = served.submit("input('? ')", allow_stdin=True)
    cell.wait_for_input_request()
    session = served.client.session
    session.send(served.sockets["stdin"], session.msg("input_reply", {"value": value}))
    assert cell.wait().error is not None and "`value`" in cell.error[1]  # type: ignore[index]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_cell_that_is_refused_aborts_those_behind_it(number: int, served: Notebook) -> None:
    served.submit("import time; time.sleep(0.3)")
    refused = send(served, "shell", header(served, "execute_request"), {"code": number}, {})
    behind = served.submit("kept.clear()")
    assert settled(served, refused, "execute_request")["status"] == "error"
    assert behind.wait().status == "aborted"


@pytest.mark.parametrize(
    "changes", [{"msg_id": MISSING}, {"msg_id": None}, {"msg_id": ["a"]}, {"msg_type": 5}]
)
def test_a_wrong_header_among_cells_that_are_aborted_keeps_no_answer_back(
    changes: dict[str, Any], served: Notebook
) -> None:
    served.submit("import time; time.sleep(0.3)")
    failing = served.submit("1 / 0")
    before = served.submit("kept.clear()")
    send(served, "shell", header(served, "execute_request", **changes), {"code": "kept.clear()"}, {})
    behind = [served.submit("kept.clear()") for _ in range(2)]
    assert failing.wait().error is not None
    assert [cell.wait().status for cell in (before, *behind)] == ["aborted"] * 3


@pytest.mark.parametrize("changes", [{"msg_type": MISSING}, {"msg_type": 5}, {"msg_type": ["a"]}])
def test_what_has_no_type_is_busy_and_idle_also_where_nobody_is(
    changes: dict[str, Any], served: Notebook
) -> None:
    sent = send(served, "shell", header(served, "x", subshell_id="nobody", **changes), {}, {})
    assert sent.wait_idle().states == ["busy", "idle"]
