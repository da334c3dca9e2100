"""What travels with a cell, and how it arrives."""

from __future__ import annotations

import gc
import pickle
import sys

import numpy as np
import pytest

from namespace_kernel.remote.transfer.ledger import Ledger
from namespace_kernel.remote.transfer.packing import digest_of, new_arrival, pack, unpack
from namespace_kernel.remote.transfer.pickler import NamespacePickler, forget_classes
from tests.unit.remote.transfer.travel import arrive, namespace, parcel


def test_only_what_is_read_travels() -> None:
    live = namespace("a = 1\nb = 2\nc = 3")
    assert parcel(live, "a + b").names == {"a", "b"}


def test_functions_bring_what_they_read_however_far() -> None:
    live = namespace(
        "import functools\n"
        "def f(x): return x + k\n"
        "def g(): return f(1)\n"
        "class C:\n    def m(self): return g()\n"
        "k = 5; unrelated = 6\n"
        "handlers = {'a': [functools.partial(C.m, C())]}"
    )
    sent = parcel(live, "handlers['a'][0]()")
    assert sent.names == {"handlers", "g", "f", "k"}
    assert arrive(sent)["handlers"]["a"][0]() == 6


def test_functions_see_the_namespace_that_they_arrive_in() -> None:
    live = namespace("k = 1\ndef f(): return k\ndef bump():\n    global k\n    k += 1")
    there = arrive(parcel(live, "f, bump"))
    assert there["f"].__globals__ is there
    there["bump"]()
    assert there["f"]() == 2 and live["f"]() == 1


def test_functions_that_come_back_see_the_live_namespace() -> None:
    live = namespace("k = 1\ndef f(): return k")
    there = arrive(parcel(live, "f"))
    exec("def g(): return f() + 1", there)
    back = unpack(pack({"g": there["g"]}, there).piece, new_arrival(live))
    live["k"] = 10
    assert back["g"].__globals__ is live and back["g"]() == 11


def test_attributes_of_functions_arrive() -> None:
    live = namespace("def f(a, b=2, *, c: int = 3):\n    'doc'\n    return a + b + c\nf.note = [1]")
    there = arrive(parcel(live, "f"))["f"]
    assert (there(1), there.__doc__, there.note, there.__module__) == (6, "doc", [1], "__main__")
    assert there.__kwdefaults__ == {"c": 3} and there.__annotations__ == {"c": int}


def test_closures_keep_sharing_their_variable() -> None:
    live = namespace(
        "def counter():\n"
        "    n = 0\n"
        "    def up():\n        nonlocal n\n        n += 1\n"
        "    def get(): return n\n"
        "    return up, get\n"
        "up, get = counter()"
    )
    there = arrive(parcel(live, "up(), get()"))
    there["up"]()
    assert there["get"]() == 1 and live["get"]() == 0


def test_a_closure_over_itself_arrives() -> None:
    live = namespace(
        "def make():\n    def fact(n): return 1 if n < 2 else n * fact(n - 1)\n    return fact\nf = make()"
    )
    assert arrive(parcel(live, "f"))["f"](5) == 120


def test_names_that_share_an_object_share_it_there() -> None:
    live = namespace("a = [1]; b = a; c = {'k': a}; d = [2]; e = (a,)")
    sent = parcel(live, "a, b, c, d, e")
    there = arrive(sent)
    assert there["a"] is there["b"] is there["c"]["k"] is there["e"][0]
    assert ("d",) in [piece.names for piece in sent.pieces]


def test_what_nobody_can_change_is_not_sent_together() -> None:
    live = namespace(
        "import numpy as np, datetime\n"
        "text = 'x' * 99; a = [text]; b = [text]; m = np.zeros(9); n = np.ones(9)\n"
        "day = datetime.date(2020, 1, 1); c = [day]; e = [day]\n"
        "class K: ...\n"
        "o = K(); p = K()"
    )
    sent = parcel(live, "a, b, m, n, c, e, o, p")
    assert sorted(piece.names for piece in sent.pieces) == [(name,) for name in "abcemnop"]
    there = arrive(sent)
    assert type(there["o"]) is type(there["p"])


def test_classes_come_back_as_what_they_were() -> None:
    live = namespace(
        "class A:\n    def __init__(self): self.v = 1\nclass B(A):\n    def m(self): return super()\n"
    )
    live["b"] = live["B"]()
    there = arrive(parcel(live, "b"))
    back = unpack(pack({"b": there["b"]}, there).piece, new_arrival(live))
    assert type(back["b"]) is live["B"] and back["b"].v == 1


def test_a_value_that_cannot_be_pickled_is_left_out_and_told() -> None:
    live = namespace(
        "g = (i for i in [1]); import threading; lock = threading.Lock(); x = 1\ndef f(): return lock"
    )
    sent = parcel(live, "g, f, x")
    assert sent.names == {"f", "x"}
    assert "cannot pickle 'generator' object" in sent.left_out["g"]
    assert "cannot pickle '_thread.lock' object" in sent.left_out["lock"]


def test_a_value_whose_pickling_raises_anything_is_left_out() -> None:
    live = namespace(
        "class Bad:\n    def __reduce__(self): raise ZeroDivisionError('no')\n"
        "class Worse(Exception):\n    def __str__(self): raise KeyError\n"
        "class Worst:\n    def __reduce__(self): raise Worse\n"
        "bad = Bad(); worst = Worst()\n"
    )
    sent = parcel(live, "bad, worst")
    assert sent.names == set()
    assert "ZeroDivisionError: no" in sent.left_out["bad"] and "Worse" in sent.left_out["worst"]


def test_the_user_adds_and_leaves_out() -> None:
    live = namespace("a = 1; b = 2; c = 3")
    sent = parcel(live, "a, c", send=["b"], leave_out=["c"])
    assert sent.names == {"a", "b"}
    assert sent.left_out == {"c": "`--not` left it out"}


def test_large_arrays_are_not_copied() -> None:
    live = namespace("")
    live["a"] = a = np.arange(100_000)
    (piece,) = parcel(live, "a").pieces
    assert len(piece.stream) < 1000
    assert np.shares_memory(np.frombuffer(piece.buffers[0], a.dtype), a)
    arrived = arrive(parcel(live, "a"))["a"]
    arrived[0] = 7
    assert a[0] == 0


def test_modules_go_by_reference_with_the_submodules_in_use() -> None:
    live = namespace(
        "import xml.dom.minidom, xml.sax.handler, os\ndef f(): return xml.dom.minidom.parseString"
    )
    sent = parcel(live, "f() and os")
    assert arrive(sent)["os"] is sys.modules["os"]
    assert set(sent.modules) == {"xml.dom", "xml.dom.minidom"}


def test_the_digest_is_the_contents() -> None:
    live = namespace("a = [1, 2]; n = 5; s = {'x', 'y'}")
    live["m"] = m = np.arange(9_000)

    def digests() -> dict[str, str]:
        return {piece.names[0]: piece.digest for piece in parcel(live, "a, n, s, m").pieces}

    before = digests()
    assert digests() == before
    live["a"].append(3)
    m[8_999] = 0
    changed = digests()
    assert {name for name in before if before[name] != changed[name]} == {"a", "m"}


def test_an_array_is_the_first_buffer_of_its_piece() -> None:
    """Dask receives it as it is then; what comes after another buffer it puts together from parts."""
    pieces = parcel(namespace("import numpy as np; big = np.ones(100_000)"), "big").pieces
    sent: list[pickle.PickleBuffer] = []
    pickle.dumps(pieces, protocol=5, buffer_callback=sent.append)
    assert [buffer.raw().nbytes for buffer in sent] == [800_000, *(len(one.stream) for one in pieces)]


def test_a_piece_knows_that_its_buffers_were_changed() -> None:
    live = namespace("")
    live["m"] = np.arange(9_000)
    (piece,) = parcel(live, "m").pieces
    assert digest_of(piece) == piece.digest
    live["m"][0] = 1
    assert digest_of(piece) != piece.digest


def test_a_ledger_sends_nothing_twice() -> None:
    ledger, live = Ledger(), namespace("a = [1]; b = 2")
    first = parcel(live, "a, b").pieces
    assert ledger.divide(first) == (first, (), ())
    assert ledger.divide(first) == ((), tuple(piece.digest for piece in first), ())
    live["a"].append(2)
    again = parcel(live, "a, b").pieces
    missing, there, dropped = ledger.divide(again)
    assert [piece.names for piece in missing] == [("a",)] and len(there) == 1 and not dropped
    ledger.forget([missing[0].digest])
    assert ledger.divide(again)[0] == missing


def test_a_ledger_drops_what_is_old_and_large_but_nothing_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("namespace_kernel.remote.transfer.ledger._BYTES", 100_000)
    ledger, live = Ledger(), namespace("a = b'a' * 80_000; b = b'b' * 80_000; c = b'c' * 80_000")
    (a,), (b,), (c,) = (parcel(live, name).pieces for name in "abc")
    assert ledger.divide([a])[2] == ()
    assert ledger.divide([b])[2] == ()
    assert ledger.divide([c])[2] == (a.digest,)
    assert ledger.divide([a, b, c]) == ((a,), (b.digest, c.digest), ())


def test_a_class_that_was_changed_there_is_new_when_it_comes_again() -> None:
    live = namespace("class K:\n    kept = []\no = K()")
    pieces = parcel(live, "K, o").pieces
    assert [piece.names for piece in pieces] == [("o", "K")]
    there = namespace("")
    for _ in range(2):
        forget_classes()  # as if this were another process
        there |= unpack(pieces[0], new_arrival(there))
        assert there["K"] is not live["K"] and type(there["o"]) is there["K"]
        assert not hasattr(there["K"], "extra") and there["K"].kept == []
        there["K"].extra = 1
        there["K"].kept.append(2)


SHARING = {
    "the same object": ("a = [1] * 50; b = a", "ab"),
    "a part of the larger": ("a = [1]; b = [a, list(range(50))]", "ab"),
    "a part of the smaller": ("b = list(range(50)); a = [b]", "ab"),
    "a chain": ("x = []; y = [2]; a = [x]; b = [x, y, *range(50)]; c = [y, *range(90)]; del x, y", "abc"),
    "a bridge that is found last": ("a = [1]; b = [2] * 9; c = [a, b, *range(90)]", "abc"),
    "three names of one": ("a = b = c = {1: []}", "abc"),
}


@pytest.mark.parametrize(("source", "together"), SHARING.values(), ids=SHARING)
def test_what_shares_an_object_is_one_piece_and_shares_it_there(source: str, together: str) -> None:
    live = namespace(f"{source}; alone = [7]; text = 'text'")
    sent = parcel(live, f"{', '.join(together)}, alone, text")
    assert {frozenset(piece.names) for piece in sent.pieces} == {
        frozenset(one) for one in (together, ["alone"], ["text"])
    }
    there = arrive(sent)
    assert {name: there[name] for name in together} == {name: live[name] for name in together}

    def shared(names: dict[str, object]) -> list[bool]:
        flat = [
            part
            for name in together
            for value in [names[name]]
            for part in (value, *(value.values() if isinstance(value, dict) else value))  # type: ignore[misc]
            if isinstance(part, list | dict)
        ]
        return [one is other for one in flat for other in flat]

    assert shared(there) == shared(live)


@pytest.mark.parametrize("others", ["", "also", "also, small", "also, f", "inside, small, f"])
def test_a_large_one_is_pickled_once_whoever_shares_it(others: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "inside = []; large = [inside, {str(n): n for n in range(1000)}]; also = large; small = [1]"
    live = namespace(f"{source}\ndef f(): return large, small")
    found: list[int] = []
    original = NamespacePickler.dump

    def dump(self: NamespacePickler, value: object) -> None:
        before = len(self.memo.copy())
        original(self, value)
        found.append(len(self.memo.copy()) - before)

    monkeypatch.setattr(NamespacePickler, "dump", dump)
    assert "large" in parcel(live, f"large, {others}").names
    assert sum(count > 900 for count in found) == 1


@pytest.mark.parametrize("values", ["1, 1", "'', ''", "[], []", "(1, (2,)), (1, (2,))", "f, f"])
def test_names_of_equal_values_are_pieces_of_their_own(values: str) -> None:
    live = namespace(f"def f(): return 1\na, b = {values}")
    sent = parcel(live, "a, b")
    assert len({piece.digest for piece in sent.pieces}) == len(sent.pieces)
    assert {piece.digest for piece in sent.pieces}.isdisjoint(
        piece.digest for piece in parcel(namespace(f"def f(): return 1\nc, d = {values}"), "c, d").pieces
    )


@pytest.mark.parametrize("source", ["m", "m, f", "f, large", "m, also, f, large"])
def test_what_was_packed_is_let_go_without_the_collector(source: str) -> None:
    live = namespace("import numpy as np; large = {str(n): [n] for n in range(99)}\ndef f(): return large")
    live["m"] = live["also"] = array = np.arange(9_000)
    parcel(live, source)
    gc.collect()
    gc.disable()
    try:
        before = sys.getrefcount(array), sys.getrefcount(live)
        sent = parcel(live, source)
        del sent
        assert (sys.getrefcount(array), sys.getrefcount(live)) == before
    finally:
        gc.enable()
