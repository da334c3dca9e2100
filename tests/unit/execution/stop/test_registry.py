"""Which of the cells beside the foreground a Stop reaches."""

from __future__ import annotations

from namespace_kernel import Cell, Context, Route
from namespace_kernel.base.execution import Execution
from namespace_kernel.execution.stop.registry import SideCells


def cell(lane_id: str) -> Execution:
    return Execution(Cell("", "cell", lane_id=lane_id), Route(Context.MAIN, "a test says so", ""))


class Stopped(list[str]):
    """The lanes whose cells were stopped."""

    def of(self, lane_id: str) -> None:
        self.append(lane_id)


def registered(*lanes: str) -> tuple[SideCells, Stopped, dict[str, Execution]]:
    side_cells, stopped = SideCells(), Stopped()
    executions = {lane: cell(lane) for lane in lanes}
    for lane, execution in executions.items():
        side_cells.enter(execution, lambda lane=lane: stopped.of(lane))  # type: ignore[misc]
    return side_cells, stopped, executions


def test_all_that_run_are_stopped_and_named() -> None:
    side_cells, stopped, executions = registered("a", "b")
    assert side_cells.stop() == [*executions.values()]
    assert stopped == ["a", "b"]


def test_only_those_that_are_meant() -> None:
    side_cells, stopped, executions = registered("a", "b")
    assert side_cells.stop(lambda execution: execution.cell.lane_id == "b") == [executions["b"]]
    assert stopped == ["b"]


def test_one_that_has_left_is_not_stopped() -> None:
    side_cells, stopped, executions = registered("a", "b")
    assert side_cells.runs(executions["a"])
    side_cells.leave(executions["a"])
    assert not side_cells.runs(executions["a"])
    side_cells.stop()
    assert stopped == ["b"]


def test_a_stop_for_a_cell_to_come_is_kept_for_it_alone() -> None:
    side_cells, stopped, _ = registered()
    side_cells.expect("a")
    side_cells.expect("b")
    assert side_cells.stop(coming=lambda lane_id: lane_id == "a") == []
    side_cells.stop(coming=lambda lane_id: False)  # another one's does not take it back
    for lane in ("b", "a", "c"):
        side_cells.enter(cell(lane), lambda lane=lane: stopped.of(lane))  # type: ignore[misc]
    assert stopped == ["a"]
    side_cells.enter(cell("a"), lambda: stopped.of("the next of a"))
    assert stopped == ["a"]


def test_a_cell_that_never_comes_is_not_waited_for() -> None:
    side_cells, stopped, _ = registered()
    side_cells.expect("a")
    side_cells.stop(coming=lambda lane_id: True)
    side_cells.forget("a")
    side_cells.enter(cell("a"), lambda: stopped.of("a"))
    assert stopped == []


def test_it_is_known_which_were_stopped_just_before_also_of_those_that_came_later() -> None:
    side_cells, _, executions = registered("a", "b")
    later = cell("c")
    side_cells.expect("c")
    side_cells.stop(lambda execution: execution is executions["a"], coming=lambda lane_id: True)
    side_cells.enter(later, lambda: None)
    assert [side_cells.stopped_lately(one) for one in (*executions.values(), later)] == [True, False, True]
    side_cells.leave(later)
    assert not side_cells.stopped_lately(later)
