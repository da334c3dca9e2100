"""D13: `%prun`, `%%capture` and `async def` magics, over code that awaits as over code that does not."""

from __future__ import annotations

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import INTERRUPTS, Notebook

PREPARE = """\
import asyncio, sys
def now(value="done"): return value
async def later(value="done"):
    await asyncio.sleep(0)
    return value"""
CALLS = {"plain": "now", "awaiting": "await later"}
each_kind = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    assert notebook.run(PREPARE).status == "ok"
    return notebook


def page(cell: Cell) -> str:
    """What the pager shows; the kernel's pager is a payload."""
    assert cell.status == "ok", cell.text
    pages = [p["data"]["text/plain"] for p in cell.reply["payload"] if p["source"] == "page"]
    assert len(pages) == 1
    return str(pages[0])


# --- %prun


@each_kind
def test_prun_pages_a_profile_with_the_functions_that_ran(call: str, prepared: Notebook) -> None:
    shown = page(prepared.run(f"%prun {call}()"))
    assert "function calls" in shown
    assert "Ordered by: internal time" in shown
    assert f"({call.split()[-1]})" in shown


@each_kind
def test_prun_of_a_cell_binds_its_names(call: str, prepared: Notebook) -> None:
    shown = page(prepared.run(f"%%prun\nfirst = {call}(1)\nfor n in range(3): second = {call}(n)"))
    assert f"({call.split()[-1]})" in shown
    assert prepared.run("first, second").result == "(1, 2)"


@each_kind
def test_the_first_line_of_a_profiled_cell_belongs_to_it(call: str, prepared: Notebook) -> None:
    assert prepared.run(f"%%prun -q first = {call}(5)\nsecond = first + 1").status == "ok"
    assert prepared.run("first, second").result == "(5, 6)"


@each_kind
def test_prun_sorts_and_limits_as_it_is_told(call: str, prepared: Notebook) -> None:
    shown = page(prepared.run(f"%prun -s cumulative -l {call.split()[-1]} {call}()"))
    assert "Ordered by: cumulative time" in shown
    assert "due to restriction" in shown
    assert len(shown.split("filename:lineno(function)")[1].strip().splitlines()) == 1
    assert "due to restriction <1>" in page(prepared.run(f"%prun -l 1 {call}()"))


@each_kind
def test_prun_returns_and_writes_its_profile(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"profile = %prun -q -r -D profile.dat -T profile.txt {call}()")
    assert cell.reply["payload"] == [], "quiet"
    assert "*** Profile stats marshalled to file 'profile.dat'." in cell.stdout
    assert "*** Profile printout saved to text file 'profile.txt'." in cell.stdout
    prepared.run("import pstats\nsaved = pstats.Stats('profile.dat')\nprinted = open('profile.txt').read()")
    told = prepared.run("saved.total_calls == profile.total_calls, 'function calls' in printed")
    assert told.result == "(True, True)", told.text


@each_kind
def test_an_error_in_profiled_code_is_the_cell_s(call: str, prepared: Notebook) -> None:
    assert prepared.run(f"%prun {call}() / 0").reply["ename"] == "TypeError"
    assert "function calls" in page(prepared.run(f"%prun {call}()"))


@each_kind
def test_prun_reports_an_exit_and_shows_the_profile(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"%%prun\n{call}()\nraise SystemExit(3)")
    assert "function calls" in page(cell)
    assert "*** SystemExit exception caught in code being profiled." in cell.stdout


def test_the_profile_is_of_the_awaited_code_and_not_of_the_kernel(prepared: Notebook) -> None:
    prepared.run("async def slow():\n    await asyncio.sleep(.1)\n    return sum(range(10 ** 5))")
    shown = page(prepared.run("%prun await slow()"))
    assert "(slow)" in shown
    assert "{built-in method builtins.sum}" in shown
    for module in ("zmqstream.py", "protocol.py", "kernelbase.py"):
        assert module not in shown


# --- %%capture


@each_kind
def test_capture_takes_all_that_a_cell_shows(call: str, prepared: Notebook) -> None:
    cell = prepared.run(
        f"%%capture taken\nprint('o', {call}(1))\nprint('e', file=sys.stderr)\ndisplay({call}(5))\n{call}(6)"
    )
    assert (cell.status, cell.text) == ("ok", "")
    told = prepared.run("taken.stdout, taken.stderr, [o.data['text/plain'] for o in taken.outputs]")
    assert told.result == "('o 1\\n', 'e\\n', ['5', '6'])"


@each_kind
def test_what_was_captured_can_be_shown_again(call: str, prepared: Notebook) -> None:
    prepared.run(f"%%capture taken\nprint('again')\ndisplay({call}(5))")
    cell = prepared.run("taken.show()")
    assert cell.stdout == "again\n"
    assert [data["text/plain"] for data in cell.displays] == ["5"]


@each_kind
def test_a_captured_cell_binds_its_names_and_the_next_cell_prints(call: str, prepared: Notebook) -> None:
    prepared.run(f"%%capture\nbound = {call}(3)\nprint('hidden')")
    cell = prepared.run("print('seen'); bound")
    assert (cell.stdout, cell.result) == ("seen\n", "3")


@each_kind
def test_capture_leaves_alone_what_it_is_told_to(call: str, prepared: Notebook) -> None:
    body = f"print('o'); print('e', file=sys.stderr); display({call}(5))"
    for option, shown in (("--no-stdout", "o\n"), ("--no-stderr", "e\n"), ("--no-display", "5\n")):
        cell = prepared.run(f"%%capture {option} taken\n{body}")
        assert cell.text == shown, cell.text


@each_kind
def test_an_error_in_a_captured_cell_is_shown(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"%%capture taken\nprint('before')\n{call}() / 0")
    assert cell.error is not None and cell.error[0] == "TypeError"
    assert "----> 2" in cell.traceback
    assert cell.stdout == ""
    assert prepared.run("print('seen')").stdout == "seen\n"
    assert prepared.run("taken.stdout").result == "'before\\n'"


@each_kind
def test_a_captured_cell_leaves_history_and_count_as_any_other_cell(call: str, prepared: Notebook) -> None:
    before = prepared.run("'before'")
    prepared.run(f"%%capture\n{call}(1)")
    after = prepared.run("In[-2], In[-3]")
    assert after.count == before.count + 2
    assert after.result is not None and "capture" in after.result and "before" in after.result
    assert prepared.run("_ih[-2]").result == "'In[-2], In[-3]'"
    assert prepared.run("%history -l 3").stdout.splitlines()[:2] == ["%%capture", f"{call}(1)"]


@each_kind
def test_capture_ending_in_a_semicolon_removes_the_name(call: str, prepared: Notebook) -> None:
    prepared.run(f"%%capture taken\n{call}(1)")
    assert prepared.run("'taken' in globals()").result == "True"
    prepared.run(f"%%capture taken\n{call}(1);")
    assert prepared.run("'taken' in globals()").result == "False"


@each_kind
def test_magics_work_in_a_captured_cell(call: str, prepared: Notebook) -> None:
    cell = prepared.run(f"%%capture taken\n%time {call}(7)\n!echo from the shell")
    assert cell.text == ""
    told = prepared.run("print(taken.stdout)")
    assert "Wall time: " in told.stdout
    assert "from the shell" in told.stdout


@pytest.mark.parametrize("how", INTERRUPTS)
def test_stop_ends_a_captured_cell_and_output_is_free_again(how: str, prepared: Notebook) -> None:
    prepared.run("import pathlib, time")
    for wait in ("time.sleep(60)", "await asyncio.sleep(60)"):
        started = prepared.submit(f"%%capture taken\ndisplay('hidden')\n{wait}").wait_started()
        prepared.interrupt(how)
        started.wait()
        assert started.error is not None and started.error[0] == "KeyboardInterrupt"
        assert prepared.run("print('seen')").stdout == "seen\n"


# --- magics that are `async def`

MAGICS = """\
from IPython.core.magic import register_line_magic, register_cell_magic, register_line_cell_magic
@register_line_magic
async def shout(line):
    await asyncio.sleep(.01)
    return line.upper()
@register_cell_magic
async def shouted(line, cell):
    await asyncio.sleep(.01)
    print(line, cell.upper(), end="")
    return len(cell)
@register_line_cell_magic
async def either(line, cell=None):
    await asyncio.sleep(0)
    return line, cell
@register_line_magic
async def failing(line):
    await asyncio.sleep(0)
    raise ValueError(line)
del shout  # a variable of that name would hide the magic without its percent sign"""


@pytest.fixture
def with_magics(prepared: Notebook) -> Notebook:
    assert prepared.run(MAGICS).status == "ok"
    return prepared


def test_an_async_line_magic_is_awaited_and_its_value_shown(with_magics: Notebook) -> None:
    assert with_magics.run("%shout hello").result == "'HELLO'"
    assert with_magics.run("shout there").result == "'THERE'", "without the percent sign, too"


def test_the_value_of_an_async_line_magic_can_be_assigned(with_magics: Notebook) -> None:
    with_magics.run("said = %shout hello {1 + 1}\nagain = [said, said]")
    assert with_magics.run("again").result == "['HELLO 2', 'HELLO 2']"


def test_an_async_line_magic_may_stand_in_a_block_and_a_coroutine_function(with_magics: Notebook) -> None:
    assert with_magics.run("for word in 'ab':\n    said = %shout {word}\nsaid").result == "'B'"
    with_magics.run("async def speak():\n    said = %shout indoors\n    return said")
    assert with_magics.run("await speak()").result == "'INDOORS'"


def test_an_async_cell_magic_is_awaited(with_magics: Notebook) -> None:
    cell = with_magics.run("%%shouted loud\nhello\n")
    assert (cell.stdout, cell.result) == ("loud HELLO\n", "6")


def test_an_async_magic_for_lines_and_cells_gets_both(with_magics: Notebook) -> None:
    assert with_magics.run("%either a").result == "('a', None)"
    assert with_magics.run("%%either a\nb").result == "('a', 'b\\n')"


def test_an_error_in_an_async_magic_points_to_its_line(with_magics: Notebook) -> None:
    cell = with_magics.run("%failing badly")
    assert cell.error == ("ValueError", "badly")
    assert "raise ValueError(line)" in cell.traceback
    assert with_magics.run("%shout on").result == "'ON'"
