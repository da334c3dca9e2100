"""Many threads and an event loop on one namespace, while the interpreter switches as often as it can."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from namespace_kernel import AsyncNamespaceManager, Context, ExecutionContextBridge, Outcome
from tests.unit.fakes import answer, run_in_threads
from tests.unit.namespace.test_reserved_names import EMBEDDED_NAMES, wrong_names

THREADS = 4
NAMES = 2_000


@pytest.fixture(autouse=True)
def eager_switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def names_of(writer: str, count: int = NAMES) -> dict[str, int]:
    return {f"{writer}_{number}": number for number in range(count)}


def missing(manager: AsyncNamespaceManager, expected: dict[str, Any]) -> dict[str, Any]:
    found = manager.namespace
    return {name: value for name, value in expected.items() if found.get(name) != value}


def update_one_by_one(manager: AsyncNamespaceManager, writer: str, context: str) -> None:
    for name, value in names_of(writer).items():
        manager.update_namespace({name: value}, context)


def merge_one_by_one(manager: AsyncNamespaceManager, writer: str, count: int) -> None:
    for name, value in names_of(writer, count).items():
        base = manager.namespace
        copy = dict(base)
        copy[name] = value
        manager.merge_thread_results(copy, base, writer)


async def test_four_threads_and_an_event_loop_lose_no_name(manager: AsyncNamespaceManager) -> None:
    async def write(part: int) -> None:
        for number in range(part, NAMES, 4):
            manager.update_namespace({f"loop_{number}": number}, "async")
            await asyncio.sleep(0)

    writers = [partial(update_one_by_one, manager, f"thread{one}", "thread") for one in range(THREADS)]
    threads = asyncio.create_task(asyncio.to_thread(run_in_threads, *writers))
    await asyncio.gather(*map(write, range(4)))
    await threads
    for writer in ("loop", *(f"thread{one}" for one in range(THREADS))):
        assert missing(manager, names_of(writer)) == {}
    assert wrong_names(manager) == set()
    assert manager.provenance("loop_7").context == Context.ASYNC  # type: ignore[union-attr]


def test_merges_of_disjoint_copies_lose_no_name(manager: AsyncNamespaceManager) -> None:
    run_in_threads(*(partial(merge_one_by_one, manager, f"t{one}", 200) for one in range(THREADS)))
    for one in range(THREADS):
        assert missing(manager, names_of(f"t{one}", 200)) == {}
    assert wrong_names(manager) == set()


def test_of_overlapping_copies_one_wins_whole(manager: AsyncNamespaceManager) -> None:
    """Each merge binds the same names, so under the lock they are always of one writer, who is on record."""
    shared = [f"shared_{number}" for number in range(20)]
    over = threading.Event()

    def write(writer: str) -> None:
        for number in range(300):
            execution_id = f"{writer}: {number}"
            manager.merge_thread_results(dict.fromkeys(shared, execution_id), {}, execution_id)

    def write_all() -> None:
        run_in_threads(*(partial(write, f"t{one}") for one in range(THREADS)))
        over.set()

    def watch() -> None:
        while not over.is_set():
            with manager.lock:
                values = {manager.live.get(name) for name in shared}
                writers = {getattr(manager.provenance(name), "execution_id", None) for name in shared}
            assert values == writers
            assert len(values) == 1

    run_in_threads(write_all, watch)


def test_the_record_says_who_wrote_however_many_write(manager: AsyncNamespaceManager) -> None:
    def write(writer: str) -> None:
        for _ in range(2_000):
            manager.merge_thread_results({"x": writer}, {}, writer)

    run_in_threads(*(partial(write, f"t{one}") for one in range(THREADS)))
    assert manager.provenance("x").execution_id == manager.live["x"]  # type: ignore[union-attr]


def test_executions_that_end_amid_updates_lose_no_name(bridge: ExecutionContextBridge) -> None:
    manager = bridge.namespace

    def execute(writer: str, isolate: bool) -> None:
        for number in range(200):
            bridge.execute_in_thread(f"{writer}_{number} = {number}; _ = 'mine'", writer, isolate=isolate)

    run_in_threads(
        *(partial(execute, f"live{one}", False) for one in range(2)),
        *(partial(execute, f"copy{one}", True) for one in range(2)),
        *(partial(update_one_by_one, manager, f"update{one}", "main") for one in range(2)),
    )
    for writer, count in {"live": 200, "copy": 200, "update": NAMES}.items():
        for one in range(2):
            assert missing(manager, names_of(f"{writer}{one}", count)) == {}
    assert wrong_names(manager) == set()


def test_the_last_exception_is_the_same_everywhere_when_executions_end_together(
    bridge: ExecutionContextBridge,
) -> None:
    manager = bridge.namespace

    def execute(code: str) -> None:
        for _ in range(200):
            with contextlib.suppress(ZeroDivisionError):
                bridge.execute_in_thread(code, "one")

    run_in_threads(*(partial(execute, code) for code in ("1 / 0", "pass", "1 / 0", "pass")))
    assert manager.live["_exception"] is manager.exception
    assert wrong_names(manager) == set()


def test_deletes_amid_updates_delete_only_what_they_say(manager: AsyncNamespaceManager) -> None:
    def write_and_delete(writer: str) -> None:
        for number in range(500):
            name = f"{writer}_{number}"
            manager.update_namespace({name: number}, "main")
            if number % 2:
                base = manager.namespace
                manager.merge_thread_results({n: v for n, v in base.items() if n != name}, base)

    def look() -> None:
        for _ in range(500):
            assert manager.namespace.keys() >= EMBEDDED_NAMES

    run_in_threads(*(partial(write_and_delete, f"t{one}") for one in range(THREADS)), look)
    for one in range(THREADS):
        kept = {name: number for name, number in names_of(f"t{one}", 500).items() if not number % 2}
        assert missing(manager, kept) == {}
        assert not any(manager.live.get(f"t{one}_{number}") for number in range(1, 500, 2))


def test_clearing_the_dict_amid_updates_never_loses_an_engine_name(bridge: ExecutionContextBridge) -> None:
    manager = bridge.namespace

    def clear() -> None:
        for _ in range(100):
            bridge.execute_in_thread("globals().clear()", "clearing", isolate=False)

    run_in_threads(clear, clear, partial(update_one_by_one, manager, "t", "main"))
    assert wrong_names(manager) == set()
    assert bridge.execute_in_thread("len('abc')", "next") == 3


def test_a_snapshot_is_whole_while_running_code_writes_without_the_lock(
    manager: AsyncNamespaceManager,
) -> None:
    over = threading.Event()

    def write() -> None:
        for number in range(20_000):
            manager.live[f"x_{number % 1000}"] = number
            manager.live.pop(f"x_{(number * 7) % 1000}", None)
        over.set()

    def look() -> None:
        while not over.is_set():
            for name in manager.namespace:
                assert isinstance(name, str)
            manager.close(manager.open(Context.MAIN), "one", Outcome())

    run_in_threads(write, look)
    assert wrong_names(manager) == set()


def test_coroutines_handed_in_from_everywhere_are_all_closed(manager: AsyncNamespaceManager) -> None:
    closed: list[int] = []
    over = threading.Event()

    def hand_in(writer: str) -> None:
        for number in range(300):
            manager.update_namespace({f"{writer}_{number}": answer(number)}, "async")

    def hand_in_all() -> None:
        run_in_threads(*(partial(hand_in, f"t{one}") for one in range(THREADS)))
        over.set()

    def clean() -> None:
        while not over.is_set():
            closed.append(manager.cleanup_coroutines())

    run_in_threads(hand_in_all, clean)
    assert sum(closed) + manager.cleanup_coroutines() == THREADS * 300
    assert manager.coroutines == []


def test_results_recorded_at_once_are_all_kept(bridge: ExecutionContextBridge) -> None:
    def execute(writer: str) -> None:
        for number in range(100):
            bridge.execute_in_thread(f"('{writer}', {number})", writer)

    run_in_threads(*(partial(execute, f"t{one}") for one in range(THREADS)))
    inputs, outputs = bridge.namespace.live["In"], bridge.namespace.live["Out"]
    assert len(inputs) == THREADS * 100 + 1
    assert {number: str(value) for number, value in outputs.items()} == dict(enumerate(inputs[1:], 1))


def test_the_last_three_results_are_of_the_last_three_executions(manager: AsyncNamespaceManager) -> None:
    """Each thread records one result; whatever the order, none may push another out."""
    for attempt in range(200):
        results = {f"{attempt}: {one}" for one in range(3)}
        acts: list[Callable[[], None]] = [partial(manager.record_result, result) for result in results]
        run_in_threads(*acts)
        assert {manager.live[name] for name in ("_", "__", "___")} == results
