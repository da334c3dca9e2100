"""D12: `_`, `_oh` and the other engine names survive whatever a cell does to them."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

ENGINE = """
    _ __ ___ _exit_code _exception In Out _ih _oh _dh _i _ii _iii get_ipython exit quit __name__ __builtins__
"""
MISSING = f"[n for n in {ENGINE.split()} if n not in globals()]"
ONE_DICT = """\
import sys
get_ipython().user_ns is globals() is sys.modules["__main__"].__dict__ is get_ipython().user_global_ns"""
ATTACKS = {
    "for loop": "for _ in range(3): pass",
    "delete _": "del _",
    "delete _oh": "del _oh",
    "delete Out": "del Out",
    "assign _oh": "_oh = 3",
    "assign Out and In": "Out = In = None",
    "assign get_ipython": "get_ipython = None",
    "import as _": "import os as _",
    "assign _exception": "_exception = _exit_code = 'mine'",
    "clear": "globals().clear()",
    "clear user_ns": "get_ipython().user_ns.clear()",
    "assign user_ns": 'get_ipython().user_ns = {"x": 1}',
    "%reset -f": "%reset -f",
    "%reset -f in an awaiting cell": "import asyncio; await asyncio.sleep(0)\n%reset -f",
    "%reset_selective": "%reset_selective -f .*",
    "clear while awaiting": "import asyncio; await asyncio.sleep(0); globals().clear()",
}


def test_the_demo_as_written(fresh_notebook: Notebook) -> None:
    cells = ["for _ in range(3): pass", "40 + 2", "_", 'get_ipython().user_ns = {"x": 1}']
    looped, computed, read, assigned = (fresh_notebook.run(cell) for cell in cells)
    assert looped.status == "ok"
    assert (computed.result, read.result) == ("42", "42")
    assert assigned.status == "ok", assigned.text
    last = fresh_notebook.run("x, In[-1], _oh, ___")
    assert last.result == "(1, 'x, In[-1], _oh, ___', {2: 42, 3: 42}, '')", last.text


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_the_engine_s_names_are_right_again_after_the_cell(attack: str, notebook: Notebook) -> None:
    notebook.run("'before'")
    assert notebook.run(attack).status == "ok"
    assert notebook.run(MISSING).result == "[]"
    assert notebook.run(ONE_DICT).result == "True"
    assert notebook.run("40 + 2").result == "42"
    assert notebook.run("_").result == "42"
    read = notebook.run("_oh is Out, In is _ih, In[-2], Out[max(Out)], callable(get_ipython), _exception")
    assert read.result == "(True, True, '_', 42, True, None)"


def test_assigning_user_ns_merges_and_loses_nothing(notebook: Notebook) -> None:
    notebook.run("kept = object(); identity = id(kept)")
    notebook.run('get_ipython().user_ns = {"merged": 1}')
    assert notebook.run("merged, id(kept) == identity").result == "(1, True)"


def test_reset_removes_the_user_s_names(notebook: Notebook) -> None:
    notebook.run("mine = 1")
    assert notebook.run("%reset -f").status == "ok"
    assert notebook.run("mine").error == ("NameError", "name 'mine' is not defined")
    assert notebook.run("mine = 2; mine").result == "2"


def test_the_last_results_shift(notebook: Notebook) -> None:
    for code in ("'one'", "'two'", "'three'"):
        notebook.run(code)
    assert notebook.run("(_, __, ___)").result == "('three', 'two', 'one')"


def test_falsy_results_count_and_none_and_silenced_ones_do_not(notebook: Notebook) -> None:
    notebook.run("'one'")
    for code in ("None", "'silenced';", "x = 5"):
        notebook.run(code)
        assert notebook.run("_").result == "'one'", code
    notebook.run("0")
    assert notebook.run("_").result == "0"
    notebook.run("''")
    assert notebook.run("_").result == "''"


def test_results_that_cannot_be_compared_are_kept(notebook: Notebook) -> None:
    notebook.run("import numpy as np; np.zeros(3)")
    assert notebook.run("_").result == "array([0., 0., 0.])"
    notebook.run("""\
class Awkward:
    def __eq__(self, other): raise ValueError("do not compare me")
    def __repr__(self): return "<awkward>"
Awkward()""")
    assert notebook.run("_").result == "<awkward>"


def test_a_result_that_gettext_wants_is_left_to_it(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import gettext; gettext.install('demo')")
    fresh_notebook.run("40 + 2")
    assert fresh_notebook.run("_('text')").result == "'text'"


def test_an_awaiting_cell_s_result_is_the_last_result(notebook: Notebook) -> None:
    notebook.run("import asyncio; await asyncio.sleep(0, 'slept')")
    assert notebook.run("_").result == "'slept'"
