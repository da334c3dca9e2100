"""What runs now, in a list."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from namespace_kernel.attribution.child_processes import ChildProcesses
from namespace_kernel.base.lines import Place
from namespace_kernel.base.started import Started
from namespace_kernel.reports.activities import Activities
from tests.unit.fakes import PATIENCE, LoopUnderTest, SomeLines, execution_of


def activities_of(jobs: list[Future[Any]], home: LoopUnderTest) -> Activities:
    return Activities([], home.user_loop, ChildProcesses(), SomeLines("in {}"), jobs)


def started(job: Future[Any], name: str, thread_ident: int = 0) -> Future[Any]:
    record = Started(execution_of(), Place("cell", 1), name, thread_ident)
    job._namespace_kernel_started = record  # type: ignore[attr-defined]
    return job


def test_a_job_runs_or_waits_for_a_thread_and_then_is_gone(home: LoopUnderTest) -> None:
    begun, gate = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        gate.wait(PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        jobs = [started(pool.submit(work), "first()"), started(pool.submit(work), "second()")]
        assert begun.wait(PATIENCE)
        activities = activities_of(jobs, home)
        listed = [(one.kind, one.name, one.cell, one.state) for one in activities.jobs()]
        assert listed == [("job", "first()", "cell", "runs"), ("job", "second()", "cell", "waits")]
        assert not activities.cancel_job(activities.jobs()[0].number), "it runs"
        assert activities.cancel_job(activities.jobs()[1].number)
        gate.set()
    assert activities.jobs() == []


def test_where_a_job_stands_is_told_of_one_that_runs_only(home: LoopUnderTest) -> None:
    runs, waits = (started(Future(), name, threading.get_ident()) for name in ("runs()", "waits()"))
    runs.set_running_or_notify_cancel()
    activities = activities_of([runs, waits], home)
    first, second = activities.jobs()
    assert f"in {test_where_a_job_stands_is_told_of_one_that_runs_only.__name__}" in first.stack
    assert (second.line, second.stack) == ("", ())
