"""A name that was changed here while a cell changed it in its copy."""

from __future__ import annotations

from typing import Any

import pytest

from namespace_kernel import AsyncNamespaceManager, CellChanges, Context, ExecutionContextBridge, Outcome


def run_meanwhile(bridge: ExecutionContextBridge, here: str, there: dict[str, Any]) -> CellChanges:
    """Let a cell elsewhere make `there` of its copy (a value of `None` deletes) while `here` runs here."""
    manager = bridge.namespace
    view = manager.open(Context.ISOLATED, "elsewhere")
    bridge.execute_in_thread(here, "here")
    for name, value in there.items():
        view.namespace[name] = value
        if value is None:
            del view.namespace[name]
    return manager.close(view, "elsewhere", Outcome())


@pytest.fixture
def bridge(manager: AsyncNamespaceManager) -> ExecutionContextBridge:
    manager.update_namespace({"x": 0, "y": 0, "z": 0}, "main")
    return ExecutionContextBridge(manager)


def test_the_computed_value_is_kept_and_the_other_writer_named(bridge: ExecutionContextBridge) -> None:
    changes = run_meanwhile(bridge, "x = 1; z = 1", {"x": 2, "y": 2})
    live = bridge.namespace.live
    assert (live["x"], live["y"], live["z"]) == (2, 2, 1)
    assert changes.contested == {"x": "here"} and not changes.yielded
    written = [bridge.namespace.provenance(name) for name in "xyz"]
    assert [one and one.execution_id for one in written] == ["elsewhere", "elsewhere", "here"]


def test_or_the_current_one() -> None:
    manager = AsyncNamespaceManager(keeps_current=lambda: True)
    manager.update_namespace({"x": 0, "y": 0, "z": 0}, "main")
    bridge = ExecutionContextBridge(manager)
    changes = run_meanwhile(bridge, "x = 1; new = 1; del z", {"x": 2, "y": None, "new": 2, "z": 2})
    live = bridge.namespace.live
    assert (live["x"], live["new"], "y" in live, "z" in live) == (1, 1, False, False)
    assert changes.contested == {"x": "here", "new": "here", "z": "being deleted"} and changes.yielded
    writer = bridge.namespace.provenance("x")
    assert writer is not None and writer.execution_id == "here"


def test_a_deletion_is_a_change_like_any_other(bridge: ExecutionContextBridge) -> None:
    changes = run_meanwhile(bridge, "x = 1", {"x": None})
    assert "x" not in bridge.namespace.live and changes.contested == {"x": "here"}


def test_a_cell_that_still_runs_is_named_too(bridge: ExecutionContextBridge) -> None:
    manager = bridge.namespace
    running = manager.open(Context.MAIN, "still running", "x = 1")
    view = manager.open(Context.ISOLATED, "elsewhere")
    manager.live["x"] = 1
    view.namespace["x"] = 2
    assert manager.close(view, "elsewhere", Outcome()).contested == {"x": "still running"}
    manager.close(running, "still running", Outcome())


def test_what_both_made_the_same_and_what_failed_is_no_conflict(bridge: ExecutionContextBridge) -> None:
    shared = object()
    bridge.namespace.update_namespace({"shared": shared}, "main")
    assert run_meanwhile(bridge, "x = shared", {"x": shared}).contested == {}
    manager = bridge.namespace
    view = manager.open(Context.ISOLATED, "elsewhere")
    manager.update_namespace({"x": 5}, "main")
    view.namespace["x"] = 6
    assert manager.close(view, "elsewhere", Outcome(error=ValueError())).contested == {}
    assert manager.live["x"] == 5


def test_where_no_cell_can_run_elsewhere_it_says_so(bridge: ExecutionContextBridge) -> None:
    from namespace_kernel import Cell
    from namespace_kernel.base.execution import complete

    outcome = complete(bridge.execute(Cell("%%isolated\nx = 9", "cell")))
    assert "that takes the kernel" in str(outcome.error)
    assert bridge.namespace.live["x"] == 0
