"""Executions that overlap in one namespace: whose a change is, and which engine names are left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from namespace_kernel import AsyncNamespaceManager, CellChanges, Context, Outcome
from namespace_kernel.namespace.writers import View, changes_in


def begin(
    manager: AsyncNamespaceManager, name: str, source: str = "", context: Context = Context.MAIN
) -> View:
    return manager.open(context, name, source)


def end(manager: AsyncNamespaceManager, view: View, error: BaseException | None = None) -> CellChanges:
    return manager.close(view, view.execution_id, Outcome(error=error))


def writer_of(manager: AsyncNamespaceManager, name: str) -> str:
    provenance = manager.provenance(name)
    assert provenance is not None
    return provenance.execution_id


@pytest.mark.parametrize("source", ["x = 1", "del x", "for x in (1,): pass", "import x", "def x(): ..."])
def test_what_a_cell_that_still_runs_assigns_is_its_own(manager: AsyncNamespaceManager, source: str) -> None:
    manager.update_namespace({"x": 0}, "main")
    long = begin(manager, "long", source)
    short = begin(manager, "short", "y = 1")
    if source == "del x":
        del manager.live["x"]
    else:
        manager.live["x"] = 1
    manager.live["y"] = 1
    changes = end(manager, short)
    assert (changes.added, changes.rebound, changes.deleted) == ({"y": 1}, {}, frozenset())
    changes = end(manager, long)
    assert "x" in {*changes.rebound, *changes.deleted}
    assert writer_of(manager, "y") == "short"


def test_what_both_assign_is_the_first_s_to_end(manager: AsyncNamespaceManager) -> None:
    long = begin(manager, "long", "x = 1")
    short = begin(manager, "short", "x = 2")
    manager.live["x"] = 2
    assert end(manager, short).added == {"x": 2}
    assert writer_of(manager, "x") == "short"
    end(manager, long)
    assert writer_of(manager, "x") == "short"


def test_a_cell_that_runs_on_a_copy_takes_no_name_of_one_that_does_not(
    manager: AsyncNamespaceManager,
) -> None:
    copy = begin(manager, "on a copy", "x = 1", Context.ISOLATED)
    live = begin(manager, "here", "f()")
    manager.live["x"] = 2
    assert end(manager, live).added == {"x": 2}
    end(manager, copy)


@pytest.mark.parametrize(
    "source", ["globals().clear(); b = None", "del a, _i1; b = None", "b = globals().pop('a'); del _i1"]
)
def test_what_another_deleted_and_the_kernel_put_back_hides_no_change(
    manager: AsyncNamespaceManager, source: str
) -> None:
    manager.record_input("a = 1")
    manager.update_namespace({"a": None, manager.live.popitem()[0]: "a = 1"}, "engine")
    long = begin(manager, "long", "f()")
    short = begin(manager, "short", source)
    exec(source, short.namespace)
    end(manager, short)
    assert list(manager.live)[-1] == list(long.base)[-1] == "_i1"
    assert end(manager, long).deleted == {"a"}


def test_a_name_that_another_wrote_meanwhile_is_that_cell_s(manager: AsyncNamespaceManager) -> None:
    long = begin(manager, "long", "f()")
    short = begin(manager, "short", "x = 1")
    manager.live["x"] = 1
    end(manager, short)
    changes = end(manager, long)
    assert writer_of(manager, "x") == "short"
    assert changes.contested == {}, "it was found changed, not changed"


def test_it_is_contested_if_both_assign_it_or_the_later_one_bound_it_again(
    manager: AsyncNamespaceManager,
) -> None:
    views = {
        name: begin(manager, name, source)
        for name, source in {"assigns": "x = 1", "binds": "f()", "reads": "x"}.items()
    }
    short = begin(manager, "short", "x = 1")
    manager.live["x"] = object()
    end(manager, short)
    assert end(manager, views["reads"]).contested == {}
    assert end(manager, views["assigns"]).contested == {"x": "short"}
    manager.live["x"] = object()
    assert end(manager, views["binds"]).contested == {"x": "short"}


def test_what_a_cell_has_recorded_itself_while_it_ran_is_not_contested(
    manager: AsyncNamespaceManager,
) -> None:
    view = begin(manager, "cell", "x = 1")
    manager.merge_thread_results({"x": 1}, {}, "cell")
    assert end(manager, view).contested == {}


def test_a_cell_that_still_runs_is_not_named_for_what_another_has_written(
    manager: AsyncNamespaceManager,
) -> None:
    long = begin(manager, "long", "f()")
    short = begin(manager, "short", "x = 1")
    manager.live["x"] = 1
    end(manager, short)
    manager.live["y"] = 2
    written = manager.writers()
    assert (written["x"].cells, written["x"].running) == (("short",), False)
    assert (written["y"].cells, written["y"].running) == (("long",), True)
    end(manager, long)


@pytest.mark.parametrize("name", ["_", "__", "In", "_1", "_i1"])
def test_an_engine_name_that_a_running_cell_uses_is_set_right_at_that_cell_s_end(
    manager: AsyncNamespaceManager, name: str
) -> None:
    manager.record_input("1")
    manager.record_result("the result")
    right = manager.live[name]
    long = begin(manager, "long", f"for {name} in things: pass")
    short = begin(manager, "short", "x = 1")
    manager.live[name] = "of the loop"
    end(manager, short)
    assert manager.live[name] == "of the loop"
    assert end(manager, long).overwritten == {name}
    assert manager.live[name] is right


@pytest.mark.parametrize("record", ["record_result", "update_namespace"])
def test_the_last_result_is_not_put_under_a_cell_that_may_be_using_it(
    manager: AsyncNamespaceManager, record: str
) -> None:
    manager.record_input("1")
    long = begin(manager, "long")
    short = begin(manager, "short")
    if record == "record_result":
        manager.record_result("new")
    else:
        manager.update_namespace({"_result": "new"}, "async")
    assert manager.live["_"] is None
    end(manager, short)
    assert manager.live["_"] == "new"
    end(manager, long)
    manager.record_result("newer")
    assert (manager.live["_"], manager.live["__"]) == ("newer", "new")


def test_two_executions_that_are_equal_end_one_at_a_time(manager: AsyncNamespaceManager) -> None:
    first = begin(manager, "cell")
    manager._running.append(twin := replace(first))
    assert first == twin
    end(manager, first)
    assert manager._running == [twin] and manager._running[0] is twin


def test_a_cell_in_the_background_leaves_the_exception_alone(manager: AsyncNamespaceManager) -> None:
    error = ValueError()
    end(manager, begin(manager, "failed"), error)
    for outcome in (Outcome(), Outcome(error=KeyError())):
        manager.close(manager.open(Context.MAIN, "aside", aside=True), "aside", outcome)
        assert manager.live["_exception"] is manager.exception is error
    end(manager, begin(manager, "next"))
    assert manager.live["_exception"] is manager.exception is None


def test_an_engine_name_is_never_contested(manager: AsyncNamespaceManager) -> None:
    view = begin(manager, "elsewhere", "_ = 1", Context.ISOLATED)
    manager.record_input("1")
    manager.record_result("new")
    view.namespace["_"] = view.namespace["_1"] = "theirs"
    assert end(manager, view).contested == {}
    assert manager.live["_"] == manager.live["_1"] == "new"


def test_names_that_others_add_while_it_is_compared_are_no_obstacle() -> None:
    class Growing(dict[str, int]):
        def __getitem__(self, name: str) -> int:
            self["another's"] = 1
            return super().__getitem__(name)

    live = Growing(mine=1)
    assert changes_in(live, View(Context.MAIN, live, {}), True).added.keys() >= {"mine"}
