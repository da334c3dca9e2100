"""pdb at the input prompt: `%debug` post mortem, `%pdb`, `breakpoint()` and `set_trace()`."""

from __future__ import annotations

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import INTERRUPTS, Notebook

PREPARE = """\
import asyncio, pdb, time
def inner(x):
    y = x * 2
    raise ValueError(y)
def outer(): inner(21)
async def ainner(x):
    y = x * 2
    await asyncio.sleep(0)
    raise ValueError(y)
async def aouter(): await ainner(21)"""
# The failing call, and the line of the function that raised.
CALLS = {
    "plain": ("outer()", "----> 4     raise ValueError(y)", "outer"),
    "awaiting": ("await aouter()", "----> 9     raise ValueError(y)", "aouter"),
}
each_kind = pytest.mark.parametrize(("call", "line", "caller"), CALLS.values(), ids=CALLS)


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    assert notebook.run(PREPARE).status == "ok"
    return notebook


def debug(notebook: Notebook, code: str, *answers: str) -> Cell:
    """Runs `code`, and answers each prompt of the debugger; the cell must end with the last answer."""
    cell = notebook.submit(code, allow_stdin=True)
    for number, answer in enumerate(answers, 1):
        notebook.pump(
            lambda number=number: cell.done or len(cell.input_requests) >= number,  # type: ignore[misc]
            f"prompt {number}",
        )
        assert not cell.done, f"ended before prompt {number}: {cell.text}"
        assert cell.wait_for_input_request(number) == {"prompt": "ipdb> ", "password": False}
        notebook.answer(answer)
    return cell.wait()


# --- post mortem


@each_kind
def test_debug_opens_where_the_last_cell_failed(
    call: str, line: str, caller: str, prepared: Notebook
) -> None:
    assert prepared.run(call).error == ("ValueError", "42")
    cell = debug(prepared, "%debug", "p 'y is', y", "up", "p 'x' in dir()", "up", "q")
    assert (cell.status, cell.error) == ("ok", None)
    assert line in cell.text
    assert "('y is', 42)" in cell.text
    assert f"{caller}()" in cell.text
    assert f"----> 1 {call}" in cell.text
    assert "namespace_kernel" not in cell.text
    assert prepared.run("6 * 7").result == "42"


@each_kind
def test_debug_can_be_opened_again(call: str, line: str, caller: str, prepared: Notebook) -> None:
    prepared.run(call)
    for _ in range(2):
        assert line in debug(prepared, "%debug", "q").text


@pytest.mark.parametrize("mode", ["Context", "Plain", "Minimal"])
def test_debug_opens_at_the_bottom_of_a_recursion(mode: str, prepared: Notebook) -> None:
    prepared.run(f"%xmode {mode}")
    prepared.run("def down(n):\n    if n == 0: raise ValueError(n)\n    down(n - 1)\ndown(300)")
    prepared.run("%xmode Context")
    cell = debug(prepared, "%debug", "p 'n is', n", "up 7", "p 'n is', n", "up 294", "q")
    assert "('n is', 0)" in cell.text and "('n is', 7)" in cell.text
    assert "----> 4 down(300)" in cell.text


@each_kind
def test_the_debugger_sees_and_changes_the_namespace(
    call: str, line: str, caller: str, prepared: Notebook
) -> None:
    prepared.run("seen = 'before'")
    prepared.run(call)
    cell = debug(prepared, "%debug", "p seen", "!globals()['seen'] = 'after'", "pp [y] * 2", "q")
    assert "'before'" in cell.text and "[42, 42]" in cell.text
    assert prepared.run("seen").result == "'after'"


def test_debug_has_nothing_to_open_after_a_cell_that_succeeded(fresh_notebook: Notebook) -> None:
    assert "No traceback" in fresh_notebook.run("%debug", allow_stdin=True).text


def test_debug_needs_input_to_be_allowed(prepared: Notebook) -> None:
    prepared.run("outer()")
    cell = prepared.run("%debug", allow_stdin=False)
    assert not cell.input_requests
    assert prepared.run("6 * 7").result == "42"


def test_debug_of_a_statement_steps_through_it(prepared: Notebook) -> None:
    cell = debug(prepared, "%debug x = inner(3)", "s", "s", "n", "p 'y is', y", "q")
    assert "Enter 'c' at the ipdb>  prompt to continue execution." in cell.text
    assert "----> 3     y = x * 2" in cell.text
    assert "('y is', 6)" in cell.text


def test_debug_of_a_cell_runs_it_in_the_namespace(prepared: Notebook) -> None:
    debug(prepared, "%%debug\nfrom_debug = 5\nfrom_debug += 1", "n", "n", "p from_debug", "c")
    assert prepared.run("from_debug").result == "6"


@each_kind
def test_pdb_on_opens_the_debugger_at_each_failure(
    call: str, line: str, caller: str, prepared: Notebook
) -> None:
    assert prepared.run("%pdb on").stdout == "Automatic pdb calling has been turned ON\n"
    cell = debug(prepared, call, "p 'y is', y", "q")
    assert cell.error == ("ValueError", "42")
    assert line in cell.text and "('y is', 42)" in cell.text
    assert prepared.run("6 * 7").result == "42"
    assert prepared.run("%pdb off").stdout == "Automatic pdb calling has been turned OFF\n"
    assert debug(prepared, call).error == ("ValueError", "42")


@pytest.mark.parametrize("how", INTERRUPTS)
def test_stop_ends_the_debugger_that_waits_for_a_command(how: str, prepared: Notebook) -> None:
    prepared.run("outer()")
    cell = prepared.submit("%debug", allow_stdin=True)
    cell.wait_for_input_request()
    prepared.interrupt(how)
    cell.wait()
    assert "KeyboardInterrupt" in cell.text
    assert prepared.run("6 * 7").result == "42"


# --- in the code

STOPS = {
    "breakpoint": "breakpoint()",
    "set_trace": "pdb.set_trace()",
    "import": "import pdb; pdb.set_trace()",
    "IPython": "from IPython.core.debugger import set_trace; set_trace()",
}
each_stop = pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)


def traced(stop: str) -> str:
    return f"def traced(a):\n    b = a + 1\n    {stop}\n    c = b + 1\n    return c"


@each_stop
def test_a_breakpoint_in_a_function_can_be_stepped_from(stop: str, prepared: Notebook) -> None:
    prepared.run(traced(stop))
    cell = debug(prepared, "traced(1)", "p 'b is', b", "n", "n", "p 'c is', c", "c")
    assert "('b is', 2)" in cell.text and "('c is', 3)" in cell.text
    assert "----> 4     c = b + 1" in cell.text
    assert cell.result == "3"
    assert prepared.run("traced").status == "ok"


@each_stop
def test_a_breakpoint_in_a_cell_s_own_code_sees_its_names(stop: str, prepared: Notebook) -> None:
    cell = debug(prepared, f"here = 1\n{stop}\nhere + 1", "p 'here is', here", "c")
    assert "('here is', 1)" in cell.text
    assert cell.result == "2"


def test_a_variable_that_the_debugger_changed_stays_changed(prepared: Notebook) -> None:
    prepared.run(traced("pdb.set_trace()"))
    # stopped at line 4; without the exclamation mark `b` would be the command
    assert debug(prepared, "traced(1)", "!b = 100", "c").result == "101"


@each_stop
def test_quitting_the_debugger_ends_the_cell(stop: str, prepared: Notebook) -> None:
    prepared.run(traced(stop))
    cell = debug(prepared, "traced(1)\nprint('not reached')", "q")
    assert "not reached" not in cell.text
    assert prepared.run("6 * 7").result == "42"


@each_stop
def test_a_breakpoint_in_a_coroutine_stops_the_cell_that_awaits_it(stop: str, prepared: Notebook) -> None:
    prepared.run(f"async def atraced(a):\n    await asyncio.sleep(0)\n    {stop}\n    return a + 1")
    cell = debug(prepared, "await atraced(1)", "p 'a is', a", "c")
    assert "('a is', 1)" in cell.text
    assert cell.result == "2"
    assert prepared.run("await asyncio.sleep(0, 7)").result == "7"


def test_requests_are_answered_while_the_debugger_waits(prepared: Notebook) -> None:
    prepared.run(traced("pdb.set_trace()"))
    cell = prepared.submit("traced(1)", allow_stdin=True)
    cell.wait_for_input_request()
    reply = prepared.ask("complete_request", {"code": "trace", "cursor_pos": 5})
    assert "traced" in reply["matches"]
    assert prepared.ask("kernel_info_request")["status"] == "ok"
    assert not cell.done
    prepared.answer("c")
    assert cell.wait().result == "3"
