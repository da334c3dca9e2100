"""What a variable view may be told while a cell runs: nothing whose telling runs the user's code."""

from __future__ import annotations

import collections
import types
from typing import Any

import pytest

from namespace_kernel.reports.plain_values import NotPlain, read


def never(*args: object, **options: object) -> Any:
    raise AssertionError("code of the user's ran")


class Meta(type):
    __hash__ = __eq__ = never  # type: ignore[assignment]


class OfMeta(metaclass=Meta):
    pass


class Plain:
    of_class = 5
    shadowed = "class"

    def __init__(self) -> None:
        self.own, self.shadowed = [1], "instance"

    computed = property(never)
    method = never
    __repr__ = never  # type: ignore[assignment]


class Slots:
    __slots__ = ("own",)


class Asks:
    __getattr__ = never


class Overrides:
    __getattribute__ = never  # type: ignore[assignment]


class HasDict:
    __dict__ = property(never)  # type: ignore[assignment]


class OddKey(str):
    armed = False

    def __eq__(self, other: object) -> bool:
        return self.armed and never()

    def __hash__(self) -> int:
        return hash("own")


class MyList(list[int]):
    __iter__ = __len__ = __repr__ = never  # type: ignore[assignment]


class MyInt(int):
    __repr__ = bit_length = never  # type: ignore[assignment]


module = types.ModuleType("module")
module.number = 3  # type: ignore[attr-defined]
module.plain = Plain()  # type: ignore[attr-defined]
module.__getattr__ = never  # type: ignore[method-assign]
odd_instance = Plain()
vars(odd_instance)[OddKey("other")] = 1
OddKey.armed = True
endless: list[object] = []
endless.append(endless)
deep: object = 1
for _ in range(100):
    deep = [deep]
NAMES = {
    "x": 7,
    "nothing": None,
    "text": "abc",
    "data": {"a": [1, (2.5, True)], b"b": {1, 2}, "c": frozenset([3])},
    "module": module,
    "plain": Plain(),
    "odd_instance": odd_instance,
    **dict(slots=Slots(), asks=Asks(), overrides=Overrides(), has_dict=HasDict(), of_meta=OfMeta()),
    **dict(my_list=MyList(), my_int=MyInt(5), inside=[MyInt(5)], key={MyInt(5): 1}, cls=OfMeta, func=never),
    **dict(endless=endless, deep=deep, many=list(range(10_000)), long="x" * 100_000, huge=1 << 100_000),
    **dict(ordered=collections.OrderedDict(a=1), default=collections.defaultdict(never)),
}

TOLD: dict[str, object] = {
    **{name: NAMES[name] for name in ("x", "nothing", "text", "data")},
    **{"5": 5, "'abc'": "abc", "None": None, "module.number": 3, "module.plain.own": [1]},
    **{"plain.own": [1], "plain.of_class": 5, "plain.shadowed": "instance", "odd_instance.own": [1]},
}


@pytest.mark.parametrize("expression", TOLD)
def test_plain_values_are_told(expression: str) -> None:
    assert read(expression, NAMES) == TOLD[expression]
    assert type(read(expression, NAMES)) is type(TOLD[expression])


def test_a_container_is_told_as_it_was(expression: str = "data") -> None:
    told: Any = read(expression, NAMES)
    assert told is not NAMES["data"] and told["a"] is not NAMES["data"]["a"]  # type: ignore[index]


@pytest.mark.parametrize(
    "expression",
    [
        *("missing", "print", "x.real", "x + 1", "-x", "f()", "data['a']", "x := 1", "lambda: 1", "[x]"),
        *("", " ", "x\ny", "x; y", "def f", "await x", "x" * 100_000, "(" * 190, "\0"),
        *("plain.computed", "plain.method", "plain.missing", "plain.__class__", "plain.__dict__", "plain"),
        *("slots.own", "asks.x", "overrides.x", "has_dict.own", "of_meta.x", "module", "module.missing"),
        *("of_meta", "my_list", "my_int", "inside", "key", "cls", "cls.x", "func", "func.__name__"),
        *("endless", "deep", "many", "long", "huge", "ordered", "default"),
    ],
)
def test_everything_else_is_not_and_runs_nothing(expression: str) -> None:
    with pytest.raises(NotPlain):
        read(expression, NAMES)
