"""Bad input: a clear error where the user sees it, the kernel goes on, the namespace is intact."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from jupyter_client.session import Session

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook

CHANNELS = ("shell", "control")
KINDS = {"plain": "", "awaiting": "import asyncio; await asyncio.sleep(0)\n"}
each_kind = pytest.mark.parametrize("waiting", KINDS.values(), ids=KINDS)


@pytest.fixture
def intact(notebook: Notebook) -> Iterator[Notebook]:
    """A kernel whose namespace and readiness are checked after the test."""
    notebook.run("import asyncio\nprecious = ['kept']\ndef answer(): return 42")
    pid = notebook.pid
    yield notebook
    assert notebook.alive and notebook.pid == pid
    assert notebook.run("precious, answer()").result == "(['kept'], 42)"
    assert notebook.run("await asyncio.sleep(0, answer())").result == "42"
    assert notebook.run("_").result == "42"
    assert "precious" in notebook.ask("complete_request", {"code": "preci", "cursor_pos": 5})["matches"]
    assert notebook.ask("kernel_info_request", channel="control")["status"] == "ok"


# --- on the wire


def frames(session: Session, msg_type: str, content: dict[str, object]) -> list[bytes]:
    return list(session.serialize(session.msg(msg_type, content)))


EXECUTE: dict[str, object] = {
    "code": "precious.append('intruder')",
    "silent": False,
    "store_history": True,
    "user_expressions": {},
    "allow_stdin": False,
    "stop_on_error": True,
}


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_message_with_a_wrong_signature_is_dropped(channel: str, intact: Notebook) -> None:
    forger = Session(key=b"not the key")
    intact.sockets[channel].send_multipart(frames(forger, "execute_request", EXECUTE))
    intact.sockets[channel].send_multipart(frames(forger, "shutdown_request", {"restart": False}))


def test_a_replayed_message_is_dropped(intact: Notebook) -> None:
    code = "repeated = globals().get('repeated', 0) + 1"
    message = frames(intact.client.session, "execute_request", {**EXECUTE, "code": code})
    for _ in range(3):
        intact.sockets["shell"].send_multipart(message)
    assert intact.run("repeated").result == "1"


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("kept", range(6))
def test_truncated_frames_are_dropped(kept: int, channel: str, intact: Notebook) -> None:
    whole = frames(intact.client.session, "kernel_info_request", {})
    assert len(whole) == 6
    intact.sockets[channel].send_multipart(whole[:kept] or [b""])


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize(
    "junk",
    [[b"junk"], [b"<IDS|MSG>"], [b"<IDS|MSG>", b"", b"{", b"{}", b"{}", b"{}"], [b"\xff" * 1000], [b""] * 50],
    ids=["no delimiter", "only the delimiter", "broken JSON", "bytes", "many empty frames"],
)
def test_junk_is_dropped(junk: list[bytes], channel: str, intact: Notebook) -> None:
    intact.sockets[channel].send_multipart(junk)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("msg_type", ["no_such_request", "__class__", "", "execute_reply", "status"])
def test_an_unknown_message_type_is_ignored(msg_type: str, channel: str, intact: Notebook) -> None:
    intact.request(msg_type, {"code": "precious.clear()"}, channel)


@pytest.mark.parametrize("msg_type", ["execute_request", "complete_request", "inspect_request", "comm_msg"])
def test_a_request_without_its_content_fields_harms_nothing(msg_type: str, intact: Notebook) -> None:
    assert intact.request(msg_type, {}).wait_idle().states == ["busy", "idle"]


@pytest.mark.parametrize("position", [-5, 10_000])
def test_a_cursor_outside_the_code_is_answered(position: int, intact: Notebook) -> None:
    for msg_type in ("complete_request", "inspect_request"):
        reply = intact.ask(msg_type, {"code": "precious", "cursor_pos": position, "detail_level": 0})
        assert reply["status"] in ("ok", "error")


# --- in the code


@each_kind
@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("precious = = 1", "precious = = 1"),
        ("def broken(:\n    pass", "def broken(:"),
        ("  precious = 1\n precious = 2", "precious"),
        ("return 1", "'return' outside function"),
        ("'unterminated", "'unterminated"),
        ("x = (1,", "x = (1,"),
    ],
)
def test_a_syntax_error_is_shown_with_its_line(code: str, shown: str, waiting: str, intact: Notebook) -> None:
    cell = intact.run(waiting + code)
    assert cell.status == "error"
    # The third is what 3.13 calls the SyntaxError of code that ends too early.
    kinds = ("SyntaxError", "IndentationError", "_IncompleteInputError")
    assert cell.error is not None and cell.error[0] in kinds
    assert shown in cell.traceback


@each_kind
def test_a_nul_byte_is_a_clear_error(waiting: str, intact: Notebook) -> None:
    cell = intact.run(waiting + "x = 1\0")
    assert cell.status == "error"
    assert cell.error is not None and cell.error[0] in ("SyntaxError", "ValueError")
    assert "null byte" in cell.error[1]


def test_a_nul_byte_inside_a_printed_string_is_output(intact: Notebook) -> None:
    assert intact.run("print('a\\0b')").stdout == "a\0b\n"


def submit_escaped(notebook: Notebook, code: str) -> Cell:
    """Sends a cell as JSON in ASCII, the only form that carries a lone surrogate."""
    session = notebook.client.session
    message = session.msg("execute_request", {**EXECUTE, "code": code})
    parts = [
        json.dumps(message[name], default=str).encode("ascii")
        for name in ("header", "parent_header", "metadata", "content")
    ]
    cell = notebook.expect(Cell, message["header"]["msg_id"], ascii(code))
    notebook.sockets["shell"].send_multipart([b"<IDS|MSG>", session.sign(parts), *parts])
    return cell


@each_kind
@pytest.mark.parametrize("code", ["x = '\ud800'", "print('\udfff')", "# \ud800\nx = 1"])
def test_a_lone_surrogate_in_the_code_is_a_clear_error(code: str, waiting: str, intact: Notebook) -> None:
    """A frontend that cuts an emoji in half sends one."""
    cell = submit_escaped(intact, waiting + code).wait()
    assert cell.status == "error"
    assert cell.error is not None
    assert "surrogate" in cell.error[1]


@each_kind
def test_a_lone_surrogate_in_the_output_reaches_the_user(waiting: str, intact: Notebook) -> None:
    for code in ("print('a\\ud800b')", "'a\\ud800b'", "raise ValueError('a\\ud800b')"):
        cell = intact.run(waiting + code)
        assert cell.outputs, code


@each_kind
def test_a_cell_of_one_megabyte_runs(waiting: str, intact: Notebook) -> None:
    text = "x" * 1_000_000
    assert intact.run(f"{waiting}text = '{text}'; len(text)").result == "1000000"
    lines = "number = 1  # a line of a long cell\n" * 30_000
    assert len(lines) > 1_000_000
    assert intact.run(waiting + lines + "number").result == "1"


@each_kind
def test_a_megabyte_of_output_arrives_whole(waiting: str, intact: Notebook) -> None:
    cell = intact.run(waiting + "print('x' * 1_000_000)")
    assert len(cell.stdout) == 1_000_001


def test_deeply_nested_code_is_a_clear_error(intact: Notebook) -> None:
    cell = intact.run("(" * 500 + ")" * 500)
    assert cell.status == "error"
    assert cell.error is not None
    cell = intact.run("-" * 50_000 + "1")
    assert cell.status == "error"
    assert cell.error is not None


@each_kind
def test_a_magic_that_does_not_exist_is_said(waiting: str, intact: Notebook) -> None:
    assert "no_such_magic" in intact.run(waiting + "%no_such_magic 1").text
