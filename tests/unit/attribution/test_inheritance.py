"""What a cell starts belongs to it: threads, and jobs of pools whose threads another cell has made start."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from namespace_kernel.attribution.inheritance import Inheritance
from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.patching import Patches
from namespace_kernel.base.started import note_start, started_of
from tests.unit.fakes import PATIENCE, execution_of

WHOSE: contextvars.ContextVar[str] = contextvars.ContextVar("whose", default="nobody's")


class House:
    """Inheritance in force, and what it says."""

    def __init__(self) -> None:
        self.inherits = True
        self.begun: list[int] = []
        self.ended: list[Execution] = []
        self.inheritance = Inheritance(
            [WHOSE],
            lambda: self.inherits,
            lambda filename: True,
            self.ended.append,
            lambda: self.begun.append(threading.get_ident()),
        )

    def cell(self, function: Callable[[], Any], name: str = "cell") -> tuple[Execution, Any]:
        """Call `function` as the code of a cell."""
        execution, context = execution_of(name=name), contextvars.copy_context()
        context.run(current_execution.set, execution)
        context.run(WHOSE.set, name)
        return execution, context.run(function)


@pytest.fixture
def house() -> Iterator[House]:
    one = House()
    with Patches(*one.inheritance.patches):
        yield one


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as one:
        yield one


def belongs_to() -> tuple[Execution | None, str, int]:
    return current_execution.get(), WHOSE.get(), threading.get_ident()


def run(thread: threading.Thread) -> threading.Thread:
    thread.start()
    thread.join(PATIENCE)
    return thread


def test_a_thread_is_its_starter_s_and_its_end_is_told(house: House) -> None:
    seen: list[Any] = []

    def work() -> None:
        assert house.ended == []
        seen.append(belongs_to())

    execution, thread = house.cell(lambda: run(threading.Thread(target=work)))
    assert seen == [(execution, "cell", thread.ident)]
    assert (house.begun, house.ended) == ([thread.ident], [execution])
    assert thread in execution.threads


def test_the_end_of_one_that_fails_is_told_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda details: None)
    execution, _ = house.cell(lambda: run(threading.Thread(target=lambda: 1 / 0)))
    assert house.ended == [execution]


def test_a_job_is_its_submitter_s_whoever_made_the_thread_start(
    house: House, pool: ThreadPoolExecutor
) -> None:
    first, made = house.cell(lambda: pool.submit(belongs_to).result(PATIENCE), "first")
    second, done = house.cell(lambda: pool.submit(belongs_to).result(PATIENCE), "second")
    ident = made[2]
    assert (made, done) == ((first, "first", ident), (second, "second", ident))
    assert pool.submit(belongs_to).result(PATIENCE) == (first, "first", ident), "the thread's own is back"
    assert house.ended == [first, second]
    assert house.begun.count(ident) >= 2


def test_what_a_job_starts_is_the_submitter_s(house: House, pool: ThreadPoolExecutor) -> None:
    class Task:
        """What a job may start."""

    def start() -> Task:
        task = Task()
        note_start(task, belongs_to, lambda filename: True)
        return task

    house.cell(lambda: pool.submit(belongs_to).result(PATIENCE), "who made the thread start")
    execution, task = house.cell(lambda: pool.submit(start).result(PATIENCE))
    started = started_of(task)
    assert started is not None and started.execution is execution


def test_a_job_that_runs_knows_its_thread_and_its_cell_has_it(house: House, pool: ThreadPoolExecutor) -> None:
    begun, gate = threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        gate.wait(PATIENCE)
        return threading.get_ident()

    execution, job = house.cell(lambda: pool.submit(work))
    assert begun.wait(PATIENCE)
    started = started_of(job)
    gate.set()
    assert started is not None and started.thread_ident == job.result(PATIENCE)
    assert set(execution.jobs) == set(house.inheritance.jobs) == {job}


@pytest.mark.parametrize("of_a_cell", [True, False])
def test_where_nothing_is_inherited_the_cell_is_known_all_the_same(house: House, of_a_cell: bool) -> None:
    house.inherits = False
    seen: list[Any] = []
    start = partial(run, threading.Thread(target=lambda: seen.append(belongs_to())))
    execution = house.cell(start)[0] if of_a_cell else None
    if not of_a_cell:
        start()
    assert [one[:2] for one in seen] == [(execution, "nobody's")]


def test_when_it_is_over_threads_and_jobs_are_python_s_own(pool: ThreadPoolExecutor) -> None:
    house, seen = House(), []
    with Patches(*house.inheritance.patches):
        pass
    jobs: list[Future[Any]] = []
    house.cell(lambda: run(threading.Thread(target=lambda: seen.append(belongs_to()[:2]))))
    house.cell(lambda: jobs.append(pool.submit(belongs_to)))
    assert (seen, jobs[0].result(PATIENCE)[:2]) == ([(None, "nobody's")], (None, "nobody's"))
    assert house.ended == []
