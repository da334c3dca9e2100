"""jedi answers the same when it is asked for fewer names."""

from __future__ import annotations

import dataclasses
import enum
import functools
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import jedi  # type: ignore[import-untyped]
import pytest
from jedi.api.completion import Completion  # type: ignore[import-untyped]
from jedi.inference.compiled.value import CompiledValueFilter  # type: ignore[import-untyped]

from namespace_kernel.ipython.completion.jedi_names import PATCHES, skip_other_names


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Meta(type):
    def meta_method(cls) -> int:
        return 1


class WithMeta(metaclass=Meta):
    __slots__ = ("slot_a", "slot_b")
    Klass = klass = 3


@dataclasses.dataclass
class Point:
    x: int = 0
    parent: Any = None

    @property
    def norm(self) -> float:
        raise RuntimeError("is not run")

    @property
    def path(self) -> pathlib.Path:
        raise RuntimeError("is not run")

    @functools.cached_property
    def part(self) -> str:
        raise RuntimeError("is not run")

    @classmethod
    def made(cls, *, one: int = 1) -> None: ...


class Proxy:
    def __getattr__(self, name: str) -> Any:
        return getattr([], name)

    def __dir__(self) -> list[str]:
        return ["zeta", "append", "alpha", "alpha", "Alpha"]


class OddDir:
    def __dir__(self) -> Any:
        raise ValueError("no names")


NAMES = {
    "os": os,
    "re": re,
    "Colour": Colour,
    "WithMeta": WithMeta,
    "meta": WithMeta(),
    "Point": Point,
    "point": Point(),
    "proxy": Proxy(),
    "odd": OddDir(),
    "text": "abc",
    "things": [1, "a", Point()],
    "table": {"key": {"inner": 1}},
    "Upper": 1,
    "UPPER": 2,
    "upper": 3,
    "again": functools.partial(print, end=""),
}
LINES = r"""
os.pa|os.PA|os.|os.path.jo|os.environ.ge|os.nothing|re.c|re.compile("a").ma|Colour.R|Colour.r
Colour.RED.n|Colour.RED.__|WithMeta.m|WithMeta.__|WithMeta.K|WithMeta.k|meta.s|meta.m|Point.m
Point.__i|Point().no|point.p|point.pa|point.path.jo|point.path.parent.na|point.part.up
point.norm.re|point.x.re|point.__d|point._|proxy.a|proxy.A|proxy.al|proxy.ze|odd.a|text.up|text.up(
text.Up|things[0].re|things[2].no|things.ap|table["key"].ke|up|Up|UP|pr|o|ta|raise Val|text.join(th
print(os.pa|print(te|[i.re for i in things|lambda q: point.no|again.fu|again.ke|import re, os.pa
from re import co|from re import match, co|class A(Point):\n    def m|class A(Point):\n    x.
def f(a=os.pa|x = point; x.no|x = os; x.pa|if point:\n    os.pa|with open("a") as f:\n    f.re
1 .re|"".jo|(1).re|True.re|None.__|def f(a: Colour):\n    a.na|def f():\n    return point\nf().no
point.made(o|Point.made(on|type.m|int.fr|object.__su
"""
CODE = [code.replace(r"\n", "\n") for line in LINES.split("\n") for code in line.split("|") if code]


@pytest.fixture
def jedi_as_it_is() -> Iterator[None]:
    """What is changed in jedi is undone after the test."""
    originals = Completion._complete_python, CompiledValueFilter.values
    yield
    PATCHES.undo()
    assert (Completion._complete_python, CompiledValueFilter.values) == originals


def answers(code: str, names: dict[str, Any], fuzzy: bool = False) -> list[tuple[Any, ...]]:
    try:
        found = jedi.Interpreter(code, [names, names]).complete(fuzzy=fuzzy)
    except ValueError as error:  # of `OddDir`; IPython has no answer then
        return [error.args]
    few = len(found) < 30  # the rest of it takes long
    return [
        (one.name, one.complete, one.name_with_symbols, few and (one.type, str(one.get_signatures())))
        for one in found
    ]


@pytest.mark.usefixtures("jedi_as_it_is")
@pytest.mark.parametrize("case_insensitive", [True, False])
def test_the_answers_are_the_same(case_insensitive: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jedi.settings, "case_insensitive_completion", case_insensitive)
    before = {code: answers(code, NAMES) for code in CODE}
    fuzzy = answers("os.ptc", NAMES, fuzzy=True)
    skip_other_names()
    assert PATCHES.are_installed
    for code in CODE:
        assert answers(code, NAMES) == before[code], code
    assert answers("os.ptc", NAMES, fuzzy=True) == fuzzy
    assert sum(map(bool, before.values())) > 60


@pytest.mark.usefixtures("jedi_as_it_is")
def test_names_that_do_not_fit_are_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = []
    original = CompiledValueFilter._get

    def get(self: Any, name: str, *args: Any, **options: Any) -> Any:
        looked_up.append(name)
        return original(self, name, *args, **options)

    monkeypatch.setattr(CompiledValueFilter, "_get", get)
    answers("point.no", NAMES)
    assert "__init__" in looked_up
    looked_up.clear()
    skip_other_names()
    skip_other_names()  # does nothing
    assert [answer[0] for answer in answers("point.no", NAMES)] == ["norm"]
    assert set(looked_up) <= {"point", "norm", "__call__"}


@pytest.mark.usefixtures("jedi_as_it_is")
def test_what_has_changed_meanwhile_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_other_names()
    point = Point()
    assert answers("point.ne", {"point": point}) == []
    monkeypatch.setattr(Point, "new_method", lambda self: 1, raising=False)
    vars(point)["newest"] = 1
    assert {answer[0] for answer in answers("point.ne", {"point": point})} == {"newest", "new_method"}
