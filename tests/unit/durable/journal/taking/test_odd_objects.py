"""Objects whose pickling fails, hangs or changes them: named, and the others are kept."""

from __future__ import annotations

import pytest

from tests.unit.durable.journal.conftest import Start
from tests.unit.fakes import PATIENCE

ODD = {
    "raises": "def __reduce__(self): raise RuntimeError('no')",
    "exits": "def __reduce__(self): raise SystemExit(3)",
    "is stopped": "def __reduce__(self): raise KeyboardInterrupt",
    "gives nonsense": "def __reduce__(self): return object()",
    "is endless": "def __reduce__(self): return list, ([type(self)()],)",
}


@pytest.mark.parametrize("what", ODD)
def test_an_object_that_cannot_be_pickled_is_named_and_the_others_are_kept(start: Start, what: str) -> None:
    session = start()
    session.keep(f"class Odd:\n    {ODD[what]}\nodd = Odd(); holder = [odd]; fine = [1]")
    assert set(session.lost()) == {"odd", "holder"}
    second = start()
    back = second.journal.restore()
    assert second.names["fine"] == [1] and {one.name for one in back.lost} == {"odd", "holder"}


CHANGES = {
    "counts": "def __getstate__(self): self.n = getattr(self, 'n', 0) + 1; return self.__dict__",
    "grows": "def __getstate__(self): self.__dict__.setdefault('all', []).append(1); return self.__dict__",
    "asks the clock": "def __getstate__(self): return {'at': __import__('time').time()}",
    "binds a name": "def __getstate__(self): globals()['made'] = object(); return {}",
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_object_that_changes_itself_is_kept_and_nothing_goes_on_for_ever(start: Start, what: str) -> None:
    session = start()
    session.keep(f"class Odd:\n    {CHANGES[what]}\nodd = Odd(); fine = [1]")
    for number in range(3):
        session.keep(f"fine.append({number}); odd")
    assert len(session.journal.states()) <= 8
    second = start()
    second.journal.restore()
    assert second.names["fine"] == [1, 0, 1, 2] and type(second.names["odd"]) is second.names["Odd"]


def test_an_object_that_asks_a_network_is_given_up(start: Start) -> None:
    session = start(patience=0.3)
    session.run(
        "import socket\nhere, there = socket.socketpair()\nclass Far:\n"
        "    def __reduce__(self): return str, (here.recv(1).decode(),)\nfar = Far(); fine = 1"
    )
    assert session.journal.flush(PATIENCE)
    assert {"far", "here", "there"} <= session.lost().keys() and "fine" not in session.lost()
    for end in ("there", "here"):
        session.names[end].close()
    session.keep("more = 2")
    assert {one.name for one in start().journal.restore().back} >= {"fine", "more"}
