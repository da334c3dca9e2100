"""What a failing cell shows: the user's lines from every cell involved, and nothing of the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.cells import Cell, plain
from tests.kernel.client import Notebook

WAITING = {"plain": "", "awaiting": "await asyncio.sleep(0)\n"}
each_kind = pytest.mark.parametrize("waiting", WAITING.values(), ids=WAITING)


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    assert notebook.run("import asyncio, sys, threading, warnings").status == "ok"
    return notebook


def shown(cell: Cell) -> str:
    """The traceback; it must be the user's alone."""
    assert cell.status == "error"
    for ours in ("namespace_kernel", "shell_engine", "run_to_end", "ipykernel/kernel"):
        assert ours not in cell.text
    return cell.traceback


@each_kind
def test_an_error_shows_the_source_of_functions_from_earlier_cells(waiting: str, prepared: Notebook) -> None:
    first = prepared.run("def divide(x):\n    'a line between'\n    return 1 / x")
    second = prepared.run("async def between(x):\n    await asyncio.sleep(0)\n    return divide(x)")
    call = "asyncio.run(between(0))" if not waiting else "await between(0)"
    last = prepared.run(f"# a comment first\n{call}")
    trace = shown(last)
    assert f"Cell In[{last.count}], line 2" in trace and f"----> 2 {call}" in trace
    assert (
        f"Cell In[{second.count}], line 3, in between(x)" in trace and "----> 3     return divide(x)" in trace
    )
    assert f"Cell In[{first.count}], line 3, in divide(x)" in trace and "----> 3     return 1 / x" in trace
    assert trace.endswith("ZeroDivisionError: division by zero")


@each_kind
def test_a_redefined_function_shows_the_source_that_ran(waiting: str, prepared: Notebook) -> None:
    prepared.run(f"{waiting}def f(): return 1 / 0")
    prepared.run(f"{waiting}kept = f")
    prepared.run(f"{waiting}def f():\n    return 'harmless'")
    assert "def f(): return 1 / 0" in shown(prepared.run("kept()"))


def test_an_error_in_a_thread_points_to_its_line(prepared: Notebook) -> None:
    prepared.run("def in_thread():\n    return 1 / 0")
    cell = prepared.run("thread = threading.Thread(target=in_thread); thread.start(); thread.join()")
    assert cell.status == "ok"
    cell.wait_for_text("ZeroDivisionError: division by zero")
    assert "line 2, in in_thread" in plain(cell.stderr), "coloured since 3.13"


@each_kind
def test_causes_and_contexts_are_shown(waiting: str, prepared: Notebook) -> None:
    attempt = f"{waiting}try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('later')"
    direct = shown(prepared.run(f"{attempt} from error"))
    assert "The above exception was the direct cause of the following exception:" in direct
    during = shown(prepared.run(attempt))
    assert "During handling of the above exception, another exception occurred:" in during
    alone = shown(prepared.run(f"{attempt} from None"))
    for trace in (direct, during):
        assert "ZeroDivisionError: division by zero" in trace
    assert "ZeroDivisionError: division by zero" not in alone
    for trace in (direct, during, alone):
        assert trace.endswith("ValueError: later")


@each_kind
def test_the_notes_of_an_exception_are_shown(waiting: str, prepared: Notebook) -> None:
    cell = prepared.run(f"{waiting}error = ValueError('bad'); error.add_note('the first note')\nraise error")
    assert shown(cell).endswith("ValueError: bad\nthe first note")
    assert cell.error == ("ValueError", "bad")


GROUP = "ExceptionGroup('many', [ValueError('one'), ExceptionGroup('inner', [KeyError('two')])])"


@each_kind
def test_an_exception_group_shows_its_members(waiting: str, prepared: Notebook) -> None:
    cell = prepared.run(f"{waiting}raise {GROUP}")
    shown(cell)
    assert cell.reply["ename"] == "ExceptionGroup"
    assert cell.reply["evalue"] == "many (2 sub-exceptions)"
    for part in ("many (2 sub-exceptions)", "ValueError: one", "inner (1 sub-exception)", "KeyError: 'two'"):
        assert part in cell.text
    assert prepared.run("_exception.exceptions[0]").result == "ValueError('one')"


def test_a_task_group_s_errors_point_to_their_lines(prepared: Notebook) -> None:
    cell = prepared.run("""\
async def bad(n):
    await asyncio.sleep(0)
    raise ValueError(f"bad {n}")
async with asyncio.TaskGroup() as group:
    for n in range(2): group.create_task(bad(n))""")
    shown(cell)
    for part in (
        "unhandled errors in a TaskGroup (2 sub-exceptions)",
        "ValueError: bad 0",
        "ValueError: bad 1",
    ):
        assert part in cell.text
    assert 'raise ValueError(f"bad {n}")' in cell.text
    caught = prepared.run(
        "try:\n    async with asyncio.TaskGroup() as group: group.create_task(bad(3))\n"
        "except* ValueError as errors: print('caught', errors.exceptions)"
    )
    assert caught.stdout == "caught (ValueError('bad 3'),)\n"


@pytest.mark.parametrize(
    ("code", "name", "line"),
    [
        ("x = 1\ny = = 2", "SyntaxError", "    y = = 2"),
        ("def f():\nreturn 1", "IndentationError", "    return 1"),
        ("x = )", "SyntaxError", "x = )"),
        ("eval('1 +')", "SyntaxError", "1 +"),
        ("x = 'never closed", "SyntaxError", "x = 'never closed"),
    ],
)
@each_kind
def test_code_that_does_not_compile_is_pointed_to(
    waiting: str, code: str, name: str, line: str, prepared: Notebook
) -> None:
    cell = prepared.run(f"{waiting}{code}")
    assert shown(cell)
    assert cell.error is not None and cell.error[0] == name == cell.reply["ename"]
    assert line in cell.traceback
    assert cell.traceback.rstrip().splitlines()[-1].startswith(f"{name}: ")


@each_kind
@pytest.mark.parametrize("name", ["KeyboardInterrupt", "GeneratorExit", "asyncio.CancelledError", "Hard"])
def test_any_exception_that_user_code_raises_is_an_error_of_the_cell(
    name: str, waiting: str, prepared: Notebook
) -> None:
    prepared.run("class Hard(BaseException): ...")
    cell = prepared.run(f"{waiting}raise {name}('own words')")
    shown(cell)
    assert cell.error == (name.removeprefix("asyncio."), "own words")
    assert prepared.run("6 * 7").result == "42"
    assert prepared.run("await asyncio.sleep(0, 7)").result == "7"


@each_kind
def test_runaway_recursion_is_an_error_like_any_other(waiting: str, prepared: Notebook) -> None:
    cell = prepared.run(f"{waiting}def again(): return again()\nagain()")
    assert "def again(): return again()" in shown(cell)
    assert cell.error is not None and cell.error[0] == "RecursionError"
    assert prepared.run("6 * 7").result == "42"


IPYTHON_S = """
from IPython.core.ultratb import AutoFormattedTB
shell = get_ipython()
formatter = AutoFormattedTB(mode=shell.InteractiveTB.mode, theme_name=shell.colors, tb_offset=1)
lines = formatter.structured_traceback(type(_exception), _exception, _exception.__traceback__, tb_offset=1)
print("\\n".join(lines))
"""


@each_kind
@pytest.mark.parametrize("mode", ["Context", "Plain"])
@pytest.mark.parametrize(
    "source",
    [
        "def again(n): return again(n + 1)\nagain(0)",
        "def again(n):\n    if not n: raise ValueError('deep')\n    again(n - 1)\nagain(300)",
        "def again(n): return list(map(again, [n + 1]))\ntry: again(0)\nexcept RecursionError: 1 / 0",
        "import copy\nnested = []\nfor _ in range(2000): nested = [nested]\ncopy.deepcopy(nested)",
    ],
    ids=["a recursion", "another error", "while handled", "in a library"],
)
def test_a_deep_traceback_is_as_ipython_shows_it(
    waiting: str, mode: str, source: str, prepared: Notebook
) -> None:
    prepared.run(f"%xmode {mode}")
    try:
        cell = prepared.run(f"{waiting}{source}")
        assert cell.status == "error" and len(cell.traceback.splitlines()) > 25
        assert plain(prepared.run(IPYTHON_S).stdout).strip() == cell.traceback.strip()
    finally:
        prepared.run("%xmode Context")


@each_kind
def test_warnings_name_the_cell_s_line_and_are_shown_each_time_a_cell_runs(
    waiting: str, prepared: Notebook
) -> None:
    for _ in range(2):
        cell = prepared.run(f"{waiting}warnings.warn('careful')")
        assert "UserWarning: careful" in cell.stderr
        assert "warnings.warn('careful')" in cell.stderr


@each_kind
def test_the_user_s_own_exception_handler_is_called(waiting: str, prepared: Notebook) -> None:
    prepared.run("""\
class Special(Exception): ...
def handle(shell, etype, value, tb, tb_offset=None): print("handled", etype.__name__, value)
get_ipython().set_custom_exc((Special,), handle)""")
    cell = prepared.run(f"{waiting}raise Special('own words')")
    other = prepared.run(f"{waiting}1 / 0")
    prepared.run("get_ipython().set_custom_exc((), None)")
    assert cell.stdout == "handled Special own words\n"
    assert cell.status == "error"
    assert "ZeroDivisionError" in shown(other)


@each_kind
def test_an_error_in_an_imported_file_shows_the_file_s_lines(
    waiting: str, prepared: Notebook, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    module = f"a_module_{request.node.callspec.id}"
    (tmp_path / f"{module}.py").write_text("def fail():\n    raise ValueError('from the file')\n")
    prepared.run(f"sys.path.insert(0, {str(tmp_path)!r})\nimport {module}")
    trace = shown(prepared.run(f"{waiting}{module}.fail()"))
    assert f"{module}.py:2, in fail()" in trace
    assert "----> 2     raise ValueError('from the file')" in trace
