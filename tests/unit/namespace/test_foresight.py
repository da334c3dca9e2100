"""Cells whose text tells which names they bind, in a namespace that is too large to be compared for them."""

from __future__ import annotations

import builtins
import contextlib
import random
import weakref
from typing import Any

import pytest

from namespace_kernel import AsyncNamespaceManager, CellChanges, Context, Outcome
from namespace_kernel.namespace import manager as managing
from namespace_kernel.namespace.foresight import foreseen
from namespace_kernel.namespace.merge import changes_between


class Theirs:
    """Whatever is done with it binds a name behind the back of the cell."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def _binds(self, *args: object) -> Any:
        self.names["bound"] = object()
        return 0

    __add__ = __radd__ = __neg__ = __lt__ = __bool__ = __getitem__ = __call__ = __format__ = _binds  # type: ignore[assignment]
    __iadd__ = __enter__ = __exit__ = __setitem__ = __delitem__ = __getattr__ = __iter__ = _binds


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managing, "MANY", 0)


def run(manager: AsyncNamespaceManager, code: str, name: str = "cell") -> CellChanges:
    view = manager.open(Context.MAIN, name, code)
    try:
        exec(code, view.namespace)
        outcome = Outcome()
    except Exception as error:
        outcome = Outcome(error=error)
    return manager.close(view, name, outcome)


def writer(manager: AsyncNamespaceManager, name: str) -> str | None:
    by = manager.provenance(name)
    return None if by is None else by.execution_id


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("x = 1", "x"),
        ("pass", ""),
        ("1 + 1", ""),
        ("number", ""),
        ("a = b = number + 2 * 3", "a b"),
        ("number += 1\ndel text", "number text"),
        ("moved = theirs; other = moved", "moved other"),
        ("pair = theirs, [number, print]", "pair"),
        ("f'{number:>{number}} {text!r}'", ""),
        ("y = number if text else None; y", "y"),
        ("def f(a, b=1, *, c, d=text): return g(a)", "f"),
        ("async def f(): await g()", "f"),
        ("_ = 3; del Out", "_ Out"),
        ("x = absent", "x"),
        ("1 / 0", ""),
    ],
)
def test_what_the_text_of_a_cell_tells(source: str, names: str) -> None:
    live = {"number": 1, "text": "a", "theirs": Theirs({})}
    assert foreseen(source, live) == frozenset(names.split())


@pytest.mark.parametrize(
    "source",
    [
        "",
        "# nothing",
        "x = = 1",
        "x = f()",
        "theirs",
        "theirs, 1",
        "theirs + 1",
        "1 < theirs",
        "x = -theirs",
        "x = 1 if theirs else 2",
        "f'{theirs}'",
        "theirs += 1",
        "x = theirs; x += 1",
        "x = 1; x = theirs; x + 1",
        "x = [1]; x + x",
        "def f(): pass\nf",
        "del number; number",
        "x = theirs.a",
        "theirs.a = 1",
        "theirs[0] = 1",
        "del theirs[0]",
        "a, b = theirs",
        "x = [*theirs]",
        "x = {theirs: 1}",
        "x: int = 1",
        "@theirs\ndef f(): pass",
        "def f(x=theirs): pass",
        "def f(x: theirs): pass",
        "def f() -> theirs: pass",
        "class A: pass",
        "import os",
        "for x in (1,): pass",
        "while number: number = 0",
        "with theirs: pass",
        "if number: x = 1",
        "try: pass\nexcept E: pass",
        "x = [i for i in number]",
        "(x := 1)",
        "x = await number",
        "global x; x = 1",
        "globals()['x'] = 1",
        "exec('x = 1')",
        "x = " + "-" * 5_000 + "1",
    ],
)
def test_code_may_do_more_than_its_text_tells(source: str) -> None:
    live = {"number": 1, "text": "a", "theirs": Theirs({})}
    assert foreseen(source, live) is None


def test_a_cell_s_changes_are_those_that_a_look_at_every_name_finds() -> None:
    chance = random.Random(5)
    names = ["a", "b", "_i1", "_", "new", "newer", "theirs"]
    told = 0
    for _ in range(3_000):
        live: dict[str, Any] = {"a": 1, "_i1": "", "b": 2, "_": None, "last": 3}
        live["theirs"] = Theirs(live)
        live["__builtins__"] = builtins
        lines = []
        for _ in range(chance.randrange(1, 5)):
            one, other = chance.choice(names), chance.choice(names)
            kinds = (f"{one} = {chance.randrange(300, 302)}", f"del {one}", f"{one} = {other}")
            more = (
                f"{one} = {other} + 1",
                f"{one} += 1",
                f"{one}",
                f"def {one}(): pass",
                f"{one} = {other}[0]",
            )
            lines.append(chance.choice((*kinds, *more)))
        source = "\n".join(lines)
        before, binds = live.copy(), foreseen(source, live)
        with contextlib.suppress(Exception):  # a cell may fail half way
            exec(source, live)
        if binds is not None:
            told += 1
            changes = changes_between(before, live)
            assert {*changes.written, *changes.deleted} <= binds, source
    assert 500 < told < 2_900


def test_only_what_the_cell_binds_is_its_own(manager: AsyncNamespaceManager) -> None:
    run(manager, "x = y = z = 0", "before")
    view = manager.open(Context.MAIN, "cell", "x = 1; new = 2; del z")
    exec(view.source, view.namespace)
    manager.live["y"] = object()  # a thread
    changes = manager.close(view, "cell", Outcome())
    assert (changes.added, changes.rebound, changes.deleted) == ({"new": 2}, {"x": 1}, {"z"})
    assert [writer(manager, name) for name in ("x", "y", "z", "new")] == ["cell", "before", None, "cell"]
    assert manager.writers()["y"].later, "it came before the cell or after it"


@pytest.mark.parametrize("code", ["globals()['y'] = 1", "exec('y = 1')", "f()", "theirs + 1", "-theirs"])
def test_what_the_text_does_not_tell_is_found_by_a_look_at_every_name(
    manager: AsyncNamespaceManager, code: str
) -> None:
    manager.live["theirs"] = Theirs(manager.live)
    manager.live["f"] = Theirs(manager.live)
    run(manager, "y = bound = 0", "before")
    changed = {*run(manager, code).rebound}
    assert changed in ({"y"}, {"bound"})
    assert {writer(manager, name) for name in changed} == {"cell"}


def test_a_running_cell_is_not_taken_for_the_writer_of_names_that_it_cannot_bind(
    manager: AsyncNamespaceManager,
) -> None:
    run(manager, "x = y = 0", "before")
    view = manager.open(Context.MAIN, "running", "x = 1")
    assert not manager.writers()["x"].running and not manager.writers()["y"].running
    exec(view.source, view.namespace)
    written = manager.writers()
    assert written["x"].running and written["x"].cells == ("running",)
    assert not written["y"].running and written["y"].cells == ("before",)
    manager.close(view, "running", Outcome())


def test_what_it_lets_go_of_ends_with_the_cell(manager: AsyncNamespaceManager) -> None:
    manager.live["x"], manager.live["y"] = Theirs({}), Theirs({})
    ended = [weakref.ref(manager.live[name]) for name in "xy"]
    run(manager, "x = 1; del y")
    assert [reference() for reference in ended] == [None, None]


def test_engine_names_are_right_again(manager: AsyncNamespaceManager) -> None:
    manager.record_input("1")
    changes = run(manager, "_ = 3; del Out; _i1 = 4; In = 5")
    assert changes.overwritten == {"_", "Out", "_i1", "In"}
    assert (manager.live["_"], manager.live["Out"], manager.live["_i1"]) == (None, {}, "1")
    assert writer(manager, "_") is None


def test_a_cell_that_fails_keeps_what_it_bound(manager: AsyncNamespaceManager) -> None:
    changes = run(manager, "x = 1; y = absent; z = 1")
    assert changes.added == {"x": 1} and isinstance(manager.exception, NameError)


def test_where_trees_of_cells_are_changed_the_text_tells_nothing(
    manager: AsyncNamespaceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(manager, "x = y = 0", "before")
    monkeypatch.setattr(manager.history, "transforms", lambda: True)
    view = manager.open(Context.MAIN, "cell", "x = 1")
    exec("y = 1", view.namespace)
    manager.close(view, "cell", Outcome())
    assert [writer(manager, name) for name in "xy"] == ["before", "cell"]


@pytest.mark.parametrize("context", [Context.THREAD, Context.ISOLATED, Context.DASK])
def test_a_copy_is_a_copy_of_all(manager: AsyncNamespaceManager, context: Context) -> None:
    run(manager, "x = y = 0", "before")
    view = manager.open(context, "cell", "x = 1")
    assert view.namespace["y"] == 0
    view.namespace["x"] = 1
    manager.live["x"] = 2
    assert manager.close(view, "cell", Outcome()).contested == {"x": "code outside of cells"}


def test_in_a_small_namespace_nothing_is_left_out(
    manager: AsyncNamespaceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert manager.open(Context.MAIN, "cell", "x = 1").base.keys() == manager.live.keys()
