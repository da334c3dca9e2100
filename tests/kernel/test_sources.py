"""`inspect.getsource` of what cells define."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

CLASSES = {
    "with methods": ("A", "class A:\n    def f(self):\n        return 1\n"),
    "without": ("A", "class A:\n    x = 1\n"),
    "empty": ("A", "class A: pass\n"),
    "an error": ("E", "class E(ValueError):\n    'Wrong.'\n"),
    "a dataclass": ("D", "@dataclass\nclass D:\n    x: int = 0\n"),
    "one with slots": ("D", "@dataclass(slots=True)\nclass D:\n    x: int = 0\n"),
    "an enum": ("C", "class C(Enum):\n    RED = 1\n"),
    "a named tuple": ("N", "class N(NamedTuple):\n    x: int\n"),
    "a protocol": ("P", "class P(Protocol):\n    def f(self) -> int: ...\n"),
    "only a static method": ("S", "class S:\n    @staticmethod\n    def f(): return 1\n"),
    "only a property": ("S", "class S:\n    @property\n    def f(self): return 1\n"),
}
PREPARE = """\
import asyncio, inspect, typing
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol
def source(kind): return inspect.getsource(kind)"""


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    assert notebook.run(PREPARE).status == "ok"
    return notebook


@pytest.mark.parametrize(
    "around",
    ["{}", "await asyncio.sleep(0)\n{}", "!true\n%time 1\n{}", "class Other: pass\n{}other = 1"],
    ids=["plain", "awaiting", "magics", "others"],
)
@pytest.mark.parametrize(("name", "code"), CLASSES.values(), ids=CLASSES)
def test_a_class_s_source_is_its_cell_s(name: str, code: str, around: str, prepared: Notebook) -> None:
    assert prepared.run(around.format(code)).status == "ok"
    told = prepared.run(f"print(source({name}))")
    assert told.stdout == code + "\n"


def test_nested_classes_and_those_of_functions_are_found(prepared: Notebook) -> None:
    prepared.run("""\
class Outer:
    class Inner:
        x = 1
def make():
    class Made:
        y = 2
    return Made
if True:
    class Within:
        z = 3""")
    told = prepared.run("print(source(Outer.Inner) + source(make()) + source(Within))")
    assert [line.strip() for line in told.stdout.split("\n") if line] == [
        *("class Inner:", "x = 1", "class Made:", "y = 2", "class Within:", "z = 3")
    ]


def test_a_class_that_was_defined_again_is_the_new_one(prepared: Notebook) -> None:
    prepared.run("class A:\n    def f(self): return 1\nold = A")
    prepared.run("class A:\n    def f(self): return 2")
    assert "return 2" in prepared.run("print(source(A))").stdout
    assert "return 1" in prepared.run("print(source(old))").stdout, "its methods tell"


def test_a_class_of_a_file_that_was_run(prepared: Notebook) -> None:
    prepared.run("open('prog.py', 'w').write('class FromFile:\\n    def f(self): return 3\\n')")
    prepared.run("%run prog.py")
    assert "return 3" in prepared.run("print(source(FromFile))").stdout


def test_what_has_no_source_still_has_none(prepared: Notebook) -> None:
    prepared.run(
        "from collections import namedtuple\nMade = type('Made', (), {}); Point = namedtuple('Point', 'x')"
    )
    for name in ("Made", "Point"):
        cell = prepared.run(f"source({name})")
        assert cell.error is not None and cell.error[0] == "OSError", name
        assert "namespace_kernel" not in cell.traceback
    cell = prepared.run("source(int)")
    assert cell.error is not None and cell.error[0] == "TypeError"
    assert "class ChainMap" in prepared.run("import collections; print(source(collections.ChainMap))").stdout


def test_others_that_ask_inspect_get_it_too(prepared: Notebook) -> None:
    prepared.run("class Shown:\n    'Its words.'\n    marker = 1")
    shown = prepared.run("%psource Shown\ninspect.getsourcelines(Shown)[1]")
    assert shown.result == "1"
    asked = prepared.ask("inspect_request", {"code": "Shown", "cursor_pos": 5, "detail_level": 1})
    assert "marker" in asked["data"]["text/plain"]
    assert (
        prepared.run("inspect.getfile.__name__, str(inspect.signature(inspect.getfile))").result
        == "('getfile', '(object)')"
    )


def test_a_class_in_another_process(prepared: Notebook) -> None:
    prepared.run("class Sent:\n    x = 1")
    cell = prepared.run(
        "%%isolated\nimport inspect\nclass There:\n    y = 2\nprint(inspect.getsource(There))\nSent"
    )
    assert cell.stdout == "class There:\n    y = 2\n\n", cell.text
