"""`close_leaked`: what a cell left within reach is closed and stays awaitable; the rest is left alone."""

from __future__ import annotations

import asyncio
import collections
import queue
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from types import CoroutineType
from typing import Any, NamedTuple, TypeAlias

import pytest

from namespace_kernel import DeferredCoroutine
from namespace_kernel.base.lines import Leak
from namespace_kernel.coroutines import closing
from namespace_kernel.coroutines.closing import close_leaked
from namespace_kernel.coroutines.origins import OriginTracking
from namespace_kernel.namespace.reserved_names import is_engine_name
from tests.unit.fakes import answer, is_closed

Coro: TypeAlias = "CoroutineType[Any, Any, Any]"


class Holder:
    """An object of the user's."""


class Pair(NamedTuple):
    first: Any
    second: Any


class Made:
    """Coroutines under test: known by their ids, so that nothing here refers to them."""

    def __init__(self) -> None:
        self.arguments: list[object] = []

    def __call__(self) -> Coro:
        self.arguments.append(object())
        return answer(self.arguments[-1])


@pytest.fixture
def made() -> Made:
    return Made()


def close(live: dict[str, Any], *names: str, held: Iterable[Any] = ()) -> list[Leak]:
    return close_leaked(live, names or list(live), held, is_engine_name)[0]


def coroutines_in(value: Any) -> Iterator[Any]:
    """Every coroutine and every stand-in, wherever the value holds them."""
    if isinstance(value, CoroutineType | DeferredCoroutine):
        yield value
    elif isinstance(value, Holder):
        yield from coroutines_in(vars(value))
    elif isinstance(value, dict):
        yield from coroutines_in([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | set | frozenset | collections.deque):
        for item in value:
            yield from coroutines_in(item)


def assert_all_awaitable(live: dict[str, Any], made: Made) -> None:
    """Nothing is open, nothing is broken: each coroutine still gives its answer, once."""
    stand_ins = {id(one): one for one in coroutines_in(live)}.values()
    assert {type(one) for one in stand_ins} == {DeferredCoroutine}
    answers = [asyncio.run(one) for one in stand_ins]  # type: ignore[arg-type]
    assert set(map(id, answers)) == set(map(id, made.arguments))
    assert len(answers) == len(made.arguments)


def assert_left_alone(live: dict[str, Any], made: Made) -> None:
    """Each is the coroutine that it was, and can be awaited."""
    coroutines = {id(one): one for one in coroutines_in(live)}.values()
    assert not any(map(is_closed, coroutines))
    assert [asyncio.run(one) for one in coroutines] == made.arguments


def nested_in_all(made: Made) -> Any:
    return {"list": [made(), (made(), [made()])], "tuple": ({"deep": made()}, ((made(),),)), "set": {made()}}


WITHIN_REACH = {
    "a name": lambda made: made(),
    "a list": lambda made: [made() for _ in range(9)],
    "a tuple": lambda made: (made(), 1, made()),
    "a set": lambda made: {made(), made(), 1},
    "a dict": lambda made: {1: made(), 2: "other"},
    "a tuple in a set": lambda made: {(made(),), 1},
    "nested": nested_in_all,
    "twice in a list": lambda made: [made()] * 3,
    "twice the same tuple": lambda made: [(made(),)] * 2,
}


@pytest.mark.parametrize("what", WITHIN_REACH)
def test_what_a_name_holds_is_closed_and_can_still_be_awaited(what: str, made: Made) -> None:
    live = {"x": WITHIN_REACH[what](made), "other": [1]}
    assert close(live) == []  # within the user's reach nothing is amiss
    assert_all_awaitable(live, made)


@pytest.mark.parametrize("what", WITHIN_REACH)
def test_it_can_also_be_awaited_through_every_other_name(what: str, made: Made) -> None:
    live = {"x": WITHIN_REACH[what](made)}
    live["y"] = live["x"]
    live["z"] = [live["x"]]
    close(live)
    assert_all_awaitable(live, made)
    assert type(live["x"]) in (DeferredCoroutine, set) or live["y"] == live["x"]


@pytest.mark.parametrize("what", WITHIN_REACH)
def test_it_can_also_be_awaited_through_a_name_that_the_cell_did_not_write(what: str, made: Made) -> None:
    live = {"x": WITHIN_REACH[what](made)}
    live["old"] = live["x"]
    close(live, "x")
    for one in coroutines_in(live["old"]):
        assert type(one) is DeferredCoroutine or not is_closed(one)
        one.close()
    for one in coroutines_in(live["x"]):
        one.close()


def test_containers_stay_the_objects_that_they_were(made: Made) -> None:
    live: dict[str, Any] = {"items": [made()], "mapping": {1: made()}, "group": {made()}}
    before = dict(live)
    close(live)
    assert all(live[name] is before[name] for name in before)
    assert_all_awaitable(live, made)


def test_a_tuple_without_coroutines_stays_the_object_that_it_was(made: Made) -> None:
    innocent = ((1, 2), 3)
    live: dict[str, Any] = {"items": [innocent, made()]}
    close(live)
    assert live["items"][0] is innocent
    assert_all_awaitable(live, made)


def test_containers_that_hold_themselves_are_no_trap(made: Made) -> None:
    items: list[Any] = [made()]
    items.append(items)
    mapping: dict[str, Any] = {"items": items}
    mapping["self"] = mapping
    close({"items": items, "mapping": mapping})
    assert type(items[0]) is DeferredCoroutine
    items[0].close()


def test_the_order_of_a_list_and_the_keys_of_a_dict_are_kept(made: Made) -> None:
    live = {"items": [made() for _ in range(5)], "mapping": {key: made() for key in "abc"}}
    close(live)
    answers = [asyncio.run(one) for one in live["items"]]
    answers += [asyncio.run(live["mapping"][key]) for key in "abc"]
    assert answers == made.arguments


HELD_ELSEWHERE = ["attribute", "deque", "namedtuple", "frozenset", "key", "closure", "local", "generator"]


@pytest.mark.parametrize("where", HELD_ELSEWHERE)
def test_what_anything_else_refers_to_as_well_is_left_alone(where: str, made: Made) -> None:
    live: dict[str, Any] = {"c": made()}
    holder = Holder()
    keep: Any = None
    if where == "attribute":
        holder.c = live["c"]  # type: ignore[attr-defined]
    elif where == "deque":
        keep = collections.deque([live["c"]])
    elif where == "namedtuple":
        keep = Pair(live["c"], 1)
    elif where == "frozenset":
        keep = frozenset([live["c"]])
    elif where == "key":
        keep = {live["c"]: 1}
    elif where == "closure":
        keep = lambda c=live["c"]: c  # noqa: E731
    elif where == "generator":
        keep = (one for one in [live["c"]])
    else:
        keep = live["c"]
    live["keep"], live["holder"] = keep, holder
    del keep
    if where == "local":
        local = live.pop("keep")
        close(live)
        assert not is_closed(local)
    else:
        close(live)
    assert_left_alone({"c": live["c"]}, made)


@pytest.mark.parametrize("container", [list, tuple, set])
def test_a_container_that_an_object_holds_too_never_holds_a_closed_one(container: Any, made: Made) -> None:
    live: dict[str, Any] = {"x": container([made()]), "holder": Holder()}
    live["holder"].x = live["x"]
    close(live, "x")
    (held,) = live["holder"].x
    assert asyncio.run(held) is made.arguments[0]
    for one in coroutines_in(live["x"]):
        one.close()


def test_what_a_queue_holds_is_left_alone(made: Made) -> None:
    jobs: queue.Queue[Coro] = queue.Queue()
    live: dict[str, Any] = {"jobs": jobs}
    for name in "ab":
        live[name] = made()
        jobs.put(live[name])
    close(live)
    assert [asyncio.run(jobs.get()) for _ in "ab"] == made.arguments


async def test_what_a_task_is_about_to_start_is_left_alone(made: Made) -> None:
    live: dict[str, Any] = {"c": made(), "items": [made()]}
    tasks = [asyncio.create_task(live["c"]), asyncio.create_task(live["items"][0])]
    close(live)
    assert await asyncio.gather(*tasks) == made.arguments


def test_what_has_begun_is_left_alone() -> None:
    coroutine: Coro = asyncio.sleep(0, "slept")  # type: ignore[assignment]
    coroutine.send(None)
    live = {"c": coroutine, "items": [coroutine]}
    del coroutine
    close(live)
    assert live["c"] is live["items"][0]  # type: ignore[index]
    with pytest.raises(StopIteration, match="slept"):
        live["c"].send(None)  # type: ignore[attr-defined]


def test_references_that_the_caller_knows_of_are_no_obstacle(made: Made) -> None:
    live: dict[str, Any] = {"c": made()}
    results = {1: live["c"], 2: live["c"]}
    close(live, held=(value for value in results.values()))
    assert type(live["c"]) is DeferredCoroutine
    assert [is_closed(value) for value in results.values()] == [True, True]


def test_one_that_only_the_engine_s_names_reach_is_reported(made: Made) -> None:
    OriginTracking().apply(True)
    live: dict[str, Any] = {"_": made(), "_1": None, "mine": made()}
    live["_1"] = live["_"]
    (leak,) = close(live)
    assert (leak.name, leak.filename, leak.line > 0) == ("answer", __file__, True)
    assert live["_"] is live["_1"]
    assert_all_awaitable(live, made)


def test_one_that_a_name_of_the_user_s_reaches_too_is_not_reported(made: Made) -> None:
    live: dict[str, Any] = {"_": made()}
    live["mine"] = live["_"]
    assert close(live) == []
    assert live["mine"] is live["_"]
    assert_all_awaitable(live, made)


def test_only_the_last_items_of_a_very_long_list_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, made: Made
) -> None:
    monkeypatch.setattr(closing, "_BUDGET", 10)
    live = {"items": [made() for _ in range(12)]}
    close(live)
    assert [type(one) for one in live["items"]] == [CoroutineType] * 2 + [DeferredCoroutine] * 10
    assert [asyncio.run(one) for one in live["items"]] == made.arguments  # type: ignore[arg-type]


def test_containers_that_are_nested_too_deeply_are_left_alone(made: Made) -> None:
    value: Any = made()
    for _ in range(50):
        value = [value]
    live = {"x": value}
    del value
    close(live)
    assert_left_alone(live, made)


@pytest.mark.parametrize("kind", [list, tuple, set, lambda values: dict.fromkeys(values, 1)])
def test_a_large_container_is_not_copied(kind: Callable[[Iterable[int]], Any]) -> None:
    """The cell that fills it may have taken the last of the memory."""
    live = {"kept": kind(range(1_000_000))}
    tracemalloc.start()
    try:
        assert close_leaked(live, ["kept"]) == ([], {})
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
