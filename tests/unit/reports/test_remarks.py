"""What the receipt says a cell left behind."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import Future

import pytest

from namespace_kernel.base.cell import CellChanges, Context, Outcome
from namespace_kernel.base.lines import Leak, Place, ToldCalls
from namespace_kernel.base.started import Started
from namespace_kernel.execution.hooks import Settling, close_coroutines
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from tests.unit.fakes import execution_of
from tests.unit.reports.receipts import LEAK, Shown, job, settle


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_leaks_are_told_by_line_and_counted(shown: Shown) -> None:
    other = Leak("main.<locals>.g", "cell", 7)
    settle(shown, execution_of(), LEAK, other, LEAK)
    assert shown.texts[0].splitlines() == [
        "line 3: `f()` was called without `await` 2 times, so it did not run. Use `await f()`",
        "line 7: `g()` was called without `await`, so it did not run. Use `await g()`",
    ]


def test_calls_that_the_traceback_tells_of_are_left_out(shown: Shown) -> None:
    execution = execution_of()
    execution.keep(ToldCalls()).update([Leak("f", "cell", 3), Leak("h", "cell", 5)])
    leaks = [Leak("f", "cell", 4), Leak("main.f", "other", 3), Leak("main.<locals>.h", "", 0)]
    settle(shown, execution, LEAK, LEAK, *leaks)
    assert [line[:10] for line in shown.texts[0].splitlines()] == ["line 4: `f", "line 3: `m"]


def test_what_still_runs_is_listed_five_at_a_time_and_told_again_as_it_ends(shown: Shown) -> None:
    execution = execution_of()
    jobs = [job(execution, f"work{n}()", n) for n in range(7)]
    settle(shown, execution)
    assert shown.texts[-1].startswith(
        "7 jobs still ran when the cell ended: `work0()`, line 0; `work1()`, line 1; "
    )
    assert shown.texts[-1].endswith("; and 2 more")
    for one in jobs[1:]:
        one.set_result(None)
    shown.receipts.refresh(execution)
    shown.catch_up()
    assert shown.texts[-1].endswith("; and 2 more. 6 have ended since")
    jobs[0].set_result(None)
    shown.receipts.show(execution)
    assert shown.texts[-1].startswith("7 jobs ended after the cell: `work0()`, line 0; ")


def test_of_a_job_it_says_whether_it_runs_or_waits_for_a_thread(shown: Shown) -> None:
    execution = execution_of()
    jobs = [job(execution, "first()"), job(execution, "second()")]
    jobs[0].set_running_or_notify_cancel()
    settle(shown, execution)
    first, second = re.findall("<tr.*?</tr>", shown.published[-1][1]["text/html"])[:2]
    assert "<code>first()</code>" in first and ">runs<" in first and "%stop" not in first
    assert "<code>second()</code>" in second and ">waits for a thread<" in second and "%stop job" in second


def test_what_ends_before_the_receipt_is_shown_is_not_in_it(shown: Shown) -> None:
    execution = execution_of()
    one = job(execution)
    shown.receipts.jobs(execution)
    one.set_result(None)
    execution.settled = True
    shown.receipts.show(execution)
    assert shown.published == []


def test_what_a_library_started_for_itself_is_not_told(shown: Shown) -> None:
    execution = execution_of()
    one: Future[None] = Future()
    one._namespace_kernel_started = Started(execution, None, "monitor()")  # type: ignore[attr-defined]
    execution.jobs.add(one)
    execution.jobs.add(Future())
    settle(shown, execution)
    assert shown.published == []


def test_a_task_that_is_being_cancelled_is_not_told(shown: Shown) -> None:
    async def check() -> None:
        execution = execution_of()
        task = asyncio.create_task(asyncio.sleep(60))
        task._namespace_kernel_started = Started(execution, Place("cell", 1), "sleep()")  # type: ignore[attr-defined]
        execution.tasks.add(task)
        await asyncio.sleep(0)
        task.cancel()
        settle(shown, execution)
        await asyncio.wait([task])

    asyncio.run(check())
    assert shown.published == []


@pytest.mark.parametrize(
    ("overwritten", "said"),
    [
        ("_", "`_` is reserved for the last result"),
        ("__", "`__` is reserved for the last result but one"),
        ("_ __", "`_` and `__` are reserved for the kernel"),
        ("_ __ In", "`In`, `_` and `__` are reserved for the kernel"),
    ],
)
def test_names_of_the_kernel_s(overwritten: str, said: str, shown: Shown) -> None:
    code = "; ".join(f"{name} = 5" for name in [*overwritten.split(), "x"])
    settle(shown, execution_of(code), overwritten=overwritten + " Out")
    assert shown.texts[0].startswith(f"{said}; your value")


def test_overwritten_names_are_still_known_when_coroutines_were_closed() -> None:
    manager = AsyncNamespaceManager()

    async def f() -> None: ...

    view = manager.open(Context.MAIN)
    manager.live.update({"_": 5, "x": f()})
    changes = manager.close(view, "cell", Outcome())
    settling = Settling(manager, execution_of("_ = 5; x = f()"), Outcome(), changes)
    del changes
    close_coroutines(settling)
    assert settling.changes == CellChanges(overwritten=frozenset(("_",)))
    assert "deferred" in repr(manager.live["x"])
    assert view.base == {}, "what the cell let go of is not kept"
