"""pyplot's figures as a cell sees them that overlaps with others, and the backends' notes on what to show."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.figure import Figure

from namespace_kernel.base.cell import Cell, Context, Route
from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.patching import Patches
from namespace_kernel.ipython.figures import CellFigures, Pending, figure_patches, is_figures_hook

T = TypeVar("T")


class Manager:
    """As much of a figure's manager as `Gcf` uses."""

    def __init__(self, num: int) -> None:
        self.num = num
        self.destroyed = False
        self._cidgcf = 0
        self.canvas = self
        self.figure = Figure()

    def mpl_disconnect(self, number: int) -> None:
        pass

    def destroy(self) -> None:
        self.destroyed = True


class Cells:
    """Cells that overlap."""

    def __init__(self) -> None:
        self.at_work: set[Execution] = set()

    def begin(self, name: str) -> Execution:
        execution = Execution(Cell("", name), Route(Context.MAIN, "", ""))
        self.at_work.add(execution)
        return execution

    def end(self, execution: Execution) -> None:
        self.at_work.discard(execution)


def run(execution: Execution | None, function: Callable[..., T], *args: Any) -> T:
    """Call `function` as code of that cell."""
    context = contextvars.copy_context()
    context.run(current_execution.set, execution)
    return context.run(function, *args)


@pytest.fixture
def cells() -> Cells:
    return Cells()


@pytest.fixture
def figures(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> CellFigures:
    """What stands in the place of pyplot's own dict."""
    figures = CellFigures(OrderedDict(), cells.at_work)
    monkeypatch.setattr(Gcf, "figs", figures)
    return figures


def make(execution: Execution | None, number: int) -> Manager:
    manager = Manager(number)
    run(execution, Gcf.set_active, manager)
    return manager


def seen(execution: Execution | None) -> list[Any]:
    return run(execution, Gcf.get_all_fig_managers)


def active(execution: Execution | None) -> Any:
    return run(execution, Gcf.get_active)


def test_cells_one_after_the_other_share_all_figures(cells: Cells, figures: CellFigures) -> None:
    one = cells.begin("one")
    first, second = make(one, 1), make(one, 2)
    cells.end(one)
    two = cells.begin("two")
    assert seen(two) == [first, second] and active(two) is second
    run(two, Gcf.get_fig_manager, 1)
    assert active(two) is first and run(two, lambda: sorted(Gcf.figs)) == [1, 2]
    cells.end(two)
    assert active(cells.begin("three")) is active(None) is first


def test_cells_that_overlap_see_their_own(cells: Cells, figures: CellFigures) -> None:
    one, two = cells.begin("one"), cells.begin("two")
    old = make(None, 7)
    first, second = make(one, 1), make(two, 1)
    assert seen(one) == [old, first] and seen(two) == [old, second] and seen(None) == [old]
    run(two, Gcf.destroy_all)
    assert seen(one) == [first] and seen(two) == [] and not first.destroyed
    assert old.destroyed and second.destroyed


def test_each_has_its_current_figure(cells: Cells, figures: CellFigures) -> None:
    left, right = make(None, 1), make(None, 2)
    one, two = cells.begin("one"), cells.begin("two")
    run(one, Gcf.get_fig_manager, 1)
    run(two, Gcf.get_fig_manager, 2)
    assert (active(one), active(two)) == (left, right)
    run(two, Gcf.get_fig_manager, 1)
    run(one, Gcf.get_fig_manager, 2)
    assert (active(one), active(two)) == (right, left)
    run(two, Gcf.destroy, 2)
    assert (active(one), active(two)) == (None, left) and figures.get(2) is None
    run(two, Gcf.destroy_all)
    assert active(one) is None is active(None)


def test_an_older_figure_that_a_cell_has_made_the_current_one_is_its_own_but_found_by_number(
    cells: Cells, figures: CellFigures
) -> None:
    left, right = make(None, 1), make(None, 2)
    one, two = cells.begin("one"), cells.begin("two")
    run(one, Gcf.get_fig_manager, 1)
    assert seen(two) == [right] and set(seen(one)) == {left, right}
    assert active(two) is right and run(two, lambda: figures[1]) is left
    run(two, Gcf.destroy_all)
    assert seen(one) == [left] and right.destroyed and not left.destroyed
    assert run(two, Gcf.get_fig_manager, 1) is left and seen(two) == [left]
    cells.end(one)
    assert seen(two) == [left]


def test_of_two_figures_with_one_number_one_gets_another(cells: Cells, figures: CellFigures) -> None:
    one, two, three = cells.begin("one"), cells.begin("two"), cells.begin("three")
    own, other, third = make(one, 1), make(two, 1), make(three, 1)
    cells.end(two)
    assert run(one, lambda: (figures[1], figures[other.num])) == (own, other)
    assert other.num not in (1, own.num)
    cells.end(one)
    cells.end(three)
    assert {one.num for one in seen(None)} == set(figures) and len(figures) == 3
    for manager in (own, other, third):
        Gcf.destroy(manager)
        assert manager not in seen(None)
    assert not figures


def test_what_a_task_makes_after_its_cell_is_its_own_while_it_runs(
    cells: Cells, figures: CellFigures
) -> None:
    loop = asyncio.new_event_loop()
    one = cells.begin("one")
    before = make(one, 1)
    cells.end(one)
    task = loop.create_task(asyncio.sleep(0))
    one.tasks.add(task)
    late = make(one, 2)
    two = cells.begin("two")
    assert seen(two) == [before] and seen(one) == [before, late]
    loop.run_until_complete(task)
    loop.close()
    assert seen(two) == [before, late]


def test_a_dead_cell_s_figure_is_everybody_s(cells: Cells, figures: CellFigures) -> None:
    one = cells.begin("one")
    made = make(one, 1)
    cells.end(one)
    del one
    assert seen(None) == [made]


def test_it_is_the_mapping_that_matplotlib_uses(figures: CellFigures) -> None:
    first, second, third = (make(None, number) for number in (1, 2, 3))
    assert list(figures) == [1, 2, 3] and list(reversed(figures)) == [3, 2, 1]
    assert list(figures.values()) == [first, second, third]
    assert next(reversed(figures.values())) is third
    assert sorted(figures.items())[0] == (1, first)
    figures.move_to_end(1)
    assert list(figures) == [2, 3, 1]
    figures.move_to_end(3, last=False)
    assert list(figures) == [3, 2, 1] and 2 in figures and 4 not in figures
    assert figures.pop(2) is second and figures.pop(2, None) is None
    figures.clear()
    assert not figures and Gcf.get_active() is None


def test_threads_at_work_at_once_lose_nothing(cells: Cells, figures: CellFigures) -> None:
    wrong: list[Any] = []

    def work(name: str) -> None:
        execution = cells.begin(name)
        for number in range(200):
            made = make(execution, number % 3)
            if active(execution) is not made or seen(execution)[-1] is not made:
                wrong.append((name, number))
            run(execution, Gcf.destroy_all)

    threads = [threading.Thread(target=work, args=(f"cell {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and figures._figures == []


# --- the backends' notes


@pytest.fixture
def show(cells: Cells) -> Any:
    """What stands in the place of the backend's function."""

    def show(close: bool | None = None, block: object = None) -> str:
        """Show all."""
        return f"shown, {close}"

    show._draw_called, show._to_draw = False, []  # type: ignore[attr-defined]
    return Pending(show, [], cells.at_work)


def note(show: Any, figure: str) -> None:
    """What a backend does when it makes a figure."""
    show._to_draw.append(figure)
    show._draw_called = True


def told(show: Any) -> tuple[bool, list[Any]]:
    return show._draw_called, list(show._to_draw)


def shown(show: Any) -> None:
    show._to_draw = []
    show._draw_called = False


def test_each_has_its_own_notes(cells: Cells, show: Any) -> None:
    one, two = cells.begin("one"), cells.begin("two")
    run(one, note, show, "first")
    assert run(two, told, show) == (False, [])
    run(two, note, show, "second")
    run(two, shown, show)
    assert run(one, told, show) == (True, ["first"]) and run(two, told, show) == (False, [])
    assert run(None, told, show) == (False, [])


def test_what_has_not_been_shown_at_a_cell_s_end_the_next_one_shows(cells: Cells, show: Any) -> None:
    one, two = cells.begin("one"), cells.begin("two")
    run(one, note, show, "first")
    run(two, note, show, "second")
    cells.end(one)
    assert run(two, told, show) == (True, ["first", "second"])
    run(two, shown, show)
    cells.end(two)
    assert run(None, told, show) == (False, [])


def test_it_is_the_function_that_it_stands_for(show: Any) -> None:
    assert show(True) == "shown, True"
    assert (show.__name__, show.__doc__) == ("show", "Show all.")
    assert list(inspect.signature(show).parameters) == ["close", "block"]
    show._to_draw.append("figure")
    show._to_draw.remove("figure")
    assert show._to_draw == []


def test_only_matplotlib_s_own_functions_are_its_hooks() -> None:
    class Answering:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError("asked")

    assert not any(map(is_figures_hook, (Answering(), print, show, len, Answering)))


@pytest.mark.parametrize(
    "names",
    [
        "",
        "Gcf = show = None",
        "class Gcf: figs = {}",
        "class Gcf: pass\nclass show: _draw_called = 1",
        "def show(): 'notes nothing'",
    ],
)
def test_a_matplotlib_of_another_shape_is_left_alone(names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("of another shape")
    exec(names, vars(module))
    monkeypatch.setitem(sys.modules, "matplotlib._pylab_helpers", module)
    monkeypatch.setitem(sys.modules, "matplotlib_inline.backend_inline", module)
    before = {name: dict(getattr(value, "__dict__", {})) for name, value in vars(module).items()}
    Patches(*figure_patches(set())).install()
    assert {name: dict(getattr(value, "__dict__", {})) for name, value in vars(module).items()} == before


def test_what_pyplot_and_its_backend_have_is_given_to_cells_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gcf, "figs", OrderedDict())
    backend = ModuleType("matplotlib_inline.backend_inline")
    exec("def show(): pass\nshow._draw_called, show._to_draw = True, ['figure']", vars(backend))
    monkeypatch.setitem(sys.modules, backend.__name__, backend)
    Patches(*figure_patches(set())).install()
    figures, show = Gcf.figs, backend.show
    assert type(figures) is CellFigures
    assert type(show) is Pending and told(show) == (True, ["figure"])
    Patches(*figure_patches(set())).install()
    assert Gcf.figs is figures and backend.show is show
