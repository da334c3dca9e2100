"""The store under operations that overlap: what it comes to is what they come to in some order.

The interpreter switches as often as it can, and whoever takes the lock or lets it go waits a little.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count, permutations
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from namespace_kernel import AsyncNamespaceManager, ExecutionContextBridge
from namespace_kernel.namespace import manager
from tests.trust.figures import Trial
from tests.trust.machines import run_machine
from tests.trust.store_model import Error, Model, State, Store
from tests.unit.fakes import run_in_threads

STEPS = 30
#: How many cells each thread runs before all wait for each other.
CELLS_AT_ONCE = 25
#: So many states are followed: where several explain what was seen, what comes later decides. Rare is more
#: than a handful; with too few the right one would be lost, and the next look find no explanation.
MOST_MODELS = 100

NAMES = st.sampled_from([f"n_{number}" for number in range(8)])
ENGINE = st.sampled_from(["_", "__", "In", "Out", "_exit_code", "_i1", "_1", "_exception", "exit"])
FEW = st.sets(NAMES, max_size=3).map(sorted)
SABOTAGE = st.sets(ENGINE, max_size=1).map(sorted)

Operation = tuple[str, tuple[Any, ...]]


class HesitantLock:
    """The lock that it is given; who comes or goes hesitates, so that another comes in between."""

    def __init__(self, lock: Any, rng: random.Random) -> None:
        self._lock, self._rng = lock, rng

    def _hesitate(self) -> None:
        if self._rng.random() < 0.5:
            time.sleep(self._rng.choice((0, 0, 1e-5, 2e-4)))

    def __enter__(self) -> None:
        self._hesitate()
        self._lock.acquire()
        self._hesitate()

    def __exit__(self, *details: object) -> None:
        self._hesitate()
        self._lock.release()
        self._hesitate()


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is meant for large namespaces is done in small ones."""
    monkeypatch.setattr(manager, "MANY", 0)


@pytest.fixture(autouse=True)
def eager_switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class Overlapping(RuleBasedStateMachine):
    """Gathers operations, runs them at once, and looks which order explains what is there."""

    trial: Trial
    rng: random.Random

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.store.manager._lock = HesitantLock(self.store.manager._lock, self.rng)  # type: ignore[assignment]
        self.models = [Model()]
        self.gathered: list[Operation] = []
        self._numbers = count(1)
        self._cells: list[int] = []
        #: Those of which no operation has been gathered: what one cell does is in order.
        self._free: list[int] = []
        #: What the cells may bind of which the text tells it.
        self._foreseen: dict[int, frozenset[str]] = {}

    def _value(self) -> str:
        return f"value {next(self._numbers)}"

    def _gather(self, name: str, *arguments: Any) -> None:
        self.trial.count_tries(1)
        self.gathered.append((name, arguments))
        if len(self.gathered) == 3:
            self.run_at_once()

    def _named(self, *names: list[str]) -> dict[str, str]:
        return {name: self._value() for some in names for name in some}

    @rule(
        names=FEW, engine=SABOTAGE, context=st.sampled_from(["async", "thread", "main"]), result=st.booleans()
    )
    def update(self, names: list[str], engine: list[str], context: str, result: bool) -> None:
        self._gather("update", self._named(names, engine, ["_result"] if result else []), context)

    @rule(names=FEW, engine=SABOTAGE, deleted=FEW)
    def merge(self, names: list[str], engine: list[str], deleted: list[str]) -> None:
        self._gather("merge", self._named(names, engine), set(deleted) - {*names}, self._value())

    @rule()
    def record(self) -> None:
        self._gather("record", self._value(), self._value())

    @rule(code=st.integers(0, 9))
    def exit(self, code: int) -> None:
        self._gather("exit", code)

    @rule()
    def reset(self) -> None:
        self._gather("reset")

    @rule(live=st.booleans(), assigns=FEW, aside=st.booleans(), foreseen=st.booleans())
    def open(self, live: bool, assigns: list[str], aside: bool, foreseen: bool) -> None:
        key = next(self._numbers)
        self._cells.append(key)
        if live and foreseen:
            self._foreseen[key] = frozenset(assigns)
        self._gather("open", key, live, frozenset(assigns), aside, foreseen)

    def _cell(self, number: int) -> int | None:
        return self._free[number % len(self._free)] if self._free else None

    @rule(number=st.integers(0, 9), names=FEW, engine=SABOTAGE, deleted=FEW, odd=st.booleans())
    def write(self, number: int, names: list[Any], engine: list[str], deleted: list[str], odd: bool) -> None:
        if (key := self._cell(number)) is not None:
            self._free.remove(key)
            if (may_bind := self._foreseen.get(key)) is not None:
                names, deleted, engine = sorted(may_bind)[:1] if names else [], sorted(may_bind)[:1], []
            elif odd:
                names = [7]  # no name
            # One step of code, as a cell's are not merged at once, but each is whole.
            (written, gone) = ([names[0]], []) if names else (engine[:1], deleted[:1])
            self._gather("write", key, self._named(written), {*gone} - {*written} if not written else set())

    @rule(number=st.integers(0, 9), fails=st.booleans())
    def close(self, number: int, fails: bool) -> None:
        if (key := self._cell(number)) is not None:
            self._free.remove(key)
            self._cells.remove(key)
            self._gather("close", key, Error() if fails else None)

    @rule()
    def run_at_once(self) -> None:
        """Run what was gathered, each operation on a thread of its own."""
        if not self.gathered:
            return
        operations, self.gathered = self.gathered, []
        run_in_threads(*(_call(self.store, one) for one in operations))
        seen = self.store.state()
        explained: list[Model] = []
        for model in _orders(self.models, operations, seen):
            if model not in explained:
                explained.append(model)
        assert explained, f"no order of {operations} explains {seen}; before: {self.models[0].state()}"
        self.models = explained[:MOST_MODELS]
        self._free = list(self._cells)
        if not self._cells and {name for name, _ in operations} <= {"merge", "close", "reset"}:
            assert self.store.wrong_engine_names() == {}, operations

    def teardown(self) -> None:
        self.run_at_once()
        for key in list(self._cells):
            self._cells.remove(key)
            self._gather("close", key, None)
            self.run_at_once()
        self._gather("merge", {"_": "of a cell"}, set(), "the last")
        self.run_at_once()


def _call(store: Store | Model, operation: Operation) -> Callable[[], None]:
    name, arguments = operation
    return lambda: getattr(store, name)(*arguments)


def _orders(models: list[Model], operations: list[Operation], seen: State) -> Iterator[Model]:
    for order in permutations(operations):
        for model in models:
            after = model.copy()
            for operation in order:
                _call(after, operation)()
            if after.state() == seen:
                yield after


@pytest.mark.trust(
    "merges",
    "Operations on the namespace that overlap come to what they come to in some order: names, engine names,"
    " history, who wrote what, deletions",
    tries=20_000,
    short=1_000,
    unit="operations",
)
def test_operations_that_overlap_come_to_what_some_order_does(trial: Trial) -> None:
    Overlapping.trial = trial
    run_machine(
        Overlapping,
        trial,
        steps=STEPS,
        examples=50,
        most_violations=4,
        shrinks=trial.long,
        before=lambda number: setattr(Overlapping, "rng", trial.random(number)),
    )


@pytest.mark.trust(
    "histories",
    "Cells that overlap, each on a copy, see the namespace as it was at one moment, and what they read was"
    " the newest that had been written in some order of the cells",
    tries=10_000,
    short=600,
    unit="cells",
)
def test_the_history_of_overlapping_cells_has_an_order(trial: Trial) -> None:
    store = AsyncNamespaceManager()
    store._lock = HesitantLock(store._lock, trial.random())  # type: ignore[assignment]
    bridge = ExecutionContextBridge(store)
    store.update_namespace({"x": 0, "y": 0})
    #: Number of a cell → when it began and ended, and what it read. Cell 0 wrote before all.
    history: dict[int, tuple[float, float, int, int]] = {0: (-1.0, -0.5, 0, 0)}
    numbers = count(1)

    def work() -> None:
        for _ in range(CELLS_AT_ONCE):
            number = next(numbers)
            began = time.monotonic()
            code = f"read = x, y\nx = {number}\ny = {number}\nread"
            x, y = bridge.execute_in_thread(code, str(number), isolate=True)
            history[number] = (began, time.monotonic(), x, y)

    for _ in range(max(1, trial.count // (4 * CELLS_AT_ONCE))):
        run_in_threads(*[work] * 4)
    writes = sorted(history.items(), key=lambda item: item[1][1])
    trial.count_tries(len(history) - 1)
    for number, (began, ended, x, y) in history.items():
        with trial.holding(f"cell {number}"):
            assert x == y, f"it read x of cell {x} and y of cell {y}"
            if number:
                assert history[x][0] < ended, f"it read what cell {x} had not begun to write"
                hidden = [
                    other
                    for other, (begun, over, _, _) in _between(writes, history[x][1], began)
                    if begun > history[x][1] and over < began
                ]
                assert not hidden, f"it read what cell {x} wrote, after cells {hidden[:3]} wrote"
    with trial.holding("at the end"):
        assert store.live["x"] == store.live["y"]
        assert store.provenance("x") == store.provenance("y")
        assert threading.active_count() < 50


def _between(
    writes: list[tuple[int, tuple[float, float, int, int]]], after: float, before: float
) -> Iterator[tuple[int, tuple[float, float, int, int]]]:
    return (item for item in writes if after < item[1][1] < before)
