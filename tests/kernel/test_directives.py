"""D7: `%%background` together with other directives, magics, and ways to send a cell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel.client import Notebook
from tests.kernel.side_by_side import WAITS, close_gate, in_background, open_gate
from tests.kernel.test_subshells import Subshell, create, delete

THREAD = "threading.current_thread().name"


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    return close_gate(notebook)


@pytest.fixture
def subshell(prepared: Notebook) -> Iterator[Subshell]:
    subshell = create(prepared)
    yield subshell
    delete(subshell)


@pytest.mark.parametrize("code", ["%%background\n%%async\nTHREAD", "%%async\n%%background\nTHREAD"])
def test_with_async_it_runs_on_the_loop(code: str, prepared: Notebook) -> None:
    assert prepared.run(code.replace("THREAD", THREAD)).result == "'User loop'"


@pytest.mark.parametrize("code", ["%%background\n%%sync\nCODE", "%%sync\n%%background\nCODE"])
def test_with_sync_it_runs_where_no_loop_is(code: str, prepared: Notebook) -> None:
    alone = "asyncio.create_task(asyncio.sleep(0)), asyncio.get_running_loop()"
    assert prepared.run(code.replace("CODE", alone)).error == ("RuntimeError", "no running event loop")


def test_a_plain_one_has_a_thread_of_its_own_and_no_loop(prepared: Notebook) -> None:
    cell = in_background(prepared, f"{WAITS['plain']}\nasyncio.run(asyncio.sleep(0, {THREAD}))")
    open_gate(prepared)
    name = str(cell.wait().result)
    assert "MainThread" not in name and "User loop" not in name


@pytest.mark.parametrize("body", ["time.sleep(.01)", "await asyncio.sleep(.01)"])
def test_magics_below_it_work(body: str, prepared: Notebook) -> None:
    assert "Wall time" in prepared.run(f"%%background\n%%time\n{body}").stdout
    assert prepared.run(f"%%background\n%%capture out\nprint('x'); {body}").stdout == ""
    assert prepared.run("out.stdout").result == "'x\\n'"
    assert "per loop" in prepared.run(f"%%background\n%timeit -n1 -r1 {body}").stdout


def test_a_script_below_it_does_not_hold_up_the_next_cell(prepared: Notebook) -> None:
    cell = in_background(prepared, "%%bash\nwhile [ ! -e gate ]; do sleep .05; done; echo opened")
    assert prepared.run("6 * 7").result == "42"
    prepared.run("open('gate', 'w').close()")
    assert cell.wait().stdout == "opened\n"


@pytest.mark.parametrize(
    "code", ["%%background", "%%background\n", "%%background\n\n# only this\n", "\n\n%%background\n"]
)
def test_an_empty_one_is_nothing(code: str, prepared: Notebook) -> None:
    cell = prepared.run(code)
    assert cell.status == "ok"
    assert cell.text == ""


WRONG = {
    "%%background now\n1": "takes no arguments",
    "%%background\n%%background\n1": "keep one of them",
    "%%background\n%%async\n%%sync\n1": "keep one of them",
    "1\n%%background\n2": "%%background",
    "%%background\n%%sync\nawait asyncio.sleep(0)": "awaits at its top level",
    "%%background\nx = (": "incomplete input",
}


@pytest.mark.parametrize("code", WRONG)
def test_a_wrong_one_says_so(code: str, prepared: Notebook) -> None:
    cell = prepared.run(code)
    assert cell.status == "error"
    assert WRONG[code] in cell.text
    assert prepared.run("6 * 7").result == "42"


def test_lines_in_its_traceback_are_those_of_the_cell(prepared: Notebook) -> None:
    cell = prepared.run("%%background\n%%async\n\n1 / 0")
    assert "----> 4 1 / 0" in cell.traceback


def test_silent_and_unstored_ones_run_beside_the_others_too(prepared: Notebook) -> None:
    for options in ({"silent": True}, {"store_history": False}):
        prepared.run("gate.clear()")
        before = prepared.run("6 * 7").count
        cell = prepared.submit(f"%%background\n{WAITS['plain']}\nran = 'beside'\nran", **options)
        assert prepared.run("20 + 1").count == before + 1
        assert not cell.done
        open_gate(prepared)
        assert cell.wait().status == "ok"
        assert cell.result == (None if options.get("silent") else "'beside'")
        assert prepared.run("ran").result == "'beside'"


def test_a_silent_one_that_fails_shows_nothing_but_replies(prepared: Notebook) -> None:
    cell = prepared.run("%%background\n1 / 0", silent=True)
    assert cell.reply["ename"] == "ZeroDivisionError"


@pytest.mark.parametrize("kind", WAITS)
def test_in_a_subshell(kind: str, prepared: Notebook, subshell: Subshell) -> None:
    cell = subshell.submit(f"%%background\n{WAITS[kind]}\n'of a subshell'").wait_started()
    assert subshell.run("'next'").result == "'next'"
    assert not cell.done
    open_gate(prepared)
    assert cell.wait().result == "'of a subshell'"


def test_it_outlives_the_subshell_that_started_it(prepared: Notebook) -> None:
    subshell = create(prepared)
    cell = subshell.submit(f"%%background\n{WAITS['plain']}\n'lived'").wait_started()
    subshell.run("pass")
    delete(subshell)
    open_gate(prepared)
    assert cell.wait().result == "'lived'"


def test_it_is_listed_by_ps_with_its_line(prepared: Notebook) -> None:
    code = f"print('ready', flush=True)\n{WAITS['plain']}"
    cell = in_background(prepared, code).wait_for(lambda cell: cell.stdout == "ready\n", "its output")
    while "line 2" in (listed := prepared.run("%ps").text):  # it may not have come back from there
        assert "background" in listed
    assert "background" in listed
    assert "line 3" in listed and "while not gate" in listed
    open_gate(prepared)
    cell.wait()


def test_a_background_cell_that_a_failing_cell_aborts_is_told_so(prepared: Notebook) -> None:
    failing = prepared.submit("time.sleep(.2); 1 / 0")
    queued = prepared.submit("%%background\nran_anyway = True")
    assert failing.wait().status == "error"
    assert queued.wait().status == "aborted"
    assert prepared.run("'ran_anyway' in globals()").result == "False"
