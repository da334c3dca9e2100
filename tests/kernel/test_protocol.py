"""The way of an `execute_request` on the wire: statuses, the reply's shape, history, aborts."""

from __future__ import annotations

import pytest
from jupyter_kernel_test.msgspec_v5 import validate_message

from tests.kernel.cells import Cell, Message, Request
from tests.kernel.client import Notebook

REQUESTS: dict[str, Message] = {
    "kernel_info_request": {},
    "complete_request": {"code": "pri", "cursor_pos": 3},
    "inspect_request": {"code": "print", "cursor_pos": 5, "detail_level": 0},
    "is_complete_request": {"code": "1"},
    "history_request": {"hist_access_type": "tail", "n": 1, "output": False, "raw": True},
    "comm_info_request": {},
}
CELLS = {
    "plain": "print('out'); 6 * 7",
    "awaiting": "import asyncio; await asyncio.sleep(0); print('out'); 6 * 7",
}
each_kind = pytest.mark.parametrize("code", CELLS.values(), ids=CELLS)


@pytest.mark.parametrize("msg_type", REQUESTS)
def test_every_request_has_its_reply_between_its_own_busy_and_idle(msg_type: str, notebook: Notebook) -> None:
    asked = notebook.request(msg_type, REQUESTS[msg_type]).wait()
    assert asked.states == ["busy", "idle"]
    assert len(asked.replies) == 1
    validate_message(asked.replies[0], msg_type.replace("request", "reply"), asked.msg_id)


@pytest.mark.parametrize("msg_type", ["kernel_info_request", "interrupt_request"])
def test_control_requests_have_their_own_busy_and_idle(msg_type: str, notebook: Notebook) -> None:
    asked = notebook.request(msg_type, channel="control").wait()
    assert asked.states == ["busy", "idle"]
    assert asked.reply["status"] == "ok"


@each_kind
def test_a_cell_s_messages_come_in_order_and_valid(code: str, notebook: Notebook) -> None:
    cell = notebook.run(code)
    kinds = [message["msg_type"] for message in cell.messages]
    assert kinds == ["status", "execute_input", "stream", "execute_result", "status"]
    assert cell.states == ["busy", "idle"]
    for message in cell.messages:
        validate_message(message, message["msg_type"], cell.msg_id)
    validate_message(cell.replies[0], "execute_reply", cell.msg_id)


@each_kind
def test_the_reply_of_a_good_cell(code: str, notebook: Notebook) -> None:
    cell = notebook.run(code)
    assert cell.status == "ok"
    assert cell.reply["payload"] == []
    assert cell.reply["user_expressions"] == {}
    inputs = [m["content"] for m in cell.messages if m["msg_type"] == "execute_input"]
    assert inputs == [{"code": code, "execution_count": cell.count}]
    results = [content for kind, content in cell.outputs if kind == "execute_result"]
    assert results[0]["execution_count"] == cell.count
    assert notebook.run("1").count == cell.count + 1


@pytest.mark.parametrize("waiting", ["", "import asyncio; await asyncio.sleep(0)\n"], ids=CELLS)
def test_the_reply_of_a_failing_cell(waiting: str, notebook: Notebook) -> None:
    cell = notebook.run(waiting + "1 / 0")
    assert cell.status == "error"
    assert (cell.reply["ename"], cell.reply["evalue"]) == ("ZeroDivisionError", "division by zero")
    shown = [content for kind, content in cell.outputs if kind == "error"]
    assert len(shown) == 1
    for key in ("ename", "evalue", "traceback"):
        assert shown[0][key] == cell.reply[key]
    validate_message(cell.replies[0], "execute_reply", cell.msg_id)
    assert f"----> {2 if waiting else 1} 1 / 0" in cell.traceback
    assert "namespace_kernel" not in cell.traceback


@each_kind
def test_a_silent_cell_runs_and_leaves_no_trace(code: str, notebook: Notebook) -> None:
    before = notebook.run("'before'")
    silent = notebook.run("silently = 1\n" + code, silent=True, store_history=False)
    assert silent.status == "ok"
    assert silent.states == ["busy", "idle"]
    kinds = {message["msg_type"] for message in silent.messages}
    assert "execute_input" not in kinds
    assert "execute_result" not in kinds
    after = notebook.run("silently, _, In[-2]")
    assert after.count == before.count + 1
    assert after.result == "(1, 'before', \"'before'\")"


def test_a_cell_that_stores_no_history_shows_its_result_and_is_not_counted(notebook: Notebook) -> None:
    before = notebook.run("'before'")
    unstored = notebook.run("6 * 7", store_history=False)
    assert unstored.result == "42"
    after = notebook.run("In[-2]")
    assert after.count == before.count + 1
    assert after.result == "\"'before'\""


@each_kind
def test_user_expressions_are_evaluated_after_the_cell(code: str, notebook: Notebook) -> None:
    cell = notebook.run("x = 20\n" + code, user_expressions={"good": "x + 1", "bad": "1 / 0"})
    good, bad = (cell.reply["user_expressions"][name] for name in ("good", "bad"))
    assert (good["status"], good["data"]) == ("ok", {"text/plain": "21"})
    assert (bad["status"], bad["ename"]) == ("error", "ZeroDivisionError")


def test_user_expressions_are_not_evaluated_after_a_failure(notebook: Notebook) -> None:
    assert "data" not in str(notebook.run("1 / 0", user_expressions={"x": "1"}).reply["user_expressions"])


@pytest.mark.parametrize("sleep", ["time.sleep(.3)", "await asyncio.sleep(.3)"])
def test_cells_that_wait_behind_a_failing_one_are_aborted(sleep: str, notebook: Notebook) -> None:
    notebook.run("import asyncio, time")
    failing = notebook.submit(f"{sleep}; 1 / 0")
    queued = [notebook.submit(code) for code in ("touched = 1", "await asyncio.sleep(0); touched = 2")]
    info = notebook.request("kernel_info_request")
    failing.wait()
    for cell in queued:
        assert cell.wait().status == "aborted"
        assert cell.states == ["busy", "idle"]
        assert cell.outputs == []
    assert info.wait().reply["status"] == "ok", "only cells are aborted"
    assert notebook.run("touched").error is not None


def test_a_cell_that_is_sent_after_the_failing_reply_is_run(notebook: Notebook) -> None:
    for number in range(20):
        failing = notebook.submit("1 / 0")
        notebook.pump(lambda failing=failing: bool(failing.replies), "the failing reply")  # type: ignore[misc]
        after = notebook.submit(str(number)).wait()
        assert (after.status, after.result) == ("ok", str(number))
        failing.wait()


def test_one_that_comes_within_the_time_that_the_option_says_is_aborted(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("get_ipython().kernel.stop_on_error_timeout = 600.0")
    assert fresh_notebook.run("1 / 0").status == "error"
    assert fresh_notebook.run("x = 1").status == "aborted"


def test_cells_that_wait_behind_a_failing_one_run_if_it_says_so(notebook: Notebook) -> None:
    failing = notebook.submit("import time; time.sleep(.3); 1 / 0", stop_on_error=False)
    queued = notebook.submit("6 * 7")
    assert failing.wait().status == "error"
    assert queued.wait().result == "42"


def test_cells_run_one_after_the_other_in_the_order_in_which_they_were_sent(notebook: Notebook) -> None:
    notebook.run("import asyncio, time; order = []")
    codes = [
        "time.sleep(.05)",
        "await asyncio.sleep(.02)",
        "asyncio.create_task(asyncio.sleep(0))",
        "pass",
    ] * 5
    cells = [notebook.submit(f"{code}\norder.append({n});") for n, code in enumerate(codes)]
    for cell in cells:
        cell.wait()
    assert notebook.run("order == list(range(20))").result == "True"
    assert [cell.count for cell in cells] == list(range(cells[0].count, cells[0].count + 20))


def test_output_stands_before_the_idle_of_its_cell(notebook: Notebook) -> None:
    for n in range(20):
        cell = notebook.run(f"import sys; print({n}); print('e', file=sys.stderr); display({n}); {n}")
        kinds = [message["msg_type"] for message in cell.messages]
        assert kinds[-1] == "status"
        assert set(kinds[2:-1]) == {"display_data", "execute_result", "stream"}
        assert (cell.stdout, cell.stderr, cell.result) == (f"{n}\n", "e\n", str(n))


def test_an_empty_cell_is_answered(notebook: Notebook) -> None:
    for code in ("", "   \n", "# only a comment", "\n\n"):
        cell = notebook.run(code)
        assert (cell.status, cell.outputs) == ("ok", [])


def test_a_payload_is_delivered(notebook: Notebook) -> None:
    cell = notebook.run("get_ipython().set_next_input('6 * 7')")
    assert [(p["source"], p["text"]) for p in cell.reply["payload"]] == [("set_next_input", "6 * 7")]
    assert notebook.run("1").reply["payload"] == []


@pytest.mark.parametrize("nexts", ["cells", "background cells", "other requests", "bad cells"])
def test_of_cells_sent_at_once_each_has_its_messages_in_order_and_none_waits_for_ever(
    nexts: str, notebook: Notebook
) -> None:
    """A cell's idle may leave with what is published next, if a cell waits already."""
    first = notebook.submit("import time; time.sleep(0.2); print('first')")
    others: list[Request] = []
    for number in range(20):
        others.append(notebook.submit(f"print({number})"))
        if nexts == "background cells":
            others.append(notebook.submit(f"%%background\nprint({number})"))
        elif nexts == "other requests":
            others.append(notebook.request("complete_request", {"code": "pri", "cursor_pos": 3}))
        elif nexts == "bad cells":
            others.append(notebook.request("execute_request", {"stop_on_error": False}))
    for cell in (first, *others):
        cell.wait()
        # What ends beside a cell announces that one again.
        again = ["busy"] * (len(cell.states) - 2) if nexts in ("background cells", "other requests") else []
        assert cell.states == ["busy", *again, "idle"]
        if (
            not again
            and isinstance(cell, Cell)
            and cell.status == "ok"
            and not str(cell.what).startswith("%%")
        ):
            kinds = [message["msg_type"] for message in cell.messages]
            assert kinds == ["status", "execute_input", "stream", "status"]
    dates = [message["header"]["date"] for message in first.messages]
    assert dates == sorted(dates)


def test_the_idle_of_a_cell_that_ends_the_kernel_arrives_though_others_wait(fresh_notebook: Notebook) -> None:
    cell = fresh_notebook.submit("import time; time.sleep(0.2); exit()")
    for _ in range(3):
        fresh_notebook.submit("1")
    cell.wait()
    assert cell.states == ["busy", "idle"]
    fresh_notebook.wait_exit()
