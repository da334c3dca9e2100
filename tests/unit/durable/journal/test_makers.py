"""The cell that is named as a value's maker has made that value, whatever ran beside it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from namespace_kernel import Cell, Context, Journal, Route
from namespace_kernel.base.execution import complete
from namespace_kernel.durable.journal.turns import Turns
from tests.unit.fakes import PATIENCE

from .conftest import Session, Start


def makers(session: Session) -> dict[str, str]:
    status = session.journal.status()
    return {one.name: one.maker.name for one in (*status.kept, *status.lost)}


@pytest.mark.parametrize("value", ["5", "'text'", "None", "()"])
def test_a_value_at_the_place_of_one_that_was_restored_is_its_own_cells(start: Start, value: str) -> None:
    start().keep(f"x = {value}; y = 1")
    second = start()
    second.journal.restore()
    second.keep("before = 1")
    second.keep("del x")
    second.keep(f"x = {value}")
    assert makers(second)["x"] == "In [3]" and makers(second)["y"] == "In [1]"


@pytest.mark.parametrize("code", ["x = [2]", "x = (i for i in 'lost')", "alias = x = [3]", "del x; x = {}"])
def test_a_cell_is_not_named_for_what_one_beside_it_has_bound(start: Start, code: str) -> None:
    session = start()
    session.keep("x = [1]; other = 1")
    go, bound = threading.Event(), threading.Event()
    session.names["__go"], session.names["__bound"] = go, bound

    def beside() -> None:
        source = f"{code}; __bound.set(); __go.wait({PATIENCE})"
        cell = Cell(source, "In [7]", 7, background=True)
        complete(session.bridge.execute(cell, Route(Context.CALLER, "a test", source))).unwrap()

    thread = threading.Thread(target=beside)
    thread.start()
    assert bound.wait(PATIENCE)
    session.keep("y = 1")
    assert makers(session) | {"alias": ""} == {"x": "", "alias": "", "other": "In [1]", "y": "In [2]"}
    go.set()
    thread.join(PATIENCE)
    session.keep("z = 1")
    assert makers(session) == makers(session) | {"x": "In [7]", "y": "In [2]", "z": "In [3]"}


def test_a_cell_in_the_background_does_not_have_the_names_taken_while_another_runs(start: Start) -> None:
    session = start()
    session.names["__journal"] = session.journal
    session.keep("x = [1]")
    flushed: list[bool] = []
    session.names["__flushed"] = flushed

    def beside() -> None:
        source = "__flushed.append(__journal.flush(0.3))"
        cell = Cell(source, "In [7]", 7, background=True)
        complete(session.bridge.execute(cell, Route(Context.CALLER, "a test", source))).unwrap()

    session.names["__beside"] = beside
    session.run("import threading; x.append(2); t = threading.Thread(target=__beside); t.start(); t.join()")
    assert flushed == [False]


@pytest.mark.parametrize("code", ["a = b = []", "a = []\nb = a", "a = [[]]\nb = a[0]"])
def test_aliases_are_each_of_the_cell_that_bound_them(start: Start, code: str) -> None:
    session = start()
    session.keep(code)
    session.keep("c = b; d = {'b': b}")
    session.keep("b.append(1)")
    session.keep("a = 1")
    assert makers(session) == {"a": "In [4]", "b": "In [1]", "c": "In [2]", "d": "In [2]"}


def test_names_that_came_back_are_of_the_cell_of_before_also_when_it_is_begun_again(
    start: Start, tmp_path: Path
) -> None:
    start().keep("x = [1]")
    second = start()
    second.journal.restore()
    second.keep("y = 1")
    second.journal.close()
    again = Journal(second.manager, tmp_path / "journal")
    try:
        assert again.flush(PATIENCE)
        kept = {one.name: one.maker for one in again.status().kept}
        assert kept["x"].source == "x = [1]" and kept["x"].ended < kept["y"].ended
    finally:
        again.close(0.0)


def test_nobody_looks_between_a_cells_end_and_the_record_of_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    session.keep("x = [1]")
    ended = session.journal._turns.ended

    def end_slowly(duration: float) -> None:
        ended(duration)
        assert session.journal.flush(PATIENCE)
        assert makers(session)["x"] == "In [2]"

    monkeypatch.setattr(session.journal._turns, "ended", end_slowly)
    session.run("x = [2]")
    assert makers(session)["x"] == "In [2]"


def test_a_cell_that_begins_just_when_the_journal_looks_is_noticed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    session.keep("x = [1]")
    turns, is_quiet = session.journal._turns, Turns.is_quiet.fget
    assert is_quiet is not None
    begun, looked_again = threading.Event(), threading.Event()

    def begin_then(self: Turns) -> bool:
        quiet = bool(is_quiet(self))
        if begun.is_set():
            looked_again.set()
        elif quiet and self is turns:
            turns.began()
            session.names["x"].append("half")
            begun.set()
        return quiet

    monkeypatch.setattr(Turns, "is_quiet", property(begin_then))
    session.journal._keeper.ask()
    session.names["__new"] = session.names["new"] = 1
    assert begun.wait(PATIENCE) and looked_again.wait(PATIENCE)
    assert "new" not in makers(session)
    turns.ended(0.0)
