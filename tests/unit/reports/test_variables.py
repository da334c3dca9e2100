"""The table of `%namespace`: what it says about values without running their code, and in which order."""

from __future__ import annotations

import re
import types
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy
import pandas
import pytest

from namespace_kernel import AsyncNamespaceManager, ExecutionContextBridge
from namespace_kernel.base.cell import Context, Outcome
from namespace_kernel.base.safe_facts import Facts, facts_of
from namespace_kernel.namespace.writers import Written
from namespace_kernel.reports.variables import LIMIT, Row, Table, build_table
from namespace_kernel.reports.variables_text import bundle_of

CALLS: list[str] = []


def refuse(name: str) -> Any:
    def method(*args: Any, **kwargs: Any) -> NoReturn:
        CALLS.append(name)
        raise RuntimeError(f"{name} was called")

    return method


# fmt: off
METHODS = [
    "__repr__", "__str__", "__len__", "__eq__", "__hash__", "__bool__", "__iter__", "__format__",
    "__sizeof__", "__getattr__", "__getattribute__", "__getitem__", "__index__", "__float__", "__int__",
    "__array__", "__lt__", "__reduce_ex__", "__dir__",
]
CLASS_METHODS = [
    "__repr__", "__len__", "__eq__", "__hash__", "__bool__", "__getattribute__", "__instancecheck__",
    "__call__",
]
PROPERTIES = ["shape", "dtype", "size", "ndim"]
# fmt: on


def hostile_values() -> dict[str, Any]:
    """An object, a list, an array, whose classes record and refuse every operation; and a class."""

    def members(names: list[str], wrap: Any = lambda method: method) -> dict[str, Any]:
        return {name: wrap(refuse(name)) for name in names}

    # A metaclass's own `__name__` and `__mro__` are found before its metaclass's; so they are given at birth.
    Meta = type("Meta", (type,), members(["__mro__", "__name__", "__class__", "__module__"], property))

    body = members(METHODS) | members(PROPERTIES, property)
    Hostile = Meta("Hostile", (), body | members(["__class__", "__dict__"], property))
    HostileList = type("HostileList", (list,), members(METHODS))
    HostileArray = type("HostileArray", (numpy.ndarray,), {"__array_finalize__": lambda *_: None})
    values = {
        "plain": object.__new__(Hostile),
        "list": list.__new__(HostileList),
        "array": numpy.zeros((2, 3)).view(HostileArray),
        "class": Hostile,
    }
    for name, member in body.items():
        setattr(HostileArray, name, member)
    for name, member in members(CLASS_METHODS).items():
        setattr(Meta, name, member)
    return values


def table_of(names: dict[str, Any], *patterns: str, **options: Any) -> Table:
    return build_table(names, options.pop("writers", {}), lambda name, value: False, patterns, **options)


def names_in(table: Table) -> list[str]:
    return [row.name for row in table.rows]


def test_no_code_of_a_value_or_its_class_runs() -> None:
    values = hostile_values()
    CALLS.clear()
    table = table_of(values)
    bundle_of(table)
    assert CALLS == []
    rows = {row.name: row for row in table.rows}
    assert rows["plain"].type == "Hostile" and rows["class"].type == "class"
    assert rows["list"].size == "", "it says something else than the list that it is"
    assert (rows["array"].size, rows["array"].value) == ("2 × 3", "float64")
    for ask in (len, repr, hash, lambda value: value.shape, lambda value: isinstance(value, int)):
        with pytest.raises(RuntimeError):
            ask(values["plain"])
    assert len(CALLS) == 5, "all of these would have been noticed"


Point = namedtuple("Point", "x y")


class MyList(list[int]):
    pass


@pytest.mark.parametrize(
    ("value", "facts"),
    [
        (None, Facts("NoneType", "", "None")),
        (True, Facts("bool", "", "True")),
        (42, Facts("int", "", "42")),
        (10**5000, Facts("int", "", "16,610 bits")),
        (2.5, Facts("float", "", "2.5")),
        (1 / 3, Facts("float", "", "0.333333")),
        (1j, Facts("complex", "", "1j")),
        ("a\nb", Facts("str", "3", "'a\\nb'")),
        ("x" * 41, Facts("str", "41", repr("x" * 40) + "…")),
        (b"abc", Facts("bytes", "3")),
        ([0] * 12345, Facts("list", "12,345")),
        ({1: 2}, Facts("dict", "1")),
        (range(10**9), Facts("range", "1,000,000,000")),
        (OrderedDict(a=1), Facts("OrderedDict", "1")),
        (defaultdict(list), Facts("defaultdict", "0")),
        (Counter("abca"), Facts("Counter", "3")),
        (deque([1]), Facts("deque", "1")),
        (Point(1, 2), Facts("Point", "2")),
        (MyList([1, 2]), Facts("MyList", "2")),
        (types, Facts("module", "", "types")),
        (OrderedDict, Facts("class", "", "collections.OrderedDict")),
        (print, Facts("function")),
        (numpy.zeros((3, 4)), Facts("ndarray", "3 × 4", "float64")),
        (numpy.zeros(1000, "int8"), Facts("ndarray", "1,000", "int8")),
        (numpy.float64(0.5), Facts("float64", "", "0.5")),
        (pandas.DataFrame({"a": [1, 2], "b": [3, 4]}), Facts("DataFrame", "2 × 2")),
        (pandas.Series([1, 2]), Facts("Series", "2")),
        (pandas.Index([1]), Facts("Index", "1")),
    ],
    ids=lambda value: value.type if isinstance(value, Facts) else "",
)
def test_what_is_said_about_a_value(value: Any, facts: Facts) -> None:
    assert facts_of(value) == facts


def test_a_class_that_only_claims_to_be_pandas_is_not_asked() -> None:
    CALLS.clear()
    impostor = type("DataFrame", (), {"__module__": "pandas", "shape": property(refuse("shape"))})
    assert facts_of(impostor()) == Facts("DataFrame")
    assert CALLS == []


def test_a_library_that_fails_leaves_the_name_in_the_table() -> None:
    broken = pandas.DataFrame.__new__(pandas.DataFrame)  # without its data
    released = memoryview(b"abc")
    released.release()
    table = table_of({"broken": broken, "released": released})
    assert {(row.name, row.type, row.size) for row in table.rows} == {
        ("broken", "DataFrame", ""),
        ("released", "memoryview", ""),
    }


def written(order: int, cell: str, context: Context = Context.MAIN, **rest: Any) -> Written:
    return Written((cell,), (context,), 1e9 + order, order, **rest)


def test_data_comes_first_and_in_each_group_the_newest() -> None:
    names = {"old": 1, "module": types, "new": 2, "f": print, "unknown": 3, "same": 4}
    writers = {
        "old": written(1, "In [1]"),
        "module": written(9, "In [9]"),
        "new": written(3, "In [3]"),
        "same": written(3, "In [3]"),
        "f": written(2, "In [2]"),
    }
    table = table_of(names, writers=writers)
    assert names_in(table) == ["same", "new", "old", "unknown", "module", "f"]
    assert [row.cell for row in table.rows] == ["In [3]", "In [3]", "In [1]", "", "In [9]", "In [2]"]


def test_the_route_is_named_as_its_directive_is() -> None:
    writers = {"a": written(1, "In [1]"), "b": written(2, "In [2]", Context.ASYNC)}
    rows = {row.name: row.route for row in table_of({"a": 1, "b": 2}, writers=writers).rows}
    assert rows == {"a": "sync", "b": "async"}


def test_private_names_and_the_kernel_s_are_shown_only_if_asked_for() -> None:
    names = {"x": 1, "_x": 2, "In": [], "__doc__": None}

    def show(*patterns: str, everything: bool = False) -> list[str]:
        table = build_table(names, {}, lambda name, value: name in ("In", "__doc__"), patterns, everything)
        return names_in(table)

    assert show() == ["x"]
    assert show("*x") == ["x"]
    assert show("_*") == ["_x"]
    assert show("_*", "x") == ["_x", "x"]
    assert show("nothing*") == []
    assert show(everything=True) == ["_x", "x", "__doc__", "In"]
    assert show("I*", everything=True) == ["In"]


class Measured(dict[str, Any]):
    """Counts how often each name is read."""

    def __init__(self, names: dict[str, Any]) -> None:
        super().__init__(names)
        self.read: Counter[str] = Counter()

    def get(self, name: str, default: Any = None) -> Any:
        self.read[name] += 1
        return super().get(name, default)


def test_of_ten_thousand_names_only_those_shown_are_described() -> None:
    names = Measured({f"x{number}": number for number in range(10_000)})
    table = table_of(names)
    assert len(table.rows) == LIMIT and table.more == 9_000
    assert Counter(names.read.values()) == {1: 9_000, 2: 1_000}
    for text in bundle_of(table).values():
        assert "10,000 names; the 1,000 newest are shown, 9,000 more are not" in text
    assert names_in(table)[:2] == ["x9999", "x9998"]
    assert table_of(names, "x99*").more == 0


def test_names_that_vanish_meanwhile_and_keys_that_are_no_names_are_left_out() -> None:
    class Vanishing(dict[Any, Any]):
        def get(self, name: Any, default: Any = None) -> Any:
            return default if name == "gone" else super().get(name, default)

    assert names_in(table_of(Vanishing({"here": 1, "gone": 2, 3: 4}))) == ["here"]


# Text


def test_html_is_escaped_and_static() -> None:
    evil = type("<script>", (), {})
    names = {"<img src=x onerror=1>": "<b>bold</b>", "x": evil()}
    text = bundle_of(table_of(names), "<i>note</i>")["text/html"]
    assert not re.search(r"<(script|img|b|i)[ >]", text)
    assert "&lt;b&gt;bold&lt;/b&gt;" in text and "&lt;script&gt;" in text and "&lt;i&gt;note" in text
    assert "onclick" not in text and "javascript" not in text


@pytest.fixture
def wide() -> Iterator[list[str]]:
    names = {"n" * 200: "v" * 200, "x": [1], "数据": "日本語", "broken\nname": 1, "module": types}
    writers = {name: written(1, "a very long execution id of an embedding program" * 2) for name in names}
    yield bundle_of(table_of(names, writers=writers))["text/plain"].splitlines()


def test_plain_text_has_aligned_columns_of_a_hundred_characters(wide: list[str]) -> None:
    head, line = wide[:2]
    assert len(line) <= 100 and set(line) == {"─"}
    assert max(len(text) for text in wide) <= 100
    start = head.index("Type")
    for text in wide[2:-1]:
        if re.search(r"\b(int|str|list|module)\b", text):
            kanji = sum(ord(char) > 0x3000 for char in text[:start])
            assert text[start - kanji - 1] == " " and text[start - kanji].isalpha()
    assert "'broken\\nname'" in "\n".join(wide)
    assert "Modules, functions and classes" in wide


def test_a_column_in_which_nothing_stands_is_left_out() -> None:
    plain = bundle_of(table_of({"x": object()}))["text/plain"]
    assert plain.splitlines()[0].split() == ["Name", "Type"]


def test_without_names_the_table_says_so() -> None:
    assert bundle_of(table_of({}))["text/plain"] == "No names yet"
    assert bundle_of(table_of({"x": 1}, "y*", "z"))["text/plain"] == "No name matches y* z"


# Writers


def rows_of(manager: AsyncNamespaceManager) -> dict[str, Row]:
    table = build_table(manager.live, manager.writers(), lambda name, value: False)
    return {row.name: row for row in table.rows}


def test_a_cell_that_runs_is_the_writer_of_what_it_has_changed(bridge: ExecutionContextBridge) -> None:
    manager = bridge.namespace
    bridge.execute_in_thread("old = 1; rebound = 2", "In [1]")
    view = manager.open(Context.ASYNC, "In [2]")
    exec("new = 3; rebound = 4", view.namespace)
    rows = rows_of(manager)
    assert [(rows[name].cell, rows[name].when) for name in ("new", "rebound")] == [("In [2]", "running")] * 2
    assert rows["old"].cell == "In [1]" and re.fullmatch(r"\d\d:\d\d:\d\d", rows["old"].when)
    assert list(rows)[:2] == ["new", "rebound"]
    manager.close(view, "In [2]", Outcome())
    rows = rows_of(manager)
    assert (rows["new"].cell, rows["new"].route) == ("In [2]", "async") and rows["new"].when != "running"


def test_if_two_cells_run_either_may_have_written_it_until_one_has_ended(
    bridge: ExecutionContextBridge,
) -> None:
    manager = bridge.namespace
    first, second = manager.open(Context.MAIN, "In [1]"), manager.open(Context.ASYNC, "In [2]")
    exec("x = 1", first.namespace)
    row = rows_of(manager)["x"]
    assert (row.cell, row.route, row.when) == ("In [1] or In [2]", "sync or async", "running")
    manager.close(first, "In [1]", Outcome())
    row = rows_of(manager)["x"]
    assert (row.cell, row.route) == ("In [1]", "sync") and row.when != "running"
    manager.close(second, "In [2]", Outcome())
    assert rows_of(manager)["x"].cell == "In [1]"


def test_what_no_cell_wrote_is_nobody_s(bridge: ExecutionContextBridge) -> None:
    manager = bridge.namespace
    bridge.execute_in_thread("x = object()", "In [1]")
    manager.live["x"] = object()  # as a thread does between cells
    manager.live["y"] = object()
    rows = rows_of(manager)
    assert (rows["x"].cell, rows["x"].route, rows["x"].when) == ("after In [1]", "", "")
    assert (rows["y"].cell, rows["y"].route, rows["y"].when) == ("", "", "")


def test_a_cell_on_a_copy_writes_nothing_before_it_ends(bridge: ExecutionContextBridge) -> None:
    manager = bridge.namespace
    view = manager.open(Context.THREAD, "In [1]")
    exec("x = 1", view.namespace)
    assert "x" not in rows_of(manager)
    manager.close(view, "In [1]", Outcome())
    assert rows_of(manager)["x"].cell == "In [1]"
