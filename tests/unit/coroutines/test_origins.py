"""Which line created a coroutine: noted by Python where it may matter, found in the cells' code elsewhere."""

from __future__ import annotations

import asyncio
import gc
import io
import linecache
import sys
import threading
import types
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from namespace_kernel.base.lines import Leak
from namespace_kernel.coroutines.calls import CoroutineFunctions
from namespace_kernel.coroutines.origins import Origins, OriginTracking
from tests.unit.fakes import SomeLines, answer


def depth() -> int:
    return sys.get_coroutine_origin_tracking_depth()


@pytest.fixture(autouse=True)
def untracked() -> Iterator[None]:
    before = depth()
    sys.set_coroutine_origin_tracking_depth(0)
    yield
    sys.set_coroutine_origin_tracking_depth(before)


class Page:
    async def goto(self, url: str) -> None: ...

    @staticmethod
    async def static() -> None: ...

    def title(self) -> str:
        return ""


class LazyModule(types.ModuleType):
    def __getattribute__(self, name: str) -> Any:
        raise AssertionError("somebody asked")


class Strange(type):
    __hash__ = None  # type: ignore[assignment]

    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError("somebody asked")


class Odd(metaclass=Strange):
    def __getattribute__(self, name: str) -> Any:
        raise AssertionError("somebody asked")


GLOBALS: dict[str, Any] = {
    "f": answer,
    "asyncio": asyncio,
    "page": Page(),
    "Page": Page,
    "print": None,
    "lazy": LazyModule("lazy"),
    "odd": object.__new__(Odd),
    "Odd": Odd,
}


def found(source: str, earlier: str = "") -> list[tuple[str, int, bool]]:
    functions = CoroutineFunctions(GLOBALS.get)
    functions.open_calls(earlier)
    return sorted((call.name, call.line, call.later) for call in functions.open_calls(source))


OPEN = {
    "a statement": ("f()", [("f", 1, False)]),
    "bound": ("x = f()", [("f", 1, False)]),
    "in a list": ("x = [f(), f()]", [("f", 1, False)] * 2),
    "an argument": ("print(f())", [("f", 1, False)]),
    "in a function": ("def g():\n    return f()", [("f", 2, True)]),
    "in a lambda": ("g = lambda: f()", [("f", 1, True)]),
    "a default argument": ("def g(x=f()): ...", [("f", 1, False)]),
    "its own function": ("async def g(): ...\ng()", [("g", 2, False)]),
    "a method of its own": (
        "class A:\n    async def m(self): ...\n    def n(self): self.m()",
        [("m", 3, True)],
    ),
    "a module's": ("asyncio.sleep(1)", [("sleep", 1, False)]),
    "imported": ("from asyncio import sleep\nsleep(1)", [("sleep", 2, False)]),
    "an object's": ("page.goto('x')", [("goto", 1, False)]),
    "a class's": ("Page.static()", [("static", 1, False)]),
    "awaited too late": ("x = f()\nawait x", [("f", 1, False)]),
    "in what is not awaited": ("asyncio.wait_for(f(), 1)", [("wait_for", 1, False)]),
    "a keyword argument": ("asyncio.create_task(g(), name=f())", [("f", 1, False)]),
}
OWNED = {
    "awaited": "await f()",
    "awaited either way": "await (f() if x else f())",
    "awaited in a function": "async def g():\n    for _ in range(9): await f()\n    await g()",
    "a task": "t = asyncio.create_task(f())",
    "tasks": "ts = [asyncio.create_task(f()) for _ in range(9)]",
    "run": "asyncio.run(f())",
    "gathered": "await asyncio.gather(f(), *[f() for _ in range(9)], *(f() for _ in range(9)))",
    "a context": "async with f() as x: pass",
    "iterated": "async for x in f(): pass\ny = [x async for x in f()]",
    "no call": "g = f",
    "another's of the same name": "import time\ntime.sleep(1)\nasyncio",
    "a plain method": "page.title()",
    "none": "x = 1",
    "not Python": "f( = 1",
}


@pytest.mark.parametrize(("source", "calls"), OPEN.values(), ids=OPEN)
def test_calls_that_nobody_awaits_are_found(source: str, calls: list[tuple[str, int, bool]]) -> None:
    assert found(source) == calls


@pytest.mark.parametrize("source", OWNED.values(), ids=OWNED)
def test_calls_that_somebody_awaits_are_not(source: str) -> None:
    assert found(source) == []


def test_what_an_earlier_cell_has_defined_is_known_by_name() -> None:
    earlier = "class A:\n    async def work(self): ..."
    assert found("A().work()", earlier) == [("work", 1, False)]
    assert found("A().play()", earlier) == []


def test_code_of_any_depth_is_read() -> None:
    assert found("x = " + "-" * 5_000 + "f()") in ([], [("f", 1, False)])
    assert found("f()\n" + "(" * 150 + "f()" + ")" * 150) == [("f", 1, False), ("f", 2, False)]


def test_nothing_is_asked_that_may_run_user_code() -> None:
    assert found("lazy.load(); odd.move(); Odd.make(); f()") == [("f", 1, False)]


def test_a_class_that_is_gone_leaves_nothing_behind() -> None:
    space: dict[str, Any] = {"x": type("Gone", (), {"go": answer})()}
    functions = CoroutineFunctions(space.get)
    assert [call.name for call in functions.open_calls("x.go()")] == ["go"]
    del space["x"]
    gc.collect()
    assert functions._members.items() == []


# --- noting them


def origins(tracking: OriginTracking, files: tuple[str, ...] = ()) -> Origins:
    return Origins(tracking, GLOBALS.get, SomeLines(cells=files))


def test_a_cell_that_awaits_everything_costs_nothing() -> None:
    tracked = origins(OriginTracking())
    tracked.before_cell("async def g(): await f()\nfor _ in range(9): await g()", False)
    assert depth() == 0


def test_one_that_may_leak_is_noted_and_the_next_is_not() -> None:
    tracked = origins(OriginTracking())
    tracked.before_cell("f()", False)
    assert depth() == 1
    tracked.before_cell("await f()", False)
    assert depth() == 0


def test_once_a_function_may_leak_all_threads_note_it_until_it_is_gone() -> None:
    told: list[None] = []
    tracking = OriginTracking(lambda: told.append(None))
    tracked = origins(tracking)
    tracked.before_cell("def g(): f()", False)
    tracked.before_cell("await f()", False)
    assert (depth(), told) == (1, [None])
    seen: list[int] = []
    thread = threading.Thread(target=lambda: [tracking.apply(), seen.append(depth())])
    thread.start()
    thread.join()
    assert seen == [1]
    tracked.forget()
    tracking.apply()
    assert (depth(), told) == (0, [None, None])


def test_a_cell_that_makes_room_for_its_own_functions_keeps_their_notes() -> None:
    tracked = origins(OriginTracking())
    tracked.before_cell("%reset\ndef g(): f()".replace("%reset", "reset()"), False)
    tracked.forget()
    tracked.before_cell("await f()", False)
    assert depth() == 1


def test_a_background_cell_s_are_noted_while_others_run() -> None:
    tracked = origins(OriginTracking())
    tracked.before_cell("f()", True)
    tracked.before_cell("await f()", False)
    assert depth() == 1


@pytest.mark.parametrize("chosen", [1, 7])
def test_what_the_user_has_chosen_stays(chosen: int) -> None:
    sys.set_coroutine_origin_tracking_depth(chosen)
    tracked = origins(OriginTracking())
    for source in ("f()", "await f()"):
        tracked.before_cell(source, False)
        assert depth() == chosen


# --- finding them where nothing was noted


@pytest.fixture
def cell_file() -> Iterator[str]:
    name = "<cell of a test>"
    yield name
    linecache.cache.pop(name, None)


def write(filename: str, source: str) -> None:
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)


def leaked(filename: str, source: str, **names: Any) -> Leak | None:
    """What is said of `answer()`, which `source` binds to `kept`."""
    write(filename, source)
    exec(compile(source, filename, "exec"), names)
    coroutine = names["kept"]
    try:
        return origins(OriginTracking(), (filename,)).leak_of(coroutine)
    finally:
        coroutine.close()


def test_the_only_line_that_calls_such_a_thing_is_it(cell_file: str) -> None:
    assert leaked(cell_file, "\n\nkept = answer()", answer=answer) == Leak("answer", cell_file, 3)


def test_of_two_lines_none_is_said(cell_file: str) -> None:
    found = leaked(cell_file, "if 1: kept = answer()\nelse: kept = answer()", answer=answer)
    assert found == Leak("answer", cell_file, 0)


def test_one_that_no_cell_calls_is_somebody_else_s(cell_file: str) -> None:
    assert leaked(cell_file, "kept = make()", make=lambda: answer()) is None


def test_a_library_s_is_not_taken_for_a_cell_s_of_the_same_name(cell_file: str) -> None:
    write(cell_file, "async def answer(): ...\nx = answer()")
    tracked = origins(OriginTracking(), (cell_file,))
    tracked.before_cell("async def answer(): ...\nx = answer()", False)
    sys.set_coroutine_origin_tracking_depth(0)
    coroutine = answer()
    assert tracked.leak_of(coroutine) is None
    coroutine.close()


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("if 1:\n    keep()\n    answer()\n    x = answer", 3),
        ("print(answer(), file=io.StringIO())\nanswer()\ny = 1", 2),
        # Overwritten and deleted values come from another line; which one cannot be told.
        ("x = answer()\nx = answer()\nx = None", 0),
        ("x = answer()\nif x: y = answer()\ndel x, y", 0),
    ],
    ids=["dropped", "last of two", "overwritten", "deleted"],
)
def test_the_line_where_it_goes_away_is_it_if_it_calls_such_a_thing(
    source: str, line: int, cell_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(cell_file, source)
    tracked = origins(OriginTracking(), (cell_file,))
    found: list[Leak | None] = []
    monkeypatch.setattr(
        warnings,
        "_warn_unawaited_coroutine",
        lambda coroutine: found.append(tracked.leak_of(coroutine, sys._getframe(1))),
    )
    exec(compile(source, cell_file, "exec"), {"answer": answer, "keep": int, "io": io})
    assert found[-1] == Leak("answer", cell_file, line)
