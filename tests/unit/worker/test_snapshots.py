"""Plain containers are known to be unchanged without pickling them, and no change is missed."""

from __future__ import annotations

import collections
import copy
import datetime
import enum
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from namespace_kernel.worker.snapshots import take

CHANGES = {
    "a new key": ("{'a': 1}", "v['b'] = 2"),
    "another value": ("{'a': 1}", "v['a'] = 2"),
    "an equal value of another type": ("{'a': 1}", "v['a'] = True"),
    "an equal key of another type": ("{1: 'a'}", "del v[1]; v[1.0] = 'a'"),
    "one removed": ("{'a': 1}", "v.clear()"),
    "another order": ("{'a': 1, 'b': 2}", "v['a'] = v.pop('a')"),
    "a list that grows": ("[1, 2]", "v.append(3)"),
    "a list turned round": ("[1000, 2000]", "v.reverse()"),
    "one for another": ("[1000, 2000]", "v[0] = 3000"),
    "deep inside": ("{'a': [(1, {'b': [2]})]}", "v['a'][0][1]['b'].append(3)"),
    "in a tuple": ("(1, [2])", "v[1].append(3)"),
    "in a set": ("{1, 2}", "v.add(3)"),
    "one out of a set": ("{1, 2}", "v.discard(2)"),
    "in one that holds itself": ("(lambda l: l.append(l) or l)([1])", "v.append(2)"),
    "in what two share": ("(lambda l: [l, l])([1])", "v[0].append(2)"),
    "one more of the same": ("(lambda l: [l, []])([1])", "v[1] = v[0]"),
}


@pytest.mark.parametrize(("value", "change"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(value: str, change: str) -> None:
    v = eval(value)
    snapshot = take([v])
    assert snapshot is not None and snapshot.holds()
    exec(change, {"v": v})
    assert not snapshot.holds()


class Text(str):
    note = 1


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    "odd",
    [
        Text("a"),
        collections.OrderedDict(),
        collections.defaultdict(list),
        bytearray(b"a"),
        collections.deque(),
        lambda: 1,
        object(),
        iter([1]),
        memoryview(b"a"),
        Text,
        Colour.RED,
        ValueError("a"),
    ],
    ids=lambda odd: type(odd).__name__,
)
@pytest.mark.parametrize("place", ["itself", "a value", "a key", "deep"])
def test_what_can_change_otherwise_has_no_snapshot(odd: Any, place: str) -> None:
    if place == "a key" and odd.__hash__ is None:
        pytest.skip("no key")
    value = {"itself": lambda: odd, "a value": lambda: {1: odd}, "a key": lambda: {odd: 1}}.get(
        place, lambda: ([1, (2, {"a": [odd]})],)
    )()
    assert take([value]) is None


def test_many_small_ones_are_left_to_pickling() -> None:
    assert take([[[number] for number in range(20_000)]]) is None
    assert take([[(number, str(number)) for number in range(5_000)]]) is not None


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner)
    ),
)


@given(PLAIN, st.data())
def test_it_says_of_no_changed_value_that_it_is_as_it_was(value: Any, data: st.DataObject) -> None:
    snapshot = take([value])
    before = pickle.dumps(copy.deepcopy(value))
    assert snapshot is not None and snapshot.holds()
    places = [value]
    for one in places:
        if isinstance(one, list | tuple):
            places += one
        elif isinstance(one, dict):
            places += one.values()
    changeable = [one for one in places if isinstance(one, list | dict)]
    if changeable:
        one = data.draw(st.sampled_from(changeable))
        if isinstance(one, list):
            one.insert(data.draw(st.integers(0, len(one))), data.draw(PLAIN))
        else:
            one[data.draw(st.text())] = [datetime.date(2000, 1, 1)]
        assert pickle.dumps(copy.deepcopy(value)) == before or not snapshot.holds()
    else:
        assert snapshot.holds()
