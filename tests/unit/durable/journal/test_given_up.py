"""A look that a cell ends: what it has taken is used later, unless that cell has changed it."""

from __future__ import annotations

import threading

import pytest

from namespace_kernel.durable.journal.turns import GivenUpError, Turns
from tests.unit.durable.journal.conftest import Start
from tests.unit.fakes import PATIENCE

CELLS = {
    "a function": ("def f(): box.append(1)", "f()"),
    "one that calls another": ("def f(): box.append(1)\ndef g(): f()", "g()"),
    "one in a container": ("calls = [lambda: box.append(1)]", "calls[0]()"),
    "a method": ("class F:\n    def change(self): box.append(1)\nf = F()", "f.change()"),
    "a function bound anew": ("def known(): box.append(1)", "known()"),
    "a container that changes": ("known_list.append(lambda: box.append(1))", "known_list[0]()"),
    "a class": ("class F:\n    def __init__(self): box.append(1)", "F() and None"),
}


@pytest.mark.parametrize(("makes", "changes"), CELLS.values(), ids=CELLS)
def test_a_function_that_is_not_known_yet_may_have_changed_what_was_taken(
    makes: str, changes: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start()
    session.keep("box = []; known_list = []\ndef known(): pass")
    taken, check = threading.Event(), Turns.check

    def give_up(turns: Turns, epoch: int) -> None:
        if "box" in session.journal._keeper.changes.look.singles:
            taken.set()
            raise GivenUpError
        check(turns, epoch)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Turns, "check", give_up)
        session.run(makes)
        assert taken.wait(PATIENCE)
        session.run(changes)
    assert session.journal.flush(PATIENCE)
    again = start()
    again.journal.restore(["box"])
    assert again.names["box"] == [1]
