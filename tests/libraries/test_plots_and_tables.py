"""matplotlib's inline figures and pandas' tables: shown once, under the cell that made them."""

from __future__ import annotations

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook
from tests.libraries.steps import ok, result

BEGINS = {"plain": "", "awaiting": "import asyncio; await asyncio.sleep(0)\n"}
each_kind = pytest.mark.parametrize("begin", BEGINS.values(), ids=BEGINS)


def figures(cell: Cell) -> int:
    return sum("image/png" in data for data in cell.displays)


@pytest.fixture
def plotting(notebook: Notebook) -> Notebook:
    """A kernel with pyplot, configured by nobody."""
    ok(notebook, "import asyncio, matplotlib.pyplot as plt")
    return notebook


@each_kind
def test_a_figure_is_shown_once_at_the_end_of_its_cell(begin: str, plotting: Notebook) -> None:
    cell = ok(plotting, f"{begin}plt.plot([1, 2, 3]);")
    assert figures(cell) == 1
    assert figures(ok(plotting, begin + "1")) == 0
    assert result(plotting, "plt.get_fignums()") == "[]"


@each_kind
def test_show_puts_a_figure_between_the_lines(begin: str, plotting: Notebook) -> None:
    cell = ok(plotting, f"{begin}print('before', flush=True)\nplt.plot([1, 2]); plt.show()\nprint('after')")
    assert [kind for kind, _ in cell.outputs] == ["stream", "display_data", "stream"]


@each_kind
def test_several_figures_are_all_shown(begin: str, plotting: Notebook) -> None:
    cell = ok(plotting, f"{begin}for n in range(3): plt.figure(); plt.plot([n])")
    assert figures(cell) == 3


def test_magic_and_format_are_honoured_in_either_kind_of_cell(fresh_notebook: Notebook) -> None:
    ok(fresh_notebook, "%matplotlib inline\n%config InlineBackend.figure_formats = ['svg']")
    for begin in BEGINS.values():
        cell = ok(fresh_notebook, f"{begin}import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
        assert ["image/svg+xml" in data for data in cell.displays] == [True]


def test_a_figure_that_a_task_shows_appears_under_the_task_s_cell(plotting: Notebook) -> None:
    started = ok(
        plotting,
        """\
async def draw():
    await asyncio.sleep(.01)
    plt.plot([1, 2]); plt.show()
    print("drawn")
task = asyncio.create_task(draw())""",
    )
    waited = plotting.run("await task")  # where drawing takes half a second, it says what it waits for
    started.wait_for_text("drawn\n")
    assert (figures(started), figures(waited), waited.status) == (1, 0, "ok")


def test_a_figure_that_failed_code_has_begun_is_shown_all_the_same(plotting: Notebook) -> None:
    cell = plotting.run("plt.plot([1, 2]); 1 / 0")
    assert cell.error == ("ZeroDivisionError", "division by zero")
    assert figures(cell) == 1


def test_one_figure_is_filled_over_several_cells_of_both_kinds(plotting: Notebook) -> None:
    assert figures(ok(plotting, "figure, axes = plt.subplots()")) == 1
    ok(plotting, "await asyncio.sleep(0); axes.plot([1, 2]);")
    assert result(plotting, "len(axes.lines)") == "1"
    assert figures(ok(plotting, "display(figure)")) == 1
    assert figures(ok(plotting, "await asyncio.sleep(0); display(figure)")) == 1


@each_kind
def test_a_data_frame_is_shown_as_a_table(begin: str, notebook: Notebook) -> None:
    ok(notebook, "import pandas as pd")
    cell = ok(
        notebook,
        f"{begin}frame = pd.DataFrame({{'name': ['Ada', 'Bob'], 'n': [1, 2]}})\ndisplay(frame)\nframe",
    )
    shown = [content["data"] for kind, content in cell.outputs]
    assert [kind for kind, _ in cell.outputs] == ["display_data", "execute_result"]
    for data in shown:
        assert "<table" in data["text/html"] and "Ada" in data["text/html"]
        assert "Ada" in data["text/plain"]


@each_kind
def test_a_styled_data_frame_and_its_plot_are_shown(begin: str, plotting: Notebook) -> None:
    ok(plotting, "import pandas as pd\nframe = pd.DataFrame({'n': [1, 2]})")
    styled = ok(plotting, f"{begin}frame.style.highlight_max(color='pink')")
    data = next(content["data"] for kind, content in styled.outputs if kind == "execute_result")
    assert "background-color: pink" in data["text/html"]
    assert figures(ok(plotting, f"{begin}frame.plot();")) == 1
