"""matplotlib's figures where cells, callbacks and tasks overlap: each is whole, and under who made it."""

from __future__ import annotations

import re
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook
from tests.kernel.side_by_side import number_of
from tests.libraries.steps import ok, result
from tests.libraries.widgets import Page

#: SVG keeps a title as text, and a line's `gid` as an id.
PREPARE = """\
%matplotlib inline
%config InlineBackend.figure_formats = ['svg']
import asyncio, threading, time, warnings, ipywidgets as w, matplotlib.pyplot as plt
plt.rcParams['svg.fonttype'] = 'none'
go_on = threading.Event()
def line(name): plt.plot([1, 2], gid=name)
for event in ("pre_execute", "pre_run_cell", "post_execute", "post_run_cell"):
    for hook in [one for one in get_ipython().events.callbacks[event] if one.__name__ == "noted"]:
        get_ipython().events.unregister(event, hook)"""

#: A cell that is in the middle of its figure until `go_on` is set.
HALF = "plt.title('first')\nprint('begun', flush=True)\n{wait}\nline('own')"
KINDS = {
    "plain": HALF.format(wait="go_on.wait(30)"),
    "awaiting": HALF.format(wait="while not go_on.is_set(): await asyncio.sleep(.01)"),
    "background": "%%background\n" + HALF.format(wait="go_on.wait(30)"),
    "awaiting in the background": "%%background\n"
    + HALF.format(wait="while not go_on.is_set(): await asyncio.sleep(.01)"),
    "in a thread": "def work():\n    "
    + HALF.format(wait="go_on.wait(30)").replace("\n", "\n    ")
    + "\nt = threading.Thread(target=work); t.start(); t.join()",
}
each_kind = pytest.mark.parametrize("half", KINDS.values(), ids=KINDS)

FIRST = ["first own"]


@pytest.fixture
def plotting(notebook: Notebook) -> Notebook:
    ok(notebook, PREPARE)
    return notebook


def figures_in(displays: list[dict[str, object]]) -> list[str]:
    """Of each figure the title and the names of its lines."""
    found = []
    for data in displays:
        svg = str(data.get("image/svg+xml", ""))
        if svg:
            # an axes' own parts have ids like `line2d_3` and `axes_1`
            ids = [one for one in re.findall(r'<g id="(\w+)"', svg) if not re.search(r"_\d+$", one)]
            titles = re.findall(r"<text[^>]*>([a-z]+)</text>", svg)
            found.append(" ".join([*titles, *ids]))
    return found


def figures(cell: Cell) -> list[str]:
    return figures_in(cell.displays)


def begin(notebook: Notebook, half: str) -> Cell:
    """Starts a cell, and waits until it is in the middle of its figure."""
    return notebook.submit(half).wait_for_text("begun")


def show_slider(notebook: Notebook, callback: str) -> Cell:
    """Shows a slider, and a button that lets the half cell go on; the cell that shows them."""
    ok(notebook, f"s = w.IntSlider()\ndef moved(change):\n    {callback}\ns.observe(moved, 'value')")
    return ok(notebook, "b = w.Button(); b.on_click(lambda b: go_on.set())\ndisplay(s, b)")


def move(notebook: Notebook) -> None:
    Page(notebook).find("IntSliderModel").set(value=5).wait_idle()


def let_go_on(notebook: Notebook, cell: Cell) -> Cell:
    Page(notebook).find("ButtonModel").click()
    return cell.wait()


# --- a widget's message in the middle of a cell

CALLBACKS = {
    "does nothing": ("pass", []),
    "draws": ("plt.title('moved'); line('theirs')", ["moved theirs"]),
    "draws and shows": ("plt.title('moved'); line('theirs'); plt.show()", ["moved theirs"]),
    "draws two": ("plt.figure(1); line('one'); plt.figure(2); line('two')", ["one", "two"]),
    "closes all": ("line('gone'); plt.close('all')", []),
    "fails": ("line('theirs'); 1 / 0", ["theirs"]),
    "runs a cell": ("get_ipython().run_cell('line(\"theirs\")')", ["theirs"]),
}


@pytest.mark.parametrize(("callback", "shown"), CALLBACKS.values(), ids=CALLBACKS)
@each_kind
def test_a_callback_takes_nothing_of_a_cell_s_figure(
    half: str, callback: str, shown: list[str], plotting: Notebook
) -> None:
    displays = show_slider(plotting, callback)
    cell = begin(plotting, half)
    move(plotting)
    let_go_on(plotting, cell)
    assert figures(cell) == FIRST
    assert figures(displays) == shown
    assert result(plotting, "plt.get_fignums()") == "[]"


class MovingClient(NotebookClient):
    """Runs a notebook whose reader moves the slider, twice, as soon as a cell says that it has begun."""

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        if "begun" in msg["content"].get("text", ""):
            models = self.widget_state.items()
            (slider,) = [one for one, state in models if state.get("_model_name") == "IntSliderModel"]
            for value in (5, 6):
                data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
                self.kc.shell_channel.send(self.kc.session.msg("comm_msg", {"comm_id": slider, "data": data}))
        return super().process_message(msg, cell, cell_index)


@pytest.mark.parametrize("half", [KINDS["plain"], KINDS["awaiting"]], ids=["plain", "awaiting"])
def test_a_notebook_s_figures_are_whole_when_nbclient_runs_it(half: str, jupyter_environment: str) -> None:
    moved = "def moved(change):\n    if change.new == 6: go_on.set()\n    else: line('theirs')"
    cells = [
        PREPARE,
        f"s = w.IntSlider(); display(s)\n{moved}\ns.observe(moved, 'value')",
        half,
        "line('last')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    MovingClient(notebook, timeout=60, kernel_name=jupyter_environment).execute()
    shown = [figures_in([output.get("data", {}) for output in cell.outputs]) for cell in notebook.cells]
    assert shown == [[], [], FIRST, ["last"]], "nbclient takes in nothing more for the slider's cell"


INTERACTIVE = {
    "interact": "w.interact(draw, x=(0, 10))",
    "interactive": "display(w.interactive(draw, x=(0, 10)))",
    "interactive_output": "x = w.IntSlider(5, max=10); display(x, w.interactive_output(draw, {'x': x}))",
}


@pytest.mark.parametrize("made", INTERACTIVE.values(), ids=INTERACTIVE)
@pytest.mark.parametrize("shows", ["plt.show()", "pass"], ids=["shows", "leaves it to ipywidgets"])
def test_interactive_functions_draw_into_their_own_figure(made: str, shows: str, plotting: Notebook) -> None:
    ok(plotting, f"def draw(x):\n    plt.title('drawn')\n    line(f'x{{x}}')\n    {shows}")
    # ipywidgets knows the backend by this name alone
    ok(plotting, "plt.switch_backend('module://matplotlib_inline.backend_inline')")
    display = ok(plotting, f"b = w.Button(); b.on_click(lambda b: go_on.set()); display(b)\n{made};")
    page = Page(plotting)
    slider, output = page.find("IntSliderModel", max=10), page.find("OutputModel")
    cell = begin(plotting, KINDS["plain"])
    slider.set(value=7).wait_idle()
    let_go_on(plotting, cell)
    assert figures(cell) == FIRST
    inside = [m["content"] for m in page.captured(output.comm_id)]
    assert figures_in([content["data"] for content in inside if "data" in content]) == ["drawn x7"]
    assert figures(display) == ["drawn x5"], "which the widget captures, too"


# --- cells side by side

SECOND = "plt.title('second')\nline('other')"


@each_kind
@pytest.mark.parametrize("number", ["", "plt.figure(1)\n", "fig = plt.figure('name')\n"])
def test_a_cell_that_ends_takes_nothing_of_one_that_runs(half: str, number: str, plotting: Notebook) -> None:
    first = begin(plotting, "%%background\n" + number + half.removeprefix("%%background\n"))
    second = ok(plotting, number + SECOND)
    assert figures(second) == ["second other"]
    assert figures(ok(plotting, f"%%background\n{number}{SECOND}").wait()) == ["second other"]
    assert figures(ok(plotting, "plt.show(); plt.close('all')")) == []
    assert not first.done
    ok(plotting, "go_on.set()")
    assert figures(first.wait()) == FIRST
    assert result(plotting, "plt.get_fignums()") == "[]"


def test_a_background_cell_that_ends_takes_nothing_of_the_foreground_s(plotting: Notebook) -> None:
    background = begin(
        plotting, "%%background\nplt.title('first')\nprint('begun', flush=True)\ngo_on.wait(30)\nline('own')"
    )
    wait = f"go_on.set()\n%wait {number_of(background)}"
    foreground = plotting.run(
        f"plt.title('second')\n{wait}\nline('other'); print(plt.gca().get_title())",
    )
    assert (figures(background.wait()), figures(foreground)) == (FIRST, ["second other"])
    assert foreground.stdout == "second\n"


def test_many_cells_plot_at_once(plotting: Notebook) -> None:
    code = (
        "for n in range(5):\n    plt.title('{name}')\n    for _ in range(4): line('{name}')\n    plt.show()"
    )
    names = ["alpha", "beta", "gamma", "delta"]
    cells = [plotting.submit("%%background\n" + code.format(name=name)) for name in names[1:]]
    cells.insert(0, plotting.submit(code.format(name=names[0])))
    for name, cell in zip(names, cells, strict=True):
        assert cell.wait().status == "ok", cell.text
        assert figures(cell) == [" ".join([name] * 5)] * 5


# --- what a cell leaves behind


def test_a_task_s_half_figure_is_left_to_it(plotting: Notebook) -> None:
    started = ok(
        plotting,
        """\
half, more = asyncio.Event(), asyncio.Event()
async def draw():
    await half.wait()
    plt.title("first")
    print("begun", flush=True)
    await more.wait()
    line("own"); plt.show()
    print("shown", flush=True)
task = asyncio.create_task(draw())""",
    )
    ok(plotting, "half.set()")
    started.wait_for_text("begun")
    assert figures(ok(plotting, SECOND)) == ["second other"]
    assert figures(ok(plotting, f"await asyncio.sleep(0)\n{SECOND}")) == ["second other"]
    ok(plotting, "more.set()")
    started.wait_for_text("shown")
    assert figures(started) == FIRST
    assert result(plotting, "await task; plt.get_fignums()") == "[]"


def test_what_an_ended_task_has_not_shown_the_next_cell_shows(plotting: Notebook) -> None:
    ok(
        plotting,
        """\
drawn = threading.Event()
async def draw():
    await asyncio.to_thread(go_on.wait, 30)
    plt.title("first"); line("own")
    asyncio.get_running_loop().call_soon(drawn.set)  # when the task has ended
task = asyncio.create_task(draw())""",
    )
    assert figures(ok(plotting, "go_on.set(); drawn.wait(30)")) == FIRST


# --- hooks

HOOKS = """\
seen = []
def note(event):
    def noted(*args): seen.append((event, threading.current_thread().name))
    return noted
for event in ("pre_execute", "pre_run_cell", "post_execute", "post_run_cell"):
    get_ipython().events.register(event, note(event))"""


@pytest.mark.parametrize("wait", ["go_on.wait(30)", "while not go_on.is_set(): await asyncio.sleep(.01)"])
def test_a_cell_s_hooks_are_called_once_on_its_thread_whatever_messages_come(
    wait: str, plotting: Notebook
) -> None:
    show_slider(plotting, "pass")
    ok(plotting, HOOKS)
    cell = begin(plotting, f"seen.clear()\nprint('begun', flush=True)\n{wait}\ninside = list(seen)")
    for _ in range(3):
        move(plotting)
    let_go_on(plotting, cell)
    assert result(plotting, "inside") == "[]"
    events = ["post_execute", "post_run_cell", "pre_execute", "pre_run_cell"]
    told = ok(plotting, "print(seen[:2], {thread for _, thread in seen})")
    expected = [(event, "MainThread") for event in events[:2]]
    assert told.stdout == f"{expected} {{'MainThread'}}\n"


def test_a_message_between_cells_calls_the_hooks_as_in_ipykernel(plotting: Notebook) -> None:
    show_slider(plotting, "seen.append('moved')")
    ok(plotting, HOOKS)
    ok(plotting, "seen.clear()")
    move(plotting)
    told = ok(plotting, "print([one if isinstance(one, str) else one[0] for one in seen])")
    around = ["pre_execute", "moved", "post_execute"]
    assert told.stdout == f"{['post_execute', 'post_run_cell', *around, 'pre_execute', 'pre_run_cell']}\n"


RELEASE = """\
class Release:
    def __dir__(self): go_on.set(); return []
release = Release()
def hook():
    if moved:
        moved.clear(); seen.append("hook")
        print("hook begins", flush=True)
        go_on.wait(30); seen.append("ends")
moved = []
get_ipython().events.register("post_execute", hook)"""


@pytest.mark.parametrize("code", ["seen.append('cell')", "await asyncio.sleep(0); seen.append('cell')"])
def test_a_cell_begins_when_a_message_s_hooks_have_ended(code: str, fresh_notebook: Notebook) -> None:
    ok(fresh_notebook, PREPARE)
    displays = show_slider(fresh_notebook, "moved.append(1)")
    ok(fresh_notebook, f"seen = []\n{RELEASE}")
    Page(fresh_notebook).find("IntSliderModel").set(value=5)
    displays.wait_for_text("hook begins")
    cell = fresh_notebook.submit(code).wait_started()
    fresh_notebook.ask("complete_request", {"code": "release.", "cursor_pos": 8})
    cell.wait()
    assert result(fresh_notebook, "seen") == "['hook', 'ends', 'cell']"


def test_a_message_does_not_make_a_cell_warn_again(plotting: Notebook) -> None:
    show_slider(plotting, "pass")
    wait = "if not n: print('begun', flush=True); go_on.wait(30)"
    cell = begin(plotting, f"for n in range(2):\n    warnings.warn('careful')\n    {wait}")
    move(plotting)
    let_go_on(plotting, cell)
    assert cell.stderr.count("careful") == 2, "the warning and its line, once"


def test_a_display_is_updated_from_everywhere(plotting: Notebook) -> None:
    displays = show_slider(plotting, "handle.update('by the callback')")
    cell = begin(
        plotting, "handle = display('first', display_id='one')\nprint('begun', flush=True)\ngo_on.wait(30)"
    )
    move(plotting)
    let_go_on(plotting, cell)
    ids = [c["transient"]["display_id"] for k, c in [*cell.outputs, *displays.outputs] if c.get("transient")]
    assert ids == ["one", "one"]


def test_a_kernel_that_does_not_plot_does_not_import_matplotlib(fresh_notebook: Notebook) -> None:
    assert (
        result(fresh_notebook, "import sys; [name for name in sys.modules if 'matplotlib' in name]") == "[]"
    )
