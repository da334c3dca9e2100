"""D7: waiting for background cells: `%wait`, and the handles that `cell(N)` gives."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.kernel.side_by_side import WAITS, close_gate, in_background, number_of, open_gate

each_kind = pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
# Each asks for the result of cell N.
ASKS = ["cell(N).result()", "await cell(N)", "(await asyncio.gather(cell(N), asyncio.sleep(0)))[0]"]


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    return close_gate(notebook)


@each_kind
@pytest.mark.parametrize("ask", ASKS)
def test_whoever_asks_waits_for_the_result(wait: str, ask: str, prepared: Notebook) -> None:
    background = in_background(prepared, f"{wait}\n6 * 7")
    prepared.run("threading.Timer(.2, gate.append, [True]).start()")
    asking = prepared.run(ask.replace("N", str(number_of(background))))
    assert asking.result == "42"
    assert background.wait().result == "42"


@each_kind
@pytest.mark.parametrize("ask", ["cell(N).result()", "await cell(N)", "%wait N"])
def test_whoever_asks_gets_the_error_with_its_line(wait: str, ask: str, prepared: Notebook) -> None:
    background = in_background(prepared, f"{wait}\n1 / 0")
    open_gate(prepared)
    background.wait()
    for _ in range(2):
        asking = prepared.run(ask.replace("N", str(background.count)))
        assert asking.error == ("ZeroDivisionError", "division by zero")
        assert "----> 3 1 / 0" in asking.traceback
        assert "background.py" not in asking.traceback
        assert asking.traceback.count("In[") == 2, "the cell that asks, and the one that failed"


def test_a_handle_tells_how_the_cell_is(prepared: Notebook) -> None:
    background = in_background(prepared, f"{WAITS['plain']}\n6 * 7")
    number = number_of(background)
    prepared.run(f"handle = cell({number})")
    assert prepared.run("handle, handle.done()").result == (f"(<background cell In [{number}], runs>, False)")
    late = prepared.run("handle.result(timeout=.05)")
    assert late.error == ("TimeoutError", f"In [{number}] still runs")
    open_gate(prepared)
    background.wait()
    assert prepared.run("handle.result(), handle.exception(), handle.cancel(), handle").result == (
        f"(42, None, False, <background cell In [{number}], done>)"
    )


def test_a_handle_tells_the_error(prepared: Notebook) -> None:
    background = prepared.run("%%background\n1 / 0")
    read = prepared.run(f"handle = cell({background.count}); handle.exception(), handle")
    assert read.result is not None
    assert read.result.startswith("(ZeroDivisionError('division by zero'),")
    assert "failed: ZeroDivisionError" in read.result


def test_wait_waits_for_all_or_for_those_it_names(prepared: Notebook) -> None:
    first, second = (in_background(prepared, wait) for wait in WAITS.values())
    prepared.run("import functools; go_on = functools.partial(threading.Timer, .2, gate.append, [True])")
    prepared.run("go_on().start()")
    assert prepared.run("%wait\nlen(gate)").result == "1"
    assert first.wait().status == second.wait().status == "ok"
    prepared.run("gate.clear()")
    third = in_background(prepared, WAITS["plain"])
    assert prepared.run(f"%wait {first.count}, {second.count}").status == "ok", "these have ended"
    assert not third.done
    prepared.run("go_on().start()")
    assert prepared.run(f"%wait {number_of(third)}\nlen(gate)").result == "1"


@pytest.mark.parametrize("code", ["%wait 99999", "cell(99999)", "%wait all of them"])
def test_what_there_is_not_is_refused_with_what_there_is(code: str, prepared: Notebook) -> None:
    background = in_background(prepared, WAITS["plain"])
    refused = prepared.run(code)
    assert refused.status == "error"
    if "99999" in code:
        assert (
            f"In [99999] is no background cell, or it ended long ago; those that run: {number_of(background)}"
            in (refused.text)
        )
    else:
        assert "`%wait 3 5` for these two" in refused.text
    open_gate(prepared)
    background.wait()


@each_kind
def test_stop_ends_the_waiting_and_not_the_background_cell(wait: str, prepared: Notebook) -> None:
    background = in_background(prepared, f"{wait}\n'went on'")
    for ask in ("%wait", f"await cell({number_of(background)})", f"cell({number_of(background)}).result()"):
        waiting = prepared.submit(f"print('rea' 'dy', flush=True)\n{ask}").wait_for_text("ready")
        prepared.interrupt("SIGINT")
        assert waiting.wait().error == ("KeyboardInterrupt", "")
    open_gate(prepared)
    assert background.wait().result == "'went on'"


@pytest.mark.parametrize("ask", ["cell(N).result()", "await cell(N)", "%wait N"])
def test_of_a_cell_that_was_stopped_there_is_no_result(ask: str, prepared: Notebook) -> None:
    background = in_background(prepared, "while True: time.sleep(.01)")
    number = str(number_of(background))
    assert prepared.run(f"cell({number}).cancel()").result == "True"
    assert background.wait().error == ("KeyboardInterrupt", "")
    asking = prepared.run(ask.replace("N", number))
    assert asking.error == ("CancelledError", f"In [{number}] was stopped")


def test_a_background_cell_may_wait_for_another(prepared: Notebook) -> None:
    first = in_background(prepared, f"{WAITS['awaiting']}\n20")
    second = in_background(prepared, f"await cell({number_of(first)}) + 1")
    third = in_background(prepared, f"cell({number_of(second)}).result() * 2")
    open_gate(prepared)
    assert third.wait().result == "42"
    assert (first.wait().result, second.wait().result) == ("20", "21")


def test_only_the_last_handles_are_kept(fresh_notebook: Notebook) -> None:
    cells = [fresh_notebook.submit(f"%%background\n{number}") for number in range(120)]
    for cell in cells:
        cell.wait()
    assert fresh_notebook.run("%%background\n'last'").status == "ok"
    assert fresh_notebook.run(f"cell({cells[-1].count}).result()").result == "119"
    assert "ended long ago" in fresh_notebook.run(f"cell({cells[0].count})").text
