"""Variable views ask by silent cells without code; those that run nothing are answered while a cell runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook

PREPARE = """\
import asyncio, threading, sys, types
gate, done = threading.Event(), []
class Thing:
    size = 3
    @property
    def computed(self): done.append("computed"); return 1
    def __repr__(self): done.append("repr"); return "Thing()"
    def __getattr__(self, name): done.append(name); raise AttributeError(name)
thing = Thing(); thing.own = {"a": [1, 2]}
module = types.ModuleType("module"); module.number = 5
x, text, nothing = 7, "abc", None"""

RUNNING = {
    "plain": "print('ready'); x = 8; gate.wait()",
    "awaiting": "print('ready'); x = 8; await asyncio.to_thread(gate.wait)",
    "blocking the loop": "await asyncio.sleep(0); print('ready'); x = 8; gate.wait()",
    "computing": "x = 8; print('ready')\nwhile not gate.is_set(): pass",
}

#: As qtconsole, Spyder and other views ask, but for what is asked.
SHAPE: dict[str, Any] = {"code": "", "silent": True, "store_history": False, "allow_stdin": False}


def ask(notebook: Notebook, expressions: object, later: float = 60, session: str = "", **fields: Any) -> Cell:
    """Send a view's request, as if so many seconds later than now."""
    client = notebook.client.session
    content = {**SHAPE, "stop_on_error": True, "user_expressions": expressions, **fields}
    message = client.msg("execute_request", content)
    message["header"]["date"] += timedelta(seconds=later)
    message["header"]["session"] = session or message["header"]["session"]
    cell = notebook.expect(Cell, message["header"]["msg_id"], f"view {expressions}")
    client.send(notebook.sockets["shell"], message)
    return cell


def shown(cell: Cell) -> dict[str, str]:
    return {key: one["data"]["text/plain"] for key, one in cell.reply["user_expressions"].items()}


@pytest.fixture(params=RUNNING)
def running(request: pytest.FixtureRequest, notebook: Notebook) -> Iterator[Cell]:
    assert notebook.run(PREPARE).status == "ok"
    cell = notebook.submit(RUNNING[request.param]).wait_for_text("ready")
    yield cell
    assert not cell.done, "the view was answered only after the cell"
    notebook.interrupt("SIGINT")
    cell.wait()


def test_names_attributes_and_literals_are_told_while_a_cell_runs(running: Cell) -> None:
    asked = {"a": "x", "b": "text", "c": "nothing", "d": "thing.own", "e": "thing.size", "f": "5"}
    for _ in range(3):
        answer = ask(running.notebook, {**asked, "g": "module.number"}).wait()
        assert answer.status == "ok" and answer.states == ["busy", "idle"]
        assert shown(answer) == dict(a="8", b="'abc'", c="None", d="{'a': [1, 2]}", e="3", f="5", g="5")
        assert answer.count == running.messages[1]["content"]["execution_count"]
        assert not answer.outputs and answer.reply["payload"] == []
    others = ask(running.notebook, {"x": "x"}, later=0, session="another-page").wait()
    assert shown(others) == {"x": "8"}


WAITS: dict[str, tuple[object, dict[str, Any]]] = {
    "a property": ({"a": "thing.computed"}, {}),
    "an object of the user's": ({"a": "thing"}, {}),
    "an attribute that is not there": ({"a": "thing.missing"}, {}),
    "a name that is not there yet": ({"a": "bound_later"}, {}),
    "a call": ({"a": "len(text)"}, {}),
    "an operator": ({"a": "x + 1"}, {}),
    "one of several": ({"a": "x", "b": "thing"}, {}),
    "nothing": ({}, {}),
    "code": ({"a": "x"}, {"code": "x"}),
    "history": ({"a": "x"}, {"store_history": True}),
    "not silent": ({"a": "x"}, {"silent": False}),
    "no text": ({"a": 5}, {}),
}


@pytest.mark.parametrize("what", WAITS)
def test_everything_else_waits(what: str, notebook: Notebook) -> None:
    expressions, fields = WAITS[what]
    notebook.run(PREPARE)
    cell = notebook.submit("try:\n    print('ready'); gate.wait()\nfinally: told = list(done)")
    cell.wait_for_text("ready")
    waiting = ask(notebook, expressions, **fields)
    # The protocol's thread takes what comes in order: this one, which is answered, came later.
    assert shown(ask(notebook, {"x": "x"}, session="another-page").wait()) == {"x": "7"}
    assert not waiting.replies and not cell.done
    notebook.interrupt("SIGINT")
    cell.wait()
    assert waiting.wait().replies
    assert notebook.run("told").result == "[]", "nothing of the user's ran while the cell did"


def test_what_is_sent_together_with_a_cell_waits_for_it(notebook: Notebook) -> None:
    notebook.run(PREPARE + "\nx = 0")
    for number in range(1, 20):
        notebook.submit(f"x = {number}")
        assert shown(ask(notebook, {"x": "x"}, later=0).wait()) == {"x": str(number)}


def test_it_overtakes_no_cell_of_its_client_that_waits(notebook: Notebook) -> None:
    notebook.run(PREPARE)
    first = notebook.submit(RUNNING["plain"]).wait_for_text("ready")
    second = notebook.submit("x = 9")
    waiting = ask(notebook, {"x": "x"})
    assert shown(ask(notebook, {"x": "x"}, session="another-page").wait()) == {"x": "8"}
    assert not waiting.replies and not second.replies
    notebook.interrupt("SIGINT")
    first.wait()
    assert waiting.wait().replies  # aborted with the cell before it, as in ipykernel


@pytest.mark.parametrize(
    "register",
    [
        "ip.display_formatter.formatters['text/html'].for_type(int, seen)",
        "ip.display_formatter.formatters['text/plain'].for_type(int, seen)",
        "ip.display_formatter.formatters['text/plain'].for_type(object, seen)",
        "ip.display_formatter.mimebundle_formatter.for_type(int, seen)",
    ],
)
def test_a_formatter_of_the_user_s_is_not_called_beside_a_cell(
    register: str, fresh_notebook: Notebook
) -> None:
    notebook = fresh_notebook
    seen = "\nip = get_ipython()\ndef seen(*args): done.append('seen'); return 'seen'\n"
    assert notebook.run(PREPARE + seen + register + ";").status == "ok"
    cell = notebook.submit(
        "done.clear()\ntry:\n    print('ready'); gate.wait()\nfinally: told = repr(done)"
    ).wait_for_text("ready")
    waiting = ask(notebook, {"x": "x"})
    assert notebook.ask("kernel_info_request")["status"] == "ok"
    assert not waiting.replies and not cell.done
    notebook.interrupt("SIGINT")
    cell.wait()
    waiting.wait()
    assert notebook.run("print(told)").stdout == "[]\n"
