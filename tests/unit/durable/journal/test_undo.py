"""`undo` takes back the last cell, and never more without saying so."""

from __future__ import annotations

from typing import Any

import pytest

from namespace_kernel.base.errors import JournalError
from namespace_kernel.durable.journal import turns
from tests.unit.fakes import PATIENCE

from .conftest import Session, Start


def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on cells follow each other without a pause: nothing is taken unless somebody waits for it."""
    monkeypatch.setattr(turns, "_QUIET", 1e9)
    monkeypatch.setattr(turns, "_PART", 0.0)


def with_journal(session: Session) -> Session:
    """Its cells can use the journal, by a name that is not kept."""
    session.names["__journal"] = session.journal
    return session


def test_undo_goes_back_cell_by_cell(start: Start) -> None:
    one = start()
    one.keep("x = [1]")
    one.keep("x.append(2)")
    one.keep("x.append(3)\nmore = 1")
    one.journal.undo()
    assert one.names["x"] == [1, 2] and "more" not in one.names
    assert one.journal.flush(PATIENCE)
    one.keep("1")
    one.journal.undo()
    assert one.names["x"] == [1, 2]
    one.journal.undo()
    assert one.names["x"] == [1]
    with pytest.raises(JournalError, match="no earlier state"):
        one.journal.undo()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_cells_without_a_pause_are_taken_back_together_and_only_when_told(
    count: int, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = start()
    one.keep("x = []")
    in_haste(monkeypatch)
    for number in range(count):
        one.run(f"x.append({number})")
    with pytest.raises(JournalError, match=rf"In \[2\], In \[3\].*`%undo {count}` takes them back together"):
        one.journal.undo()
    assert one.names["x"] == list(range(count))
    one.journal.undo(count)
    assert one.names["x"] == []


def test_several_cells_at_once_and_never_half_of_what_belongs_together(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = start()
    for code in ("x = [0]", "x.append(1)", "x.append(2)"):
        one.keep(code)
    one.journal.undo(2)
    assert one.names["x"] == [0]
    in_haste(monkeypatch)
    for number in (5, 6):
        one.run(f"x.append({number})")
    one.keep("x.append(7)")  # these three are one step
    with pytest.raises(JournalError, match="`%undo 3`"):
        one.journal.undo(2)
    assert one.names["x"] == [0, 5, 6, 7]


def test_a_cell_that_follows_an_undo_at_once_is_taken_back_alone(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = with_journal(start())
    for code in ("x = [1]", "x.append(2)", "x.append(3)"):
        one.keep(code)
    in_haste(monkeypatch)
    one.run("__journal.undo()")
    one.run("x.append(9)")
    assert one.names["x"] == [1, 2, 9]
    one.journal.undo()
    assert one.names["x"] == [1, 2]
    one.journal.undo()
    assert one.names["x"] == [1]


def test_undo_in_cells_goes_back_one_by_one(start: Start) -> None:
    one = with_journal(start())
    for code in ("x = [1]", "x.append(2)", "x.append(3)", "x.append(4)"):
        one.keep(code)
    for left in ([1, 2, 3], [1, 2], [1]):
        one.run("__journal.undo()")
        assert one.names["x"] == left
    with pytest.raises(JournalError, match="no earlier state"):
        one.run("__journal.undo()")


def test_what_a_running_cell_has_done_does_not_change_the_state_after_the_one_before(start: Start) -> None:
    one = with_journal(start())
    one.keep("x = [1]")
    one.keep(f"x = [2]; new = 1; assert __journal.flush({PATIENCE}); x = [3]")
    one.journal.undo()
    assert one.names["x"] == [1] and "new" not in one.names
    assert one.journal.restore(cell=2).state.number == 2 and one.names["x"] == [3]
    one.journal.restore(cell=1)
    assert one.names["x"] == [1]


def test_what_changed_between_two_cells_is_no_step(start: Start) -> None:
    one = start()
    one.keep("x = [1]")
    one.keep("x.append(2)")
    one.names["by_a_thread"] = 5
    assert one.journal.flush(PATIENCE)
    one.journal.undo()
    assert one.names["x"] == [1]


def test_what_is_not_on_disk_is_not_taken_back(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    one = start()
    one.keep("x = [1]")
    one.keep("x.append(2)")

    def no_room(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(one.journal._store, "write", no_room)
    one.run("x.append(3)")
    with pytest.raises(JournalError, match=r"not on disk .*No space left.* nothing is taken back"):
        one.journal.undo()
    assert one.names["x"] == [1, 2, 3]
