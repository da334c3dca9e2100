"""`%matplotlib widget` (ipympl): figures as widgets that draw, answer and move while cells and tasks run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kernel.cells import Message
from tests.kernel.client import Notebook
from tests.libraries.steps import expect_no_noise, ok, result
from tests.libraries.widgets import Event, Model, Page

VIEW = "application/vnd.jupyter.widget-view+json"
BEGINS = {"plain": "", "awaiting": "await asyncio.sleep(0)\n"}
each_kind = pytest.mark.parametrize("begin", BEGINS.values(), ids=BEGINS)


class Canvas:
    """A figure as the page that shows it knows it."""

    def __init__(self, page: Page, model: Model) -> None:
        self.page = page
        self.model = model
        self.send("initialized").wait_idle()
        self.send("send_image_mode").wait_idle()

    def send(self, kind: str, **content: Any) -> Event:
        data = {"method": "custom", "content": {"type": kind, **content}}
        return self.page.send("comm_msg", {"comm_id": self.model.comm_id, "data": data})

    def received(self, kind: str) -> list[Message]:
        """The custom messages of that kind which the kernel has sent to the canvas."""
        return [
            message
            for message in self.page._messages("comm_msg")
            if message["content"]["comm_id"] == self.model.comm_id
            and message["content"]["data"].get("method") == "custom"
            and json.loads(message["content"]["data"]["content"]["data"])["type"] == kind
        ]

    def wait_for_more(self, kind: str, than: int) -> list[Message]:
        self.model._notebook.pump(lambda: len(self.received(kind)) > than, f"more than {than} of {kind!r}")
        return self.received(kind)

    def draw(self) -> bytes:
        """Asks for a picture, as a page does that was told that there is something to draw; what comes."""
        before = len(self.received("binary"))
        self.send("draw")
        return bytes(self.wait_for_more("binary", before)[before]["buffers"][0])


@pytest.fixture
def notebook_with_widgets(fresh_notebook: Notebook) -> Iterator[Notebook]:
    ok(fresh_notebook, "%matplotlib widget")
    ok(fresh_notebook, "import asyncio, threading, time\nimport matplotlib.pyplot as plt")
    yield fresh_notebook


@pytest.fixture
def canvas(notebook_with_widgets: Notebook) -> Canvas:
    ok(notebook_with_widgets, "figure, axes = plt.subplots()\nfigure.canvas")
    page = Page(notebook_with_widgets)
    return Canvas(page, page.find("MPLCanvasModel"))


@each_kind
def test_a_figure_is_shown_as_a_widget(begin: str, notebook_with_widgets: Notebook) -> None:
    cell = ok(notebook_with_widgets, f"{begin}plt.plot([1, 2, 3]);")
    shown = [data for data in cell.displays if VIEW in data]
    model = Page(notebook_with_widgets).find("MPLCanvasModel")
    assert [data[VIEW]["model_id"] for data in shown] == [model.comm_id]
    assert all("image/png" in data for data in shown)  # for those who have no widgets
    assert ok(notebook_with_widgets, f"{begin}1").displays == []


@each_kind
def test_a_canvas_draws_while_a_cell_runs(begin: str, canvas: Canvas) -> None:
    notebook = canvas.model._notebook
    wait = "await asyncio.sleep(60)" if begin else "time.sleep(60)"
    cell = notebook.submit(wait).wait_started()
    assert canvas.draw().startswith(b"\x89PNG")
    drawings = len(canvas.received("draw"))
    canvas.send("refresh").wait_idle()
    canvas.wait_for_more("draw", drawings)
    assert not cell.done
    notebook.interrupt("SIGINT")
    assert cell.wait().error == ("KeyboardInterrupt", "")


@each_kind
def test_what_a_cell_plots_is_announced_while_it_runs(begin: str, canvas: Canvas) -> None:
    notebook = canvas.model._notebook
    empty = canvas.draw()
    before = len(canvas.received("draw"))
    wait = "await asyncio.sleep(60)" if begin else "time.sleep(60)"
    cell = notebook.submit(f"axes.plot([3, 1, 2])\nfigure.canvas.draw_idle()\n{wait}")
    canvas.wait_for_more("draw", before)
    drawn = canvas.draw()
    assert drawn.startswith(b"\x89PNG") and drawn != empty
    assert not cell.done
    notebook.interrupt("SIGINT")
    cell.wait()


@pytest.mark.parametrize("waiting", [False, True], ids=["between cells", "while a plain cell runs"])
def test_a_task_updates_a_figure(waiting: bool, canvas: Canvas) -> None:
    notebook = canvas.model._notebook
    canvas.draw()
    started = ok(
        notebook,
        """\
go = asyncio.Event()
async def update():
    await go.wait()
    plt.plot([1, 2, 3])
    figure.canvas.draw_idle()  # else, as ever, at the end of the next cell
    return len(axes.lines)
task = asyncio.create_task(update())""",
    )
    before = len(canvas.received("draw"))
    loop = "asyncio.get_event_loop().call_soon_threadsafe(go.set)"
    cell = notebook.submit(f"{loop}\ntime.sleep(60)" if waiting else loop)
    canvas.wait_for_more("draw", before)
    assert canvas.draw().startswith(b"\x89PNG")
    if waiting:
        assert not cell.done
        notebook.interrupt("SIGINT")
    cell.wait()
    assert result(notebook, "await task") == "1"
    expect_no_noise(started)


def test_a_mouse_event_reaches_its_callback_while_a_cell_sleeps(canvas: Canvas) -> None:
    notebook = canvas.model._notebook
    ok(
        notebook,
        """\
clicked = threading.Event()
def on_click(event):
    print("clicked at", round(event.x), round(event.y))
    clicked.set()
figure.canvas.mpl_connect("button_press_event", on_click);""",
    )
    cell = notebook.submit("clicked.wait(60)").wait_started()
    where = {"x": 100, "y": 100, "button": 0, "buttons": 1, "step": 0, "modifiers": [], "guiEvent": {}}
    canvas.send("button_press", **where)
    assert cell.wait().result == "True"


def test_an_animation_runs_between_cells_and_while_one_sleeps(canvas: Canvas) -> None:
    notebook = canvas.model._notebook
    ok(
        notebook,
        """\
from matplotlib.animation import FuncAnimation
frames = []
line, = axes.plot([0, 1])
animation = FuncAnimation(figure, frames.append, interval=20, cache_frame_data=False)""",
    )
    canvas.draw()
    ok(notebook, "begin = len(frames)\nwhile len(frames) < begin + 3: time.sleep(.01)")
    ok(notebook, "begin = len(frames)\nwhile len(frames) < begin + 3: await asyncio.sleep(.01)")
    ok(notebook, "animation.event_source.stop()")


def test_closed_figures_are_gone(canvas: Canvas) -> None:
    notebook = canvas.model._notebook
    assert result(notebook, "len(plt.get_fignums())") == "1"
    ok(notebook, "plt.close('all')")
    assert result(notebook, "len(plt.get_fignums())") == "0"


@each_kind
def test_a_callback_and_a_cell_draw_into_their_own_figures(
    begin: str, notebook_with_widgets: Notebook
) -> None:
    notebook = notebook_with_widgets
    ok(
        notebook,
        """\
import ipywidgets as w
go_on, slider, button = threading.Event(), w.IntSlider(), w.Button()
def moved(change):
    plt.title("theirs"); plt.plot([1, 2])
slider.observe(moved, "value")
button.on_click(lambda button: go_on.set())""",
    )
    displays = ok(notebook, "display(slider, button)")
    wait = "while not go_on.is_set(): await asyncio.sleep(.01)" if begin else "go_on.wait(30)"
    cell = notebook.submit(
        f"plt.title('own'); print('begun', flush=True)\n{wait}\nplt.plot([1, 2]); own = plt.gcf()"
    )
    cell.wait_for_text("begun")
    page = Page(notebook)
    page.find("IntSliderModel").set(value=5).wait_idle()
    shown = [data[VIEW]["model_id"] for data in displays.displays if VIEW in data][2:]
    page.find("ButtonModel").click()
    cell.wait()
    canvases = [data[VIEW]["model_id"] for data in cell.displays if VIEW in data]
    assert (len(shown), len(canvases)) == (1, 1) and shown != canvases
    told = "sorted((f.axes[0].get_title(), len(f.axes[0].lines)) for f in map(plt.figure, plt.get_fignums()))"
    assert result(notebook, told) == "[('own', 1), ('theirs', 1)]"
    assert result(notebook, "plt.close(own); len(plt.get_fignums())") == "1"


def test_a_background_cell_s_figure_is_there_for_all_when_it_has_ended(
    notebook_with_widgets: Notebook,
) -> None:
    notebook = notebook_with_widgets
    ok(notebook, "go_on = threading.Event()")
    code = "plt.figure(3); print('begun', flush=True); go_on.wait(30); plt.plot([1, 2]);"
    background = notebook.submit(f"%%background\n{code}").wait_for_text("begun")
    assert result(notebook, "plt.get_fignums()") == "[]"
    ok(notebook, "plt.close('all'); go_on.set()")
    shown = [data for data in background.wait().displays if VIEW in data]
    assert len(shown) == 1
    assert result(notebook, "plt.get_fignums(), len(plt.figure(3).axes[0].lines)") == "([3], 1)"
