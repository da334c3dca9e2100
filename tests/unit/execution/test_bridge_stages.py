"""The six stages of a cell, in order, with small stand-ins for what does the work."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from namespace_kernel import (
    AsyncNamespaceManager,
    Cell,
    CellChanges,
    Context,
    ExecutionContextBridge,
    Outcome,
    Route,
)
from namespace_kernel.base.execution import Execution, complete
from namespace_kernel.execution.hooks import EMBEDDED_HOOKS, Settling, close_coroutines, log_leaks
from namespace_kernel.namespace.writers import View
from namespace_kernel.routing.router import Router

CELL = Cell("x = 1", "a cell")
STAGES = ["route", "open", "execute", "run", "merge", "settle 1", "settle 2"]


class Diary:
    """Every part of a bridge; each writes down when it is called, and with what."""

    def __init__(self, failing: str = "") -> None:
        self.stages: list[str] = []
        self.given: dict[str, tuple[Any, ...]] = {}
        self._failing = failing

    def note(self, stage: str, *given: Any) -> None:
        self.stages.append(stage)
        self.given[stage] = given
        if stage == self._failing:
            raise ZeroDivisionError(stage)


class NotingManager(AsyncNamespaceManager):
    def __init__(self, diary: Diary) -> None:
        super().__init__()
        self._diary = diary

    def open(self, context: Context, execution_id: str = "", source: str = "", aside: bool = False) -> View:
        self._diary.note("open", context)
        return super().open(context, execution_id, source, aside)

    def close(self, view: View, execution_id: str, outcome: Outcome) -> CellChanges:
        self._diary.note("merge", view, execution_id, outcome)
        return super().close(view, execution_id, outcome)


class NotingRouter(Router):
    def __init__(self, diary: Diary, context: Context) -> None:
        super().__init__()
        self._diary, self._context = diary, context

    def route(self, cell: Cell) -> Route:
        self._diary.note("route", cell)
        return Route(self._context, "the test says so", cell.code)


class NotingEngine:
    """Implements `engine.Engine`."""

    def __init__(self, diary: Diary) -> None:
        self._diary = diary

    async def run(self, cell: Cell, route: Route, namespace: dict[str, Any]) -> Outcome:
        self._diary.note("run", cell, route, namespace)
        namespace["x"] = 1
        return Outcome("the value")

    def show(self, cell: Cell, route: Route, error: BaseException) -> Outcome:
        self._diary.note("show", cell, route, error)
        return Outcome(error=error)


class NotingExecutor:
    """Implements `executor.Executor`."""

    def __init__(self, diary: Diary) -> None:
        self._diary = diary

    async def run(self, execution: Execution, body: Coroutine[Any, Any, Outcome]) -> Outcome:
        try:
            self._diary.note("execute", execution)
            return await body
        finally:
            body.close()


def bridge_of(diary: Diary, context: Context = Context.MAIN, **options: Any) -> ExecutionContextBridge:
    def first(settling: Settling) -> None:
        diary.note("settle 1", settling)

    def second(settling: Settling) -> None:
        diary.note("settle 2", settling)

    executors: Any = {one: NotingExecutor(diary) for one in Context}
    parts = {"engine": NotingEngine(diary), "executors": executors, "hooks": (first, second)} | options
    return ExecutionContextBridge(NotingManager(diary), router=NotingRouter(diary, context), **parts)


@pytest.mark.parametrize("context", [Context.MAIN, Context.ASYNC, Context.BACKGROUND, Context.ISOLATED])
def test_the_six_stages_happen_in_order(context: Context) -> None:
    diary = Diary()
    outcome = complete(bridge_of(diary, context).execute(CELL))
    assert diary.stages == STAGES
    assert outcome == Outcome("the value")


def test_a_route_that_is_given_is_not_asked_for() -> None:
    diary = Diary()
    route = Route(Context.ASYNC, "the caller says so", "other source")
    complete(bridge_of(diary).execute(CELL, route))
    assert diary.stages == STAGES[1:]
    assert diary.given["run"][1] is route


def test_every_stage_is_given_what_the_one_before_it_made() -> None:
    diary = Diary()
    bridge = bridge_of(diary)
    complete(bridge.execute(CELL))
    (execution,), (view, name, outcome) = diary.given["execute"], diary.given["merge"]
    assert execution.cell is CELL and execution.route is diary.given["run"][1]
    assert diary.given["run"][2] is view.namespace is bridge.namespace.live
    assert (name, outcome) == ("a cell", Outcome("the value"))
    (settling,) = diary.given["settle 1"]
    assert diary.given["settle 2"] == (settling,)
    assert settling.changes.added == {"x": 1}
    assert settling.execution is execution and settling.namespace is bridge.namespace


@pytest.mark.parametrize("failing", ["execute", "run"])
def test_an_executor_that_fails_ends_as_a_shown_error_and_the_later_stages_happen(failing: str) -> None:
    diary = Diary(failing)
    bridge = bridge_of(diary)
    outcome = complete(bridge.execute(CELL))
    assert isinstance(outcome.error, ZeroDivisionError)
    assert [stage for stage in diary.stages if stage != "run"] == [
        *STAGES[:3],
        "show",
        "merge",
        "settle 1",
        "settle 2",
    ]
    assert bridge.namespace.live["_exception"] is outcome.error


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_stop_around_the_users_code_is_an_outcome_like_any_other(stop: type[BaseException]) -> None:
    class Stopped:
        async def run(self, execution: Execution, body: Coroutine[Any, Any, Outcome]) -> Outcome:
            body.close()
            raise stop

    diary = Diary()
    outcome = complete(bridge_of(diary, executors={Context.MAIN: Stopped()}).execute(CELL))
    assert isinstance(outcome.error, stop)
    assert diary.stages == ["route", "open", "show", "merge", "settle 1", "settle 2"]


def test_an_engine_that_cannot_even_show_an_error_spoils_nothing_for_the_next_cell() -> None:
    class Speechless(NotingEngine):
        def show(self, cell: Cell, route: Route, error: BaseException) -> Outcome:
            raise RuntimeError("a formatter of the user's")

    bridge = bridge_of(Diary("execute"), engine=Speechless(Diary()))
    with contextlib.suppress(RuntimeError):
        complete(bridge.execute(CELL))
    later = ExecutionContextBridge(bridge.namespace)
    later.execute_in_thread("_ = 'mine'; del Out", "attack")
    assert later.namespace.live["_"] is None and later.namespace.live["Out"] == {}


@pytest.mark.parametrize("failing", ["settle 1", "settle 2"])
def test_a_hook_that_fails_stops_neither_the_others_nor_the_reply(
    failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    diary = Diary(failing)
    outcome = complete(bridge_of(diary).execute(CELL))
    assert diary.stages == STAGES
    assert outcome == Outcome("the value")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("namespace_kernel", logging.ERROR)
    assert "post-cell hook" in record.message and record.exc_info is not None


def test_hooks_run_in_their_order_and_the_last_outcome_is_the_reply() -> None:
    seen: list[Any] = []

    def double(settling: Settling) -> None:
        seen.append(settling.outcome.value)
        settling.outcome = replace(settling.outcome, value=settling.outcome.value * 2)

    bridge = ExecutionContextBridge(AsyncNamespaceManager(), hooks=(double, double, double))
    assert bridge.execute_in_thread("1", "one") == 8
    assert seen == [1, 2, 4]


def test_an_embedder_gets_coroutines_closed_before_they_are_reported() -> None:
    assert (close_coroutines, log_leaks) == EMBEDDED_HOOKS
    assert ExecutionContextBridge(AsyncNamespaceManager()).hooks == EMBEDDED_HOOKS


@pytest.mark.parametrize("succeeds", [True, False])
def test_hooks_find_the_engine_names_right_already(succeeds: bool) -> None:
    found: list[Any] = []

    def look(settling: Settling) -> None:
        live = settling.namespace.live
        found.extend([live["_"], live["_exception"] is settling.outcome.error, settling.changes.overwritten])

    bridge = ExecutionContextBridge(AsyncNamespaceManager(), hooks=(look,))
    code = "_ = 'mine'; " + ("None" if succeeds else "1 / 0")
    complete(bridge.execute(Cell(code, "attack"), Route(Context.CALLER, "", code)))
    assert found == [None, True, {"_"}]


def test_routing_and_hooks_run_in_the_context_that_was_given() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")
    seen: list[str] = []
    context = contextvars.copy_context()
    context.run(variable.set, "inside")

    class LookingRouter(Router):
        def route(self, cell: Cell) -> Route:
            seen.append(variable.get())
            return Route(Context.CALLER, "", cell.code)

    def look(settling: Settling) -> None:
        seen.append(variable.get())
        variable.set("set by a hook")

    bridge = ExecutionContextBridge(
        AsyncNamespaceManager(), router=LookingRouter(), hooks=(look, look), context=context
    )
    complete(bridge.execute(CELL))
    assert seen == ["inside", "inside", "set by a hook"]
    assert variable.get() == "outside"


def test_what_suspends_where_no_loop_drives_it_is_closed_and_said() -> None:
    closed: list[bool] = []

    async def suspending() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(True)

    with pytest.raises(RuntimeError, match="no event loop drives it"):
        complete(suspending())
    assert closed == [True]
