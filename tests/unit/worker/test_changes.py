"""What a cell has done to its copy of the namespace, found by content."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from namespace_kernel.base.errors import ResultError
from namespace_kernel.remote.memory.shelf import Shelf
from namespace_kernel.remote.transfer.packing import new_arrival, unpack
from namespace_kernel.remote.transfer.pickler import forget_classes
from namespace_kernel.worker import changes as changes_module
from namespace_kernel.worker.changes import Copy
from tests.unit.remote.transfer.travel import code, namespace, parcel


def copy_of(live: dict[str, Any], names: str, elsewhere: bool = True) -> Copy:
    """The copy in another process, as far as pickling is concerned."""
    pieces = pickle.loads(pickle.dumps(parcel(live, names).pieces, protocol=5))
    if elsewhere:
        forget_classes()
    return Copy(pieces, namespace(""))


def after(copy: Copy, source: str) -> Copy:
    exec(code(source), copy.namespace)
    return copy


def test_nothing_is_nothing() -> None:
    live = namespace("a = [1]; b = {'x', 'y'}; c = (1, [2]); f = lambda: a\nclass K: kept = []\nk = K()")
    live["m"] = np.arange(5000)
    changes = after(copy_of(live, "a, b, c, f, k, K, m"), "a, b, len(c), f(), k.kept, m.sum()").changes()
    assert changes.results == {} and not changes.deleted and not changes.spoilt and not changes.overwritten


@pytest.mark.parametrize(
    "change",
    [
        "a.append(2)",
        "a[0] = 2",
        "b.add('z')",
        "c[1].append(3)",
        "f.note = 1",
        "k.v = 1",
        "m[0] = 7",
        "f.__closure__ or f.__defaults__[0].append(1)",
    ],
)
def test_what_is_changed_in_place_goes_back(change: str) -> None:
    live = namespace("a = [1]; b = {'x'}; c = (1, [2])\ndef f(x=[]): return x\nclass K: ...\nk = K()")
    live["m"] = np.arange(5000)
    copy = copy_of(live, "a, b, c, f, k, m")
    changes = after(copy, change).changes()
    name = change[0]
    assert set(changes.results) == {name} and changes.results[name] is copy.namespace[name]
    assert len(changes.spoilt) == 1


@pytest.mark.parametrize("change", ["k.v = 1", "t[1].v = 2", "s.add(k)", "m[0] = 7", "m += 1"])
@pytest.mark.parametrize("error", [MemoryError, OSError(24, "Too many open files")])
def test_a_change_is_not_lost_where_what_came_cannot_be_made_once_more(
    change: str, error: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = namespace("class K: ...\nk = K(); t = (1, K()); s = {K()}")
    live["m"] = np.arange(300_000.0)
    pieces = pickle.loads(pickle.dumps(parcel(live, "k, t, s, m", share=Shelf().share).pieces, protocol=5))
    forget_classes()
    copy = Copy(pieces, namespace(""))

    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(changes_module, "unpack", fail)
    found = after(copy, change).changes()
    assert change[0] in found.results and found.results[change[0]] is copy.namespace[change[0]]


def test_what_came_and_does_not_go_is_not_taken_for_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    live = namespace("class K:\n    def __getstate__(self): return {}\nk = K()")
    copy = copy_of(live, "k")
    exec("def fail(self): raise TypeError\ntype(k).__getstate__ = fail", copy.namespace)
    monkeypatch.setattr(changes_module, "unpack", lambda *args: 1 / 0)
    assert "k" not in copy.changes().results


def test_added_rebound_and_deleted_names() -> None:
    changes = after(copy_of(namespace("a = 1; b = [2]; c = 3"), "a, b, c"), "a = 5; del b; d = c").changes()
    assert changes.results == {"a": 5, "d": 3} and changes.deleted == {"b"} and not changes.spoilt


def test_one_that_is_rebound_after_it_was_changed_goes_back_as_what_it_is() -> None:
    changes = after(copy_of(namespace("a = [1]"), "a"), "a.append(2); a = 'new'").changes()
    assert changes.results == {"a": "new"} and len(changes.spoilt) == 1


def test_names_of_the_kernels_are_not_sent_back() -> None:
    changes = after(copy_of(namespace(""), "1"), "_ = 1; Out = 2; _5 = 3; __warningregistry__ = {}").changes()
    assert changes.results == {} and changes.overwritten == {"_", "Out", "_5"}


def test_a_changed_class_changes_here_and_its_instances_stay_its_own() -> None:
    live = namespace("class K:\n    kept = []\n    def m(self): return 1\nk = K(); other = K()")
    before = live["K"]
    copy = after(copy_of(live, "k", elsewhere=False), "type(k).kept.append(1); type(k).extra = 2")
    results = copy.changes().results
    assert set(results) == {"k"}
    back = unpack(copy.pack_results(results)[0], new_arrival(live))
    assert type(back["k"]) is before and before.kept == [1] and live["other"].extra == 2


def test_a_class_that_is_as_it_was_is_not_touched_here() -> None:
    live = namespace("class K:\n    kept = []\n    def m(self): return 1\nk = K()")
    copy = after(copy_of(live, "k", elsewhere=False), "k.v = 1")
    method, kept = live["K"].m, live["K"].kept
    back = unpack(copy.pack_results(copy.changes().results)[0], new_arrival(live))
    assert type(back["k"]) is live["K"] and live["K"].m is method and live["K"].kept is kept


def test_results_that_share_an_object_share_it_here() -> None:
    copy = after(copy_of(namespace(""), "1"), "a = [1]; b = {'k': a}")
    back = unpack(copy.pack_results(copy.changes().results)[0], new_arrival(namespace("")))
    assert back["b"]["k"] is back["a"]


def test_what_cannot_go_back_is_named() -> None:
    copy = after(copy_of(namespace(""), "1"), "fine = 1; g = (i for i in []); h = lambda: open")
    with pytest.raises(ResultError, match=r"`g`, a generator \(cannot pickle 'generator' object\)\. Nothing"):
        copy.pack_results(copy.changes().results)


def test_what_is_too_large_is_named_with_its_size() -> None:
    copy = after(copy_of(namespace(""), "1"), "small = 1; large = bytes(3 * 2**20)")
    with pytest.raises(ResultError, match=r"have 3 MiB, of which `large` has 3.*allows 2"):
        copy.pack_results(copy.changes().results, limit=2 * 2**20)


def test_what_cannot_be_rebuilt_is_refused_by_name() -> None:
    live = namespace("class F:\n    def __reduce__(self): return eval, ('1 / 0',)\nf = F(); fine = 1")
    copy = copy_of(live, "f, fine")
    assert copy.namespace["fine"] == 1 and "f" not in copy.namespace
    assert copy.refused == {"f": "it could not be rebuilt there (ZeroDivisionError: division by zero)"}


def test_by_products_that_cannot_go_back_stay() -> None:
    source = (
        "import io, threading\nwith threading.Lock() as taken: pass\ntext = 'read'\nlock = threading.Lock()\n"
    )
    copy = after(copy_of(namespace(""), "1"), source + "taken = lock; del lock")
    results = copy.changes().results
    with pytest.raises(ResultError, match="`taken`, a lock"):
        copy.pack_results(results)
    piece, stayed = copy.pack_results(results, frozenset(("taken", "text")))
    assert stayed == {"taken": "cannot pickle '_thread.lock' object"}
    assert unpack(piece, new_arrival(namespace("")))["text"] == "read"
