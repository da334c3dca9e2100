"""Sentinels of the notebook (PEP 661) in other processes: one object each, there and here."""

from __future__ import annotations

import sys

import pytest

from tests.kernel.client import Notebook

pytestmark = pytest.mark.skipif(sys.version_info < (3, 15), reason="sentinels came with Python 3.15")

MADE = """\
import concurrent.futures, multiprocessing, pickle
missing, other = sentinel('missing', repr='<nothing>'), sentinel('other')
def f(value=missing): return value, value is missing, value is other, repr(value)
"""
HERE = "[r[0] is missing, r[1:]]"
SAME = "[True, (True, False, '<nothing>')]"


@pytest.fixture
def made(notebook: Notebook) -> Notebook:
    assert notebook.run(MADE).status == "ok"
    return notebook


@pytest.mark.parametrize("times", [1, 2])
def test_in_an_isolated_cell_and_back(times: int, made: Notebook) -> None:
    for _ in range(times):
        cell = made.run("%%isolated\nr = f()\nprint(missing, f(other)[1:3], f(missing)[1])")
        assert cell.stdout == "<nothing> (False, True) True\n", cell.text
    assert made.run(HERE).result == SAME
    assert made.run("f()[1:]").result == "(True, False, '<nothing>')"


def test_one_that_an_isolated_cell_makes_comes_back(made: Notebook) -> None:
    made.run("%%isolated\nnew = sentinel('new')\ndef is_new(value=new): return value is new")
    assert made.run("is_new(), new, type(new).__name__").result == "(True, new, 'sentinel')"
    assert made.run("%%isolated\nprint(is_new())").stdout == "True\n"


def test_in_a_pool_and_back(made: Notebook) -> None:
    code = "context = multiprocessing.get_context('spawn')\n"
    code += "with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:\n"
    code += "    r = pool.submit(f).result()\n"
    assert made.run(code + HERE).result == SAME
