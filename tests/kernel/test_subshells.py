"""Subshells (JEP 91): lanes beside the main shell, with one namespace and outputs of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kernel.cells import Cell, Message, Request
from tests.kernel.client import INTERRUPTS, Notebook

PREPARE = "import asyncio, threading, time\nip = get_ipython()"


class Subshell:
    """Sends to one subshell what `Notebook` sends to the main shell."""

    def __init__(self, notebook: Notebook, subshell_id: str) -> None:
        self.notebook = notebook
        self.id = subshell_id

    def _message(self, msg_type: str, content: Message) -> Message:
        message: Message = self.notebook.client.session.msg(msg_type, content)
        message["header"]["subshell_id"] = self.id
        return message

    def submit(self, code: str, **options: Any) -> Cell:
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = self._message("execute_request", {**content, "user_expressions": {}, **options})
        cell = self.notebook.expect(Cell, message["header"]["msg_id"], code)
        self.notebook.client.session.send(self.notebook.sockets["shell"], message)
        return cell

    def run(self, code: str, **options: Any) -> Cell:
        return self.submit(code, **options).wait()

    def request(self, msg_type: str, content: Message | None = None) -> Request:
        message = self._message(msg_type, content or {})
        request = self.notebook.expect(Request, message["header"]["msg_id"], msg_type)
        self.notebook.client.session.send(self.notebook.sockets["shell"], message)
        return request


def create(notebook: Notebook) -> Subshell:
    reply = notebook.ask("create_subshell_request", channel="control")
    assert reply["status"] == "ok"
    return Subshell(notebook, reply["subshell_id"])


def delete(subshell: Subshell) -> Message:
    return subshell.notebook.ask("delete_subshell_request", {"subshell_id": subshell.id}, channel="control")


def listed(notebook: Notebook) -> list[str]:
    reply = notebook.ask("list_subshell_request", channel="control")
    assert reply["status"] == "ok"
    return list(reply["subshell_id"])


@pytest.fixture
def subshell(notebook: Notebook) -> Iterator[Subshell]:
    """A subshell of its own; where a test did not delete it, it must still answer at the end."""
    assert notebook.run(PREPARE).status == "ok"
    subshell = create(notebook)
    yield subshell
    if subshell.id in listed(notebook):
        assert subshell.run("6 * 7").result == "42"
        delete(subshell)
    assert notebook.run("6 * 7").result == "42"


# --- the requests


def test_kernel_info_says_that_there_are_subshells(notebook: Notebook) -> None:
    assert "kernel subshells" in notebook.ask("kernel_info_request")["supported_features"]


def test_subshells_are_created_listed_and_deleted(notebook: Notebook) -> None:
    before = listed(notebook)
    made = [create(notebook) for _ in range(3)]
    assert sorted(listed(notebook)) == sorted([*before, *(subshell.id for subshell in made)])
    assert delete(made[1]) == {"status": "ok"}
    assert sorted(listed(notebook)) == sorted([*before, made[0].id, made[2].id])
    for subshell in (made[0], made[2]):
        delete(subshell)
    assert listed(notebook) == before


def test_an_unknown_subshell_is_refused_with_its_name(notebook: Notebook) -> None:
    unknown = Subshell(notebook, "no-such-subshell")
    assert delete(unknown)["status"] == "error"
    for request in (unknown.submit("never_bound = 1"), unknown.request("kernel_info_request")):
        notebook.pump(lambda request=request: bool(request.replies), "the refusal")  # type: ignore[misc]
        assert request.reply["status"] == "error"
        assert "no-such-subshell" in request.reply["evalue"]
        assert "subshell" in request.reply["ename"].lower()
    assert notebook.run("'never_bound' in globals()").result == "False"


def test_a_deleted_subshell_runs_nothing_more(subshell: Subshell) -> None:
    assert delete(subshell)["status"] == "ok"
    cell = subshell.submit("bound_after_deletion = 1")
    subshell.notebook.pump(lambda: bool(cell.replies), "the refusal")
    assert cell.reply["status"] == "error"
    assert subshell.notebook.run("'bound_after_deletion' in globals()").result == "False"


def test_requests_other_than_cells_can_be_sent_to_a_subshell(subshell: Subshell) -> None:
    subshell.notebook.run("a_name_to_complete = 1")
    info = subshell.request("kernel_info_request").wait()
    assert (info.states, info.reply["status"]) == (["busy", "idle"], "ok")
    completed = subshell.request("complete_request", {"code": "a_name_to_c", "cursor_pos": 11}).wait()
    assert completed.reply["matches"] == ["a_name_to_complete"]


@pytest.mark.parametrize("waiting", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_the_subshell_magic_knows_where_it_is(waiting: str, subshell: Subshell) -> None:
    told = dict(line.split(": ", 1) for line in subshell.run("%subshell").stdout.splitlines())
    assert told["subshell id"] == subshell.id
    assert told["thread id"] != told["main thread id"]
    assert subshell.id in told["subshell list"]
    told = dict(
        line.split(": ", 1) for line in subshell.notebook.run(f"{waiting}%subshell").stdout.splitlines()
    )
    assert told["subshell id"] == "None"


# --- overlap

# What a lane runs until the other side has set `go`; each prints when it has begun.
UNTIL_GO = {
    "plain": "print('ready')\nassert go.wait(60)",
    "busy": "print('ready')\nwhile not go.is_set(): pass",
    "awaiting": "print('ready')\nwhile not go.is_set(): await asyncio.sleep(.005)",
}
DURING = {"plain": "print('during'); 6 * 7", "awaiting": "print('during'); await asyncio.sleep(0, 42)"}


@pytest.mark.parametrize("during", DURING)
@pytest.mark.parametrize("until", UNTIL_GO)
@pytest.mark.parametrize("first", ["main", "subshell"])
def test_cells_of_both_lanes_overlap_each_with_its_own_output(
    first: str, until: str, during: str, subshell: Subshell
) -> None:
    notebook = subshell.notebook
    notebook.run("go = threading.Event()")
    runs, comes = (notebook, subshell) if first == "main" else (subshell, notebook)
    long = runs.submit(UNTIL_GO[until] + "\n'long'").wait_for_text("ready")
    short = comes.run(DURING[during])
    assert (short.stdout, short.result, short.states) == ("during\n", "42", ["busy", "idle"])
    assert not long.done
    comes.run("go.set()")
    long.wait()
    assert (long.stdout, long.result) == ("ready\n", "'long'")
    assert long.count != short.count


def test_two_awaiting_cells_wait_for_each_other(subshell: Subshell) -> None:
    notebook = subshell.notebook
    notebook.run("one, two = asyncio.Event(), asyncio.Event()")
    here = notebook.submit("one.set(); await two.wait(); 'main'")
    there = subshell.submit("await one.wait(); two.set(); 'subshell'")
    assert (here.wait().result, there.wait().result) == ("'main'", "'subshell'")


def test_cells_of_one_subshell_run_in_their_order(subshell: Subshell) -> None:
    subshell.notebook.run("order = []")
    cells = [
        subshell.submit(f"{'time' if n % 2 else 'await asyncio'}.sleep(.01)\norder.append({n})")
        for n in range(10)
    ]
    for cell in cells:
        cell.wait()
    assert subshell.notebook.run("order == list(range(10))").result == "True"


@pytest.mark.parametrize("waiting", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_both_lanes_see_one_namespace(waiting: str, subshell: Subshell) -> None:
    notebook = subshell.notebook
    notebook.run("shared = [1]\ndef use(): return rebound")
    assert subshell.run(f"{waiting}shared.append(2); rebound = 'there'; shared").result == "[1, 2]"
    assert notebook.run("shared, use()").result == "([1, 2], 'there')"
    notebook.run("rebound = 'here'; del shared")
    assert subshell.run(f"{waiting}use(), 'shared' in globals()").result == "('here', False)"


def test_a_plain_cell_of_a_subshell_runs_where_no_loop_is_running(subshell: Subshell) -> None:
    subshell.notebook.run("async def f(): return 42")
    assert subshell.run("asyncio.run(f())").result == "42"
    assert subshell.run("asyncio.get_event_loop().run_until_complete(f())").result == "42"
    assert subshell.run("await f()").result == "42"


# --- outputs, counts, errors


def test_outputs_of_cells_that_overlap_do_not_mix(subshell: Subshell) -> None:
    notebook = subshell.notebook
    code = "for n in range(100):\n    print('{0}'); display('{0}')\n    {1}"
    cells = [
        notebook.submit(code.format("main", "time.sleep(.001)")),
        subshell.submit(code.format("plain there", "time.sleep(.001)")),
        subshell.submit(code.format("awaiting there", "await asyncio.sleep(.001)")),
    ]
    for cell, text in zip(cells, ("main", "plain there", "awaiting there"), strict=True):
        cell.wait()
        assert cell.stdout == f"{text}\n" * 100
        assert [data["text/plain"] for data in cell.displays] == [repr(text)] * 100


@pytest.mark.parametrize("wait", ["assert go.wait(60)", "while not go.is_set(): await asyncio.sleep(.005)"])
def test_each_cell_has_its_own_number_result_and_error(wait: str, subshell: Subshell) -> None:
    notebook = subshell.notebook
    notebook.run("go = threading.Event()")
    long = subshell.submit(f"print('ready')\n{wait}\n1 / 0").wait_for_text("ready")
    short = notebook.run("'short'")
    notebook.run("go.set()")
    long.wait()
    inputs = [m["content"]["execution_count"] for m in long.messages if m["msg_type"] == "execute_input"]
    assert inputs == [long.count]
    assert short.count == long.count + 1
    assert f"Cell In[{long.count}], line 3" in long.traceback and "----> 3 1 / 0" in long.traceback
    assert notebook.run(f"Out[{short.count}]").result == "'short'"
    assert notebook.run(f"In[{long.count}]").result == repr(f"print('ready')\n{wait}\n1 / 0")


def test_a_failed_cell_aborts_the_waiting_ones_of_its_own_lane_only(subshell: Subshell) -> None:
    notebook = subshell.notebook
    notebook.run("go = threading.Event()")
    here = [notebook.submit("go.wait(60); 'here'"), notebook.submit("'here, too'")]
    there = [subshell.submit("go.wait(60); 1 / 0", stop_on_error=True), subshell.submit("'there'")]
    create(notebook).run("go.set()")
    assert [cell.wait().status for cell in here] == ["ok", "ok"]
    assert [cell.wait().status for cell in there] == ["error", "aborted"]


def test_input_can_be_asked_for_from_a_subshell(subshell: Subshell) -> None:
    for waiting in ("", "await asyncio.sleep(0)\n"):
        cell = subshell.submit(f"{waiting}input('who? ')", allow_stdin=True)
        assert cell.wait_for_input_request()["prompt"] == "who? "
        subshell.notebook.answer("me")
        assert cell.wait().result == "'me'"


# --- Stop and deletion

LONG = {
    "busy": "print('ready')\nwhile True: pass",
    "short sleeps": "print('ready')\nwhile True: time.sleep(.01)",
    "awaiting": "print('ready')\nawait asyncio.sleep(3600)",
}
each_long = pytest.mark.parametrize("code", LONG.values(), ids=LONG)


@pytest.mark.parametrize("how", INTERRUPTS)
@each_long
def test_stop_reaches_a_subshell_while_main_is_idle(code: str, how: str, subshell: Subshell) -> None:
    cell = subshell.submit(code).wait_for_text("ready")
    pressed = time.monotonic()
    subshell.notebook.interrupt(how)
    cell.wait()
    assert time.monotonic() - pressed < 30
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    assert "----> 2 " in cell.traceback
    assert "namespace_kernel" not in cell.traceback


@pytest.mark.parametrize("how", INTERRUPTS)
@each_long
def test_stop_hits_main_while_main_runs(code: str, how: str, subshell: Subshell) -> None:
    there = subshell.submit(code).wait_for_text("ready")
    here = subshell.notebook.submit("print('ready'); time.sleep(3600)").wait_for_text("ready")
    subshell.notebook.interrupt(how)
    here.wait()
    assert here.error is not None and here.error[0] == "KeyboardInterrupt"
    assert not there.done
    subshell.notebook.interrupt(how)
    there.wait()
    assert there.error is not None and there.error[0] == "KeyboardInterrupt"


@each_long
def test_deleting_a_subshell_ends_its_cells(code: str, subshell: Subshell) -> None:
    running = subshell.submit(code).wait_for_text("ready")
    queued = subshell.submit("bound_by_the_queued_cell = 1")
    assert delete(subshell)["status"] == "ok"
    assert running.wait().error == ("KeyboardInterrupt", "")
    assert queued.wait().status == "aborted"
    assert subshell.notebook.run("'bound_by_the_queued_cell' in globals()").result == "False"
    subshell.notebook.run(f"for t in threading.enumerate():\n    if {subshell.id!r} in t.name: t.join(20)")
    assert subshell.id not in subshell.notebook.run("[t.name for t in threading.enumerate()]").text
