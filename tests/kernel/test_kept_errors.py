"""Which error `%debug` and `%tb` know, what they say of one that was let go, and how to keep it."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

FAILS = {
    "plain": "def f():\n    inside = 5\n    raise ValueError('lost')\nf()",
    "awaiting": "import asyncio; await asyncio.sleep(0)\nraise ValueError('lost')",
    "a group": "raise ExceptionGroup('lost', [ValueError()])",
    "syntax": "lost lost",
    "its words fail": "class E(Exception):\n    def __str__(self): raise OSError\nraise E",
}

FRAME = """\
import gc, sys, weakref
class Big: pass
def f():
    global seen
    big = Big()
    seen = weakref.ref(big)
    1 / 0"""


@pytest.mark.parametrize("magic", ["%tb", "%debug", "%tb Plain"])
@pytest.mark.parametrize("code", FAILS.values(), ids=FAILS)
def test_an_error_that_was_let_go_is_named(code: str, magic: str, notebook: Notebook) -> None:
    failed = notebook.run(code)
    assert failed.error is not None
    succeeded = notebook.run("1")
    said = notebook.run(magic)
    assert said.status == "ok"
    assert f"{failed.error[0]}" in said.stderr and f"(In [{failed.count}], " in said.stderr
    assert f"was let go when In [{succeeded.count}] succeeded" in said.stderr
    assert "`%config NamespaceKernel.keep_errors = True`" in said.stderr
    assert "No traceback" not in said.text
    assert notebook.run(magic).stderr == said.stderr, "also when it is asked again"


def test_right_after_the_cell_that_failed_it_is_there(notebook: Notebook) -> None:
    notebook.run(FAILS["plain"])
    assert "ValueError: lost" in notebook.run("%tb").text
    assert "let go" not in notebook.run("%tb").text


def test_where_nothing_failed_nothing_was_let_go(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("1")
    assert fresh_notebook.run("%tb").stderr == "No traceback available to show.\n"


def test_an_error_that_is_kept_is_there_until_the_next_one(fresh_notebook: Notebook) -> None:
    notebook = fresh_notebook
    assert notebook.run("%config NamespaceKernel.keep_errors = True").status == "ok"
    assert notebook.run(f"{FRAME}\nf()").error is not None
    for code in ("1", "import asyncio; await asyncio.sleep(0)", "%%background\n2", "x = 3"):
        assert notebook.run(code).status == "ok"
    assert "ZeroDivisionError" in notebook.run("%tb").text
    kept = notebook.run("type(sys.last_value).__name__, seen() is not None, _exception")
    assert kept.result == "('ZeroDivisionError', True, None)"
    debugged = notebook.submit("%debug", allow_stdin=True)
    debugged.wait_for_input_request()
    notebook.answer("p type(big).__name__")
    debugged.wait_for_input_request(2)
    notebook.answer("q")
    assert "'Big'" in debugged.wait().text
    notebook.run("raise KeyError('next')")
    assert notebook.run("sys.last_value").result == "KeyError('next')"


def test_the_next_error_frees_the_one_that_was_kept(fresh_notebook: Notebook) -> None:
    notebook = fresh_notebook
    notebook.run(f"%config NamespaceKernel.keep_errors = True\n{FRAME}")
    assert notebook.run("f()").error is not None
    assert notebook.run("seen() is not None").result == "True"
    notebook.run("raise KeyError('next')")
    assert notebook.run("gc.collect(); seen() is None").result == "True"
    assert notebook.run("%config NamespaceKernel.keep_errors = False").status == "ok"
    assert notebook.run("hasattr(sys, 'last_value')").result == "False"
