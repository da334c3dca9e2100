"""Magics about the session: what there is, what was entered, configuration, `obj?`, `%reset`."""

from __future__ import annotations

import re

import pytest

from tests.kernel.cells import Cell, plain
from tests.kernel.client import Notebook


def page(cell: Cell) -> str:
    """What the pager shows; the kernel's pager is a payload."""
    assert cell.status == "ok", cell.text
    pages = [p["data"]["text/plain"] for p in cell.reply["payload"] if p["source"] == "page"]
    assert len(pages) == 1, cell.text
    return plain(pages[0])


# --- obj? and obj??

WAITING = {"plain": "", "awaiting": "import asyncio; await asyncio.sleep(0)\n"}
each_kind = pytest.mark.parametrize("waiting", WAITING.values(), ids=WAITING)


@each_kind
@pytest.mark.parametrize("head", ["def", "async def"])
def test_help_about_an_object_is_a_page_in_the_payload(head: str, waiting: str, notebook: Notebook) -> None:
    source = f"{head} documented(a, b=2):\n    'What it does.'\n    return a"
    notebook.run(waiting + source)
    for code in ("documented?", "?documented", "%pinfo documented"):
        shown = page(notebook.run(code))
        assert re.search(r"Signature: +documented\(a, b=2\)", shown)
        assert re.search(r"Docstring: +What it does\.", shown)
        assert "return a" not in shown
    for code in ("documented??", "%pinfo2 documented", "%psource documented"):
        assert source in page(notebook.run(code))


@each_kind
def test_help_may_stand_below_other_lines(waiting: str, notebook: Notebook) -> None:
    assert "Type:" in page(notebook.run(f"{waiting}x = 1\nx?"))


def test_help_about_nothing_and_about_a_pattern(notebook: Notebook) -> None:
    assert notebook.run("no_such_name?").stdout == "Object `no_such_name` not found.\n"
    notebook.run("very_long_name = very_long_word = 1")
    assert page(notebook.run("very_long*?")).splitlines() == ["very_long_name", "very_long_word"]
    assert page(notebook.run("%psearch very_long_w*")) == "very_long_word"


# --- what there is


@each_kind
def test_who_lists_the_user_s_names_and_none_of_the_kernel_s(waiting: str, fresh_notebook: Notebook) -> None:
    fresh_notebook.run(f"{waiting}number = 1; other = 2; text = 'a'\ndef f(): ...\n5")
    expected = ["f", "number", "other", "text"]
    if waiting:
        expected.insert(0, "asyncio")
    assert fresh_notebook.run("%who").stdout.split() == expected
    assert fresh_notebook.run("%who_ls int").result == "['number', 'other']"
    rows = [line.split() for line in fresh_notebook.run("%whos int").stdout.splitlines()[2:]]
    assert rows == [["number", "int", "1"], ["other", "int", "2"]]
    assert fresh_notebook.run("%who float").stdout == "No variables match your requested type.\n"


def test_xdel_deletes_a_name_and_what_was_displayed_of_it(notebook: Notebook) -> None:
    notebook.run("import weakref\nclass Big: pass\nbig = Big(); r = weakref.ref(big)")
    notebook.run("big")
    notebook.run("%xdel big")
    assert notebook.run("'big' in globals(), r() is None").result == "(False, True)"


# --- reset


def test_reset_removes_the_user_s_names_and_leaves_the_engine_s(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import asyncio\nuser = 1\nawait asyncio.sleep(0)")
    fresh_notebook.run("6 * 7")
    assert fresh_notebook.run("%reset -f").status == "ok"
    gone = fresh_notebook.run("user")
    assert gone.error == ("NameError", "name 'user' is not defined")
    told = fresh_notebook.run(
        "callable(get_ipython), callable(exit), type(In).__name__, type(Out).__name__, _"
    )
    assert told.error is None, told.text
    assert fresh_notebook.run("import asyncio; await asyncio.sleep(0, 7)").result == "7"
    assert fresh_notebook.run("_").result == "7"


def test_reset_of_input_and_output_history(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("6 * 7")
    assert "Flushing output cache" in fresh_notebook.run("%reset -f out").stdout
    assert fresh_notebook.run("len(Out)").result == "0"
    assert "Flushing input history" in fresh_notebook.run("%reset -f in").stdout
    assert fresh_notebook.run("'next'").result == "'next'"
    assert fresh_notebook.run("_").result == "'next'"


def test_reset_selective_removes_by_pattern(notebook: Notebook) -> None:
    notebook.run("one_here = two_here = stays = 1")
    notebook.run("%reset_selective -f _here$")
    assert (
        notebook.run("'one_here' in globals(), 'two_here' in globals(), stays").result == "(False, False, 1)"
    )


def test_reset_asks_unless_it_is_forced(notebook: Notebook) -> None:
    notebook.run("kept = 1")
    cell = notebook.submit("%reset", allow_stdin=True)
    assert "Once deleted, variables cannot be recovered" in cell.wait_for_input_request()["prompt"]
    notebook.answer("n")
    assert cell.wait().text == "Nothing done.\n"
    assert notebook.run("kept").result == "1"


# --- what was entered


def test_history_has_both_kinds_of_cell_in_their_order(notebook: Notebook) -> None:
    codes = ["entered = 1", "import asyncio; await asyncio.sleep(0)", "entered + 1"]
    first = min(notebook.run(code).count for code in codes)
    assert notebook.run("%history -l 3").stdout == "".join(f"{code}\n" for code in codes)
    numbered = notebook.run(f"%history -n {first}-{first + 2}").stdout.splitlines()
    assert [line.split(": ", 1)[1] for line in numbered] == codes
    assert [int(line.split(":")[0]) for line in numbered] == list(range(first, first + 3))
    with_output = notebook.run(f"%history -o {first + 2}").stdout
    assert with_output == "entered + 1\n2\n"
    assert codes[1] in notebook.run("%history -g await asyncio.sl*").stdout


@pytest.mark.parametrize(
    ("code", "result"),
    [("rerun_me = 20; rerun_me + 1", "21"), ("await asyncio.sleep(0, 'again')", "'again'")],
)
def test_recall_offers_and_rerun_runs_an_earlier_cell(code: str, result: str, notebook: Notebook) -> None:
    notebook.run("import asyncio")
    number = notebook.run(code).count
    (payload,) = notebook.run(f"%recall {number}").reply["payload"]
    assert payload == {"source": "set_next_input", "text": code, "replace": False}
    cell = notebook.run(f"%rerun {number}")
    assert cell.error is None, cell.text
    assert cell.stdout == f"=== Executing: ===\n{code}\n=== Output: ===\n"
    assert cell.result == result


@pytest.mark.parametrize("code", ["made = len('abc')", "import asyncio; made = await asyncio.sleep(0, 3)"])
def test_a_macro_runs_what_was_entered_again(code: str, notebook: Notebook) -> None:
    number = notebook.run(code).count
    created = notebook.run(f"%macro -q again {number}")
    assert created.status == "ok", created.text
    notebook.run("del made")
    cell = notebook.run("again")
    assert cell.error is None, cell.text
    assert notebook.run("made").result == "3"
    assert code in notebook.run("print(again)").stdout


# --- aliases, environment, configuration


def test_aliases_are_made_used_and_removed(notebook: Notebook) -> None:
    notebook.run("%alias greet echo hello %s")
    assert notebook.run("%greet you").stdout.strip() == "hello you"
    assert notebook.run("greet you").stdout.strip() == "hello you"
    notebook.run("%unalias greet")
    assert "`%greet` not found" in notebook.run("%greet you").text
    notebook.run("%alias_magic clocked time")
    assert notebook.run("%clocked 6 * 7").result == "42"
    assert notebook.run("%clocked await asyncio.sleep(0, 7)").result == "7"


def test_env_sets_and_shows_variables(notebook: Notebook) -> None:
    assert (
        notebook.run("%env NAMESPACE_TEST_VALUE=some value").stdout
        == "env: NAMESPACE_TEST_VALUE=some value\n"
    )
    assert notebook.run("%env NAMESPACE_TEST_VALUE").result == "'some value'"
    assert notebook.run("import os; os.environ['NAMESPACE_TEST_VALUE']").result == "'some value'"
    assert notebook.run("!echo $NAMESPACE_TEST_VALUE").stdout.strip() == "some value"
    notebook.run("%set_env NAMESPACE_TEST_VALUE other")
    assert notebook.run("%env NAMESPACE_TEST_VALUE").result == "'other'"


def test_store_keeps_a_value_beyond_reset(fresh_notebook: Notebook) -> None:
    assert (
        fresh_notebook.run("kept_value = [1, 2]\n%store kept_value").stdout == "Stored 'kept_value' (list)\n"
    )
    fresh_notebook.run("%reset -f")
    assert fresh_notebook.run("%store -r kept_value\nkept_value").result == "[1, 2]"
    assert "kept_value" in fresh_notebook.run("%store").stdout
    fresh_notebook.run("%store -d kept_value")
    assert "kept_value" not in fresh_notebook.run("%store").stdout


def test_config_shows_and_changes_the_shell(fresh_notebook: Notebook) -> None:
    for name in ("HistoryManager", "IPCompleter", "ScriptMagics"):
        assert name in fresh_notebook.run("%config").stdout
    fresh_notebook.run("%config InteractiveShell.ast_node_interactivity = 'all'")
    assert fresh_notebook.run("1\n2").text == "1\n2\n"
    fresh_notebook.run("%config InteractiveShell.ast_node_interactivity = 'last_expr'")
    assert fresh_notebook.run("1\n2").text == "2\n"
    assert fresh_notebook.run("%config HistoryManager.enabled").result == "True"
    fresh_notebook.run("%precision 3")
    assert fresh_notebook.run("3.14159").result == "3.142"


def test_error_modes_and_the_last_traceback(notebook: Notebook) -> None:
    assert notebook.run("%xmode Plain").stdout == "Exception reporting mode: Plain\n"
    assert notebook.run("1 / 0").traceback.startswith("Traceback (most recent call last):")
    assert notebook.run("%xmode Context").stdout == "Exception reporting mode: Context\n"
    again = notebook.run("%tb")
    assert again.error == ("ZeroDivisionError", "division by zero")
    assert "----> 1 1 / 0" in again.traceback


def test_autoawait_is_told_and_can_be_switched_off(notebook: Notebook) -> None:
    notebook.run("import asyncio")
    assert notebook.run("%autoawait").stdout == "IPython autoawait is `on`, and set to use `asyncio`\n"
    notebook.run("%autoawait off")
    refused = notebook.run("await asyncio.sleep(0)")
    assert refused.error is not None and refused.error[0] == "SyntaxError"
    assert notebook.run("6 * 7").result == "42"
    notebook.run("%autoawait on")
    assert notebook.run("await asyncio.sleep(0, 7)").result == "7"
    notebook.run("%autoawait asyncio")
    assert notebook.run("await asyncio.sleep(0, 8)").result == "8"


def test_every_magic_of_ipython_is_there(notebook: Notebook) -> None:
    listed = notebook.run("%lsmagic").result or ""
    for name in (
        "%load_ext",
        "%debug",
        "%matplotlib",
        "%pip",
        "%subshell",
        "%connect_info",
        "%autosave",
        "%%javascript",
        "%%writefile",
        "%%bash",
    ):
        assert name in listed
    assert page(notebook.run("%quickref")).lstrip().startswith("IPython")
    assert "UsageError: Line magic function `%no_such` not found." in notebook.run("%no_such").text


def test_subshell_tells_about_the_main_shell(notebook: Notebook) -> None:
    told = dict(line.split(": ") for line in notebook.run("%subshell").stdout.splitlines())
    assert told["subshell id"] == "None"
    assert told["thread id"] == told["main thread id"]
    assert int(told["pid"]) == notebook.pid
