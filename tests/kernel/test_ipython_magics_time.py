"""D13: `%time` and `%timeit` over code that awaits, as they are over code that does not."""

from __future__ import annotations

import re

import pytest

from tests.kernel.client import INTERRUPTS, Notebook

PREPARE = """\
import asyncio
calls = []
def now(value="done"):
    calls.append(value)
    return value
async def later(value="done"):
    calls.append(value)
    await asyncio.sleep(0)
    return value"""
# The same code in both kinds: what holds for the first must hold for the second.
CALLS = {"plain": "now", "awaiting": "await later"}
each_kind = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)

TIMES = re.compile(r"CPU times: user .+, sys: .+, total: .+\nWall time: (?P<number>[\d.e+]+) (?P<unit>\w+)\n")
UNITS = {"ns": 1e-9, "μs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0}
# On a busy machine lines about caching (before) and compiling (after) come along.
SLOW = r"(?:(?:Compiler|Parser) .*\n)*"
PER_LOOP = (
    r"(?:The slowest run .*\n)?.+ ± .+ per loop \(mean ± std\. dev\. of {runs} runs, {loops} loops each\)\n"
)


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    assert notebook.run(PREPARE).status == "ok"
    return notebook


def wall_time(printed: str) -> float:
    """What `%time` says, in seconds. It must say nothing else."""
    match = re.fullmatch(TIMES.pattern + SLOW, printed)
    assert match, printed
    return float(match["number"]) * UNITS[match["unit"]]


# --- %time


def test_time_of_a_sleep_that_is_awaited_is_as_long_as_the_sleep(prepared: Notebook) -> None:
    cell = prepared.run("%time await asyncio.sleep(.1)")
    assert cell.status == "ok", cell.text
    assert wall_time(cell.stdout) >= 0.09
    assert cell.result is None


@each_kind
def test_time_prints_both_times_and_returns_the_value(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"%time {call}(42)")
    wall_time(cell.stdout)
    assert cell.result == "42"
    assert prepared.run("_").result == "42"


@each_kind
def test_time_of_an_expression_with_a_semicolon_shows_no_value(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"%time {call}(42);")
    wall_time(cell.stdout)
    assert cell.result is None


@each_kind
def test_time_of_a_statement_binds_its_names_in_the_namespace(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"%time bound = {call}(1)")
    wall_time(cell.stdout)
    assert cell.result is None
    assert prepared.run("bound").result == "1"


@each_kind
def test_the_value_of_time_can_be_assigned(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"assigned = %time {call}(2)")
    wall_time(cell.stdout)
    assert prepared.run("assigned").result == "2"


@each_kind
def test_time_may_stand_among_other_lines_and_in_a_block(call: str, prepared: Notebook) -> None:
    cell = prepared.run(
        f"before = {call}('b')\nfor n in range(2):\n    %time inside = {call}(n)\nprint('after', inside)"
    )
    assert cell.status == "ok", cell.text
    assert len(TIMES.findall(cell.stdout)) == 2
    assert cell.stdout.endswith("after 1\n")


@pytest.mark.parametrize(
    ("head", "call", "run"), [("def", "now", "f(7)"), ("async def", "await later", "await f(7)")]
)
def test_time_in_a_function_sees_the_function_s_variables(
    head: str, call: str, run: str, prepared: Notebook
) -> None:
    prepared.run(f"{head} f(local):\n    value = %time {call}(local)\n    return value")
    cell = prepared.run(run)
    assert cell.result == "7", cell.text
    wall_time(cell.stdout)


@each_kind
def test_time_of_a_cell_binds_its_names_and_shows_the_last_value(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"%%time\nfirst = {call}(3)\nfor n in range(2):\n    second = {call}(n)\n{call}(4)")
    wall_time(cell.stdout)
    assert cell.result == "4"
    assert prepared.run("first, second").result == "(3, 1)"


@each_kind
def test_a_timed_cell_may_hold_magics_and_commands(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"%%time\n{call}()\n%alias_magic -l quick time\nprinted = !echo hello\nprinted.s")
    assert cell.result == "'hello'", cell.text
    assert TIMES.search(cell.stdout)


@each_kind
def test_an_error_in_a_timed_cell_is_shown_after_the_times(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"%%time\nz = {call}()\n1 / 0")
    wall_time(cell.stdout)
    assert cell.error == ("ZeroDivisionError", "division by zero")
    assert "File <timed exec>:2" in cell.traceback
    assert "namespace_kernel" not in cell.traceback


@each_kind
def test_an_error_in_a_timed_cell_that_tolerates_it_is_not_shown(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"%%time --no-raise-error\n{call}()\n1 / 0")
    assert (cell.status, cell.error) == ("ok", None), cell.text
    wall_time(cell.stdout)


def test_time_refuses_a_statement_beside_a_body(prepared: Notebook) -> None:
    cell = prepared.run("%%time await later()\nawait later()")
    assert cell.status == "error"
    assert "Can't use statement directly after '%%time'!" in cell.text


@pytest.mark.parametrize("code", ["%time {}", "%%time\n{}"], ids=["line", "cell"])
@pytest.mark.parametrize("how", INTERRUPTS)
@pytest.mark.parametrize("wait", ["time.sleep(60)", "await asyncio.sleep(60)"])
def test_stop_ends_what_is_timed_and_the_times_are_printed(
    wait: str, how: str, code: str, prepared: Notebook
) -> None:
    prepared.run("import time\nasync def announced(): print('ready'); await asyncio.sleep(60)")
    body = "print('ready'); time.sleep(60)" if wait.startswith("time") else "await announced()"
    cell = prepared.submit(code.format(body)).wait_for_text("ready")
    prepared.interrupt(how)
    cell.wait()
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    assert TIMES.search(cell.stdout), cell.text
    assert prepared.run("await later(6)").result == "6"


# --- %timeit


@each_kind
def test_timeit_runs_the_code_as_often_as_it_is_told(call: str, prepared: Notebook) -> None:
    prepared.run("calls.clear()")
    cell = prepared.run(f"%timeit -n2 -r3 {call}()")
    assert re.fullmatch(PER_LOOP.format(runs=3, loops=2) + SLOW, cell.stdout), cell.text
    assert cell.result is None
    assert prepared.run("len(calls)").result == "6"


@each_kind
def test_timeit_finds_by_itself_how_often_the_code_must_run(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"calls.clear()\n%timeit -r2 {call}()")
    match = re.search(r" of 2 runs, ([\d,]+) loops each\)\n", cell.stdout)
    assert match, cell.text
    loops = int(match[1].replace(",", ""))
    assert loops >= 10
    assert int(prepared.run("len(calls)").result or "") >= 2 * loops


@each_kind
def test_timeit_returns_its_result_if_asked_and_can_be_quiet(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"result = %timeit -o -q -n2 -r3 {call}()")
    assert (cell.status, cell.text) == ("ok", "")
    told = prepared.run("result.loops, result.repeat, len(result.all_runs), result.best <= result.worst")
    assert told.result == "(2, 3, 3, True)"
    assert prepared.run(f"%timeit -v saved -q -n1 -r1 {call}()").status == "ok"
    assert prepared.run("saved.loops, type(saved).__name__").result == "(1, 'TimeitResult')"


def test_timeit_measures_the_time_for_which_the_code_waits(prepared: Notebook) -> None:
    cell = prepared.run("result = %timeit -o -q -n2 -r2 await asyncio.sleep(.05)")
    assert cell.status == "ok", cell.text
    assert prepared.run("result.best >= .045").result == "True"


@each_kind
def test_timeit_of_a_cell_sees_its_setup_and_binds_no_names(call: str, prepared: Notebook) -> None:
    prepared.run("calls.clear()")
    cell = prepared.run(f"%%timeit -n2 -r3 setup = 'made once per run'\nlocal = {call}(setup)\nlocal + setup")
    assert re.fullmatch(PER_LOOP.format(runs=3, loops=2) + SLOW, cell.stdout), cell.text
    told = prepared.run("'setup' in globals(), 'local' in globals(), len(calls), set(calls)")
    assert told.result == "(False, False, 6, {'made once per run'})"


@each_kind
def test_the_setup_of_timeit_runs_once_per_run_and_may_await(call: str, prepared: Notebook) -> None:
    prepared.run("calls.clear()")
    cell = prepared.run(f"%%timeit -n4 -r3 made = {call}('setup')\nmade * 2")
    assert cell.status == "ok", cell.text
    assert prepared.run("calls").result == "['setup', 'setup', 'setup']"


@each_kind
def test_an_error_in_timed_loops_is_the_cell_s(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"%timeit -n1 -r1 {call}() / 0")
    assert cell.error is not None and cell.error[0] == "TypeError"
    assert prepared.run(f"%timeit -n1 -r1 {call}()").status == "ok"


def test_tasks_go_on_while_awaiting_code_is_timed(prepared: Notebook) -> None:
    prepared.run("""\
async def tick():
    while True: ticks.append(1); await asyncio.sleep(.01)
ticks = []; ticking = asyncio.create_task(tick())""")
    for code in ("%time await asyncio.sleep(.2)", "%timeit -n1 -r1 await asyncio.sleep(.2)"):
        told = prepared.run(f"k = len(ticks)\n{code}\nlen(ticks) - k > 3")
        assert told.result == "True", told.text
    assert prepared.run("ticking.cancel()").result == "True"


@pytest.mark.parametrize("how", INTERRUPTS)
@pytest.mark.parametrize("code", ["%timeit -n1 -r1 {}", "%%timeit -n1 -r1\n{}"], ids=["line", "cell"])
@pytest.mark.parametrize("body", ["blocked()", "await asyncio.sleep(60)"])
def test_stop_ends_timed_loops(body: str, code: str, how: str, prepared: Notebook) -> None:
    prepared.run("import time\ndef blocked(): time.sleep(60)")
    cell = prepared.submit(f"{code.format(body)}").wait_started()
    prepared.interrupt(how)
    cell.wait()
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    assert prepared.run("await later(6)").result == "6"
