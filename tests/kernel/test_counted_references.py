"""Code that asks who refers to a value gets Python's answer: the kernel compares names and keeps no value."""

from __future__ import annotations

import sys

import pytest

from tests.kernel.client import Notebook

PRELUDE = """\
import asyncio, functools, gc, sys, weakref
import numpy as np
class Thing: pass
thing, numbers, empty, table, member = Thing(), [1, 2], [], {}, {1}
array = np.arange(6)
def grow(): array.resize(array.size + 1)
def decorated(function):
    @functools.wraps(function)
    def inner(): return function()
    return inner
wrapped, partly = decorated(grow), functools.partial(grow)
class Owner:
    def grow(self): grow()
    @property
    def grown(self): return grow()
owner = Owner()"""

CHANGED = {
    "to a shape": "array.resize((2, 4))",
    "without a look": "array.resize(7, refcheck=False)",
    "by a function": "grow()",
    "by a decorated one": "wrapped()",
    "by a partial": "partly()",
    "by a method": "owner.grow()",
    "by a property": "owner.grown",
    "by text": "exec('array.resize(9)')",
}
if sys.version_info >= (3, 14):  # where numpy looks at the references, it refuses any array that has a name
    CHANGED = {"without a look": CHANGED["without a look"]}
CELLS = {
    "a plain cell": "{}",
    "an awaiting cell": "await asyncio.sleep(0)\n{}",
    "a cell in the background": "%%background\n{}\n",
}


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    assert notebook.run(PRELUDE).status == "ok"
    return notebook


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_an_array_can_be_resized(change: str, cell: str, prepared: Notebook) -> None:
    ran = prepared.run(cell.format(change))
    prepared.run("%wait")
    assert (ran.status, ran.error, prepared.run("array.size > 6").result) == ("ok", None, "True")


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_the_number_of_references_is_python_s(cell: str, prepared: Notebook) -> None:
    program = "\n".join(
        [
            "print(sys.getrefcount(thing), sys.getrefcount(numbers), sys.getrefcount(empty))",
            "print(sys.getrefcount(table), sys.getrefcount(member), sys.getrefcount(array))",
            "print(weakref.getweakrefcount(thing), weakref.getweakrefcount(array))",
        ]
    )
    ran = prepared.run(cell.format(program))
    prepared.run("%wait")
    assert ran.stdout == "2 2 2\n2 2 2\n0 0\n"


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_the_namespace_is_what_refers_to_a_value(cell: str, prepared: Notebook) -> None:
    ran = prepared.run(cell.format("print([one is globals() for one in gc.get_referrers(thing)])"))
    prepared.run("%wait")
    assert ran.stdout == "[True]\n"
