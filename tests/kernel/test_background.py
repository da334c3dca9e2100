"""D7: a `%%background` cell does not hold up the next one, and everything is under the cell it belongs to."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.kernel.side_by_side import WAITS, close_gate, in_background, number_of, open_gate

each_kind = pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    return close_gate(notebook)


def test_the_demo_as_written(prepared: Notebook) -> None:
    prepared.run("losses = []")
    training = in_background(
        prepared, "for step in range(100000):\n    losses.append(step); time.sleep(.001)\n    if gate: break"
    )
    looked = prepared.run("while len(losses) < 5: time.sleep(.01)\nlen(losses) >= 5")
    assert looked.result == "True"
    assert not training.done
    open_gate(prepared)
    assert training.wait().status == "ok"


@each_kind
def test_the_next_cells_run_meanwhile_and_each_has_its_own_output(wait: str, prepared: Notebook) -> None:
    background = in_background(prepared, f"print('one')\n{wait}\nprint('two'); display('three'); 6 * 7")
    background.wait_for_text("one")
    for code, result in {"20 + 1": "21", "print('next'); await asyncio.sleep(0, 22)": "22"}.items():
        cell = prepared.run(code)
        assert cell.result == result
        assert cell.count > number_of(background)
    assert cell.text == "next\n22\n"
    assert not background.replies
    assert background.states == ["busy"], "its request stays open"
    open_gate(prepared)
    background.wait()
    assert background.states == ["busy", "idle"]
    assert background.stdout == "one\ntwo\n"
    assert background.displays == [{"text/plain": "'three'"}]
    assert background.result == "42"
    assert background.count == number_of(background)


@each_kind
def test_its_error_is_its_own_and_aborts_nobody(wait: str, prepared: Notebook) -> None:
    background = in_background(prepared, f"{wait}\n1 / 0")
    running = prepared.submit("gate.append(True); time.sleep(.3); 'ran to its end'")
    queued = prepared.submit("'ran as well'")
    assert background.wait().error == ("ZeroDivisionError", "division by zero")
    assert background.status == "error"
    assert "----> 3 1 / 0" in background.traceback
    assert running.wait().result == "'ran to its end'"
    assert queued.wait().result == "'ran as well'"


def test_a_foreground_error_does_not_abort_a_background_cell(prepared: Notebook) -> None:
    background = in_background(prepared, f"{WAITS['plain']}\n'went on'")
    assert prepared.run("1 / 0").status == "error"
    open_gate(prepared)
    assert background.wait().result == "'went on'"


def test_numbers_and_history_keep_the_order_in_which_cells_began(fresh_notebook: Notebook) -> None:
    prepared = close_gate(fresh_notebook)
    first = in_background(prepared, f"{WAITS['plain']}\n'first'")
    second = in_background(prepared, f"{WAITS['awaiting']}\n'second'")
    third = prepared.run("'third'")
    assert [number_of(cell) for cell in (first, second, third)] == [2, 3, 4]
    open_gate(prepared)
    assert (first.wait().count, second.wait().count) == (2, 3)
    assert prepared.run("Out[2], Out[3], Out[4], _2, _3").result == (
        "('first', 'second', 'third', 'first', 'second')"
    )
    assert prepared.run("_i2.splitlines()[-1], _i3.splitlines()[-1], In[4]").result == (
        "(\"'first'\", \"'second'\", \"'third'\")"
    )
    read = prepared.run("[code.splitlines()[-1] for _, n, code in get_ipython().history_manager.get_range()]")
    assert read.result is not None
    assert read.result.replace("\n", "").startswith(
        "['gate = []', \"'first'\", \"'second'\", \"'third'\", 'gate.append(True)',"
    ), read.result


def test_underscore_is_what_the_foreground_displayed_last(prepared: Notebook) -> None:
    background = in_background(prepared, f"{WAITS['plain']}\n'of the background'")
    prepared.run("'of the foreground'")
    open_gate(prepared)
    background.wait()
    assert prepared.run("_").result == "'of the foreground'"
    assert prepared.run(f"Out[{background.count}]").result == "'of the background'"


@each_kind
@pytest.mark.parametrize("end", ["'succeeds'", "{}['fails']"])
def test_the_last_error_is_the_foreground_s(wait: str, end: str, prepared: Notebook) -> None:
    background = in_background(prepared, f"{wait}\n{end}")
    prepared.run("threading.Timer(.1, gate.append, [True]).start(); 1 / 0")
    background.wait()
    assert prepared.run("print(repr(_exception))").stdout == "ZeroDivisionError('division by zero')\n"


@each_kind
def test_a_background_success_keeps_the_foreground_s_error_for_tb(wait: str, prepared: Notebook) -> None:
    background = in_background(prepared, wait)
    prepared.run("threading.Timer(.1, gate.append, [True]).start(); 1 / 0")
    background.wait()
    assert "ZeroDivisionError" in prepared.run("%tb").text


@each_kind
def test_it_starts_with_a_copy_of_the_foreground_s_context(wait: str, prepared: Notebook) -> None:
    prepared.run("import contextvars; v = contextvars.ContextVar('v'); v.set('before'); None")
    background = in_background(prepared, f"{wait}\nseen = v.get(); v.set('of the background'); seen, v.get()")
    prepared.run("v.set('after'); None")
    open_gate(prepared)
    assert background.wait().result == "('before', 'of the background')"
    assert prepared.run("v.get()").result == "'after'"


def test_the_cell_tag_does_the_same(prepared: Notebook) -> None:
    background = prepared.submit(WAITS["plain"], metadata={"tags": ["background"]}).wait_started()
    assert prepared.run("6 * 7").result == "42"
    assert not background.done
    open_gate(prepared)
    background.wait()


def test_a_cell_past_the_limit_waits_for_its_turn_and_says_so(prepared: Notebook) -> None:
    prepared.run("%config NamespaceKernel.background_cells = 1")
    running = in_background(prepared, WAITS["plain"])
    waiting = in_background(prepared, "'its turn'")
    waiting.wait_for_text("waits for its turn")
    assert f"In [{number_of(waiting)}]" in waiting.text
    assert "NamespaceKernel.background_cells = 1" in waiting.text
    assert prepared.run("6 * 7").result == "42", "the foreground is not held up"
    assert not waiting.done
    open_gate(prepared)
    assert running.wait().status == "ok"
    assert waiting.wait().result == "'its turn'"
    prepared.run("%config NamespaceKernel.background_cells = 32")


def test_foreground_cells_keep_their_order_whatever_their_route(prepared: Notebook) -> None:
    prepared.run("order = []")
    background = in_background(prepared, WAITS["awaiting"])
    codes = ["order.append({})", "await asyncio.sleep(.01); order.append({})", "%%sync\norder.append({})"]
    cells = [prepared.submit(codes[number % 3].format(number)) for number in range(12)]
    assert all(cell.wait().status == "ok" for cell in cells)
    assert prepared.run("order == list(range(12))").result == "True"
    open_gate(prepared)
    background.wait()
