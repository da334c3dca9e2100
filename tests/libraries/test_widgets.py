"""ipywidgets, through the messages that a page exchanges with the kernel."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook
from tests.libraries.steps import expect_no_noise, ok, result
from tests.libraries.widgets import Page

WAITS = {
    "sleeping": "while slider.value < 50: time.sleep(.01)",
    "busy": "while slider.value < 50: pass",
    "awaiting": "while slider.value < 50: await asyncio.sleep(.01)",
}


@pytest.fixture
def page(notebook: Notebook) -> Page:
    """The page of a kernel that has imported what the cells need."""
    ok(notebook, "import asyncio, threading, time, ipywidgets as w")
    return Page(notebook)


def says(line: str, times: int) -> Callable[[Cell], bool]:
    return lambda cell: cell.stdout.count(line) == times


def show_slider(notebook: Notebook) -> Cell:
    return ok(notebook, "slider = w.IntSlider(); display(slider)")


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_a_slider_that_is_moved_ends_a_cell_that_looks_at_it(
    wait: str, notebook: Notebook, page: Page
) -> None:
    show_slider(notebook)
    slider = page.find("IntSliderModel")
    cell = notebook.submit(f"print('looks', flush=True)\n{wait}\nprint(slider.value)")
    cell.wait_for_text("looks")
    for value in (10, 20, 60):
        event = slider.set(value=value).wait_idle()
        assert event.states == ["busy", "idle"]
    assert cell.wait().status == "ok"
    assert cell.stdout == "looks\n60\n"
    assert slider.state["value"] == 60


def test_callbacks_are_called_one_at_a_time_and_in_order(notebook: Notebook, page: Page) -> None:
    show_slider(notebook)
    ok(
        notebook,
        """\
seen, inside = [], []
def moved(change):
    inside.append(1)
    time.sleep(.02)
    seen.append((change.new, len(inside)))
    inside.pop()
slider.observe(moved, "value")""",
    )
    slider = page.find("IntSliderModel")
    cell = notebook.submit("print('waits', flush=True)\nwhile len(seen) < 10: time.sleep(.01)")
    cell.wait_for_text("waits")
    events = [slider.set(value=value) for value in range(1, 11)]
    assert cell.wait().status == "ok"
    assert [event.wait_idle().states for event in events] == [["busy", "idle"]] * 10
    assert result(notebook, "seen == [(value, 1) for value in range(1, 11)]") == "True"


def test_each_message_is_idle_though_the_cell_goes_on(notebook: Notebook, page: Page) -> None:
    show_slider(notebook)
    slider = page.find("IntSliderModel")
    for wait in ("threading.Event().wait()", "await asyncio.Event().wait()"):
        cell = notebook.submit(f"print('waits', flush=True)\n{wait}")
        cell.wait_for_text("waits")
        assert slider.set(value=7).wait_idle().states == ["busy", "idle"]
        assert not cell.done
        notebook.interrupt("SIGINT")
        cell.wait(10)


def test_a_change_is_awaited_as_ipywidgets_documentation_shows(notebook: Notebook, page: Page) -> None:
    show_slider(notebook)
    ok(
        notebook,
        """\
def wait_for_change(widget, value):
    future = asyncio.Future()
    def getvalue(change):
        future.set_result(change.new)
        widget.unobserve(getvalue, value)
    widget.observe(getvalue, value)
    return future""",
    )
    slider = page.find("IntSliderModel")
    cell = notebook.submit(
        "print('waits', flush=True)\nprint('did work', await wait_for_change(slider, 'value'))"
    )
    cell.wait_for_text("waits")
    slider.set(value=3)
    assert cell.wait().status == "ok"
    assert "did work 3" in cell.stdout


def test_a_button_prints_updates_an_output_widget_and_starts_a_task(notebook: Notebook, page: Page) -> None:
    shown = ok(
        notebook,
        """\
button, output = w.Button(), w.Output()
async def later():
    await asyncio.sleep(.01)
    print("by the task")
def clicked(button):
    print("by the callback")
    with output:
        print("in the output widget"); display("displayed there")
    asyncio.create_task(later())
    print("at last")
button.on_click(clicked)
display(button, output)""",
    )
    other = ok(notebook, "1")
    output, button = page.find("OutputModel"), page.find("ButtonModel")
    for times in (1, 2):
        event = button.click().wait_idle()
        shown.wait_for(says("by the task\n", times), "the task's line")
        assert output.captured == "in the output widget\n'displayed there'\n" * times
        assert event.states == ["busy", "idle"]
    for line in ("by the callback\n", "at last\n"):
        assert shown.stdout.count(line) == 2
    assert output.state["msg_id"] == ""
    expect_no_noise(shown, other)
    assert other.outputs[1:] == []


@pytest.mark.parametrize(
    "wait", ["while not gone: time.sleep(.01)", "while not gone: await asyncio.sleep(.01)"]
)
def test_what_a_callback_prints_does_not_appear_under_the_cell_that_runs(
    wait: str, notebook: Notebook, page: Page
) -> None:
    shown = ok(
        notebook,
        "gone, button, output = [], w.Button(), w.Output()\n"
        "def clicked(button):\n    print('clicked')\n    with output: print('captured')\n    gone.append(1)\n"
        "button.on_click(clicked); display(button, output)",
    )
    cell = notebook.submit(f"print('begins', flush=True)\n{wait}\nprint('ends')")
    cell.wait_for_text("begins")
    page.find("ButtonModel").click()
    assert cell.wait().stdout == "begins\nends\n"
    shown.wait_for_text("clicked\n")
    assert page.find("OutputModel").captured == "captured\n"


CAPTURES = {
    "%%capture": "%%capture taken\n{body}",
    "capture_output": "with capture_output() as taken: {body}",
    "redirect_stdout": "with redirect_stdout(io.StringIO()) as taken: {body}",
    "in an awaiting cell": "with capture_output() as taken: {body}; await asyncio.sleep(0)",
}
IMPORTS = """\
import io, os
from contextlib import redirect_stdout
from IPython.utils.capture import capture_output
gone, button = threading.Event(), w.Button()"""


@pytest.mark.parametrize("capture", CAPTURES.values(), ids=CAPTURES)
def test_what_a_cell_captures_is_not_what_a_callback_says_meanwhile(
    capture: str, notebook: Notebook, page: Page
) -> None:
    ok(notebook, IMPORTS)
    shown = ok(
        notebook,
        "def clicked(button):\n    print('clicked'); display('by the callback'); gone.set()\n"
        "button.on_click(clicked); display(button)",
    )
    wait = "await asyncio.to_thread(gone.wait, 20)" if "await" in capture else "gone.wait(20)"
    body = f"print('taken'); os.write(1, b'begins'); {wait}"  # the descriptor is nobody's capture
    cell = notebook.submit(capture.format(body=body)).wait_for_text("begins")
    page.find("ButtonModel").click().wait_idle()
    assert cell.wait().status == "ok"
    shown.wait_for_text("clicked\n")
    shown.wait_for_text("'by the callback'")
    told = result(notebook, "getattr(taken, 'stdout', None) or taken.getvalue()")
    assert told == r"'taken\n'"
    outputs = "[one.data for one in getattr(taken, 'outputs', ())]"
    assert "callback" not in str(result(notebook, outputs))


def test_an_output_widget_of_a_callback_does_not_take_what_the_displaying_cell_prints_meanwhile(
    notebook: Notebook, page: Page
) -> None:
    ok(
        notebook,
        "gone, go_on, button, output = threading.Event(), threading.Event(), w.Button(), w.Output()\n"
        "def clicked(button):\n"
        "    with output: print('captured'); gone.set(); go_on.wait(10)\n"
        "button.on_click(clicked)",
    )
    cell = notebook.submit(
        "display(button, output)\nprint('begins', flush=True)\ngone.wait(20)\nprint('ends')"
    )
    cell.wait_for_text("begins")
    event = page.wait_for("ButtonModel").click()
    assert cell.wait().status == "ok"
    ok(notebook, "go_on.set()")
    event.wait_idle()
    assert page.find("OutputModel").captured == "captured\n"


def test_a_callback_that_raises_shows_its_traceback_under_the_cell_that_displayed_the_widget(
    notebook: Notebook, page: Page
) -> None:
    made = ok(notebook, "button, slider = w.Button(), w.IntSlider()\nseen = []")
    ok(
        notebook,
        "button.on_click(lambda b: 1 / 0); button.on_click(lambda b: seen.append('second'))\n"
        "slider.observe(lambda change: {}['moved'], 'value')",
    )
    shown = ok(notebook, "display(button, slider)")
    event = page.find("ButtonModel").click().wait_idle()
    shown.wait_for(lambda cell: cell.error is not None, "the traceback")
    assert shown.error == ("ZeroDivisionError", "division by zero")
    assert "button.on_click(lambda b: 1 / 0)" in shown.traceback
    page.find("IntSliderModel").set(value=5).wait_idle()
    shown.wait_for(lambda cell: cell.error == ("KeyError", "'moved'"), "the second traceback")
    assert event.states == ["busy", "idle"]
    assert made.error is None
    assert result(notebook, "seen, slider.value") == "(['second'], 5)"
    assert result(notebook, "await asyncio.sleep(0); 42") == "42"


def test_an_output_widget_captures_in_either_kind_of_cell(notebook: Notebook, page: Page) -> None:
    ok(notebook, "output = w.Output(); display(output)")
    output = page.find("OutputModel")
    for begin in ("", "await asyncio.sleep(0)\n"):
        cell = ok(
            notebook, f"{begin}print('before')\nwith output: print('inside'); display(1)\nprint('after')"
        )
        assert output.captured.endswith("inside\n1\n")
        assert "before\n" in cell.stdout and "after\n" in cell.stdout
    assert output.captured == "inside\n1\n" * 2


def test_an_output_widget_captures_an_error_of_either_kind_of_cell(notebook: Notebook, page: Page) -> None:
    ok(notebook, "output = w.Output(); display(output)")
    output = page.find("OutputModel")
    for begin in ("", "await asyncio.sleep(0)\n"):
        cell = notebook.run(f"{begin}output.clear_output()\nwith output: 1 / 0")
        assert cell.status == "ok", "ipywidgets swallows what it has shown"
        assert output.captured.count("ZeroDivisionError: division by zero") == 1


def test_interact_calls_its_function_for_each_value_and_replaces_the_output(
    notebook: Notebook, page: Page
) -> None:
    shown = ok(
        notebook,
        "@w.interact(x=(0, 10))\ndef double(x=2):\n    print('of', x)\n    return 2 * x",
    )
    output, slider = page.find("OutputModel"), page.find("IntSliderModel", description="x")
    assert output.captured == "of 2\n4\n"
    for value in (3, 7):
        slider.set(value=value).wait_idle()
        assert output.captured == f"of {value}\n{2 * value}\n"
    cell = notebook.submit("print('begins', flush=True); time.sleep(.3)")
    cell.wait_for_text("begins")
    slider.set(value=9).wait_idle()
    assert output.captured == "of 9\n18\n"
    assert cell.wait().stdout == "begins\n"
    expect_no_noise(shown)


def test_interact_shows_the_error_and_the_figure_of_its_function(notebook: Notebook, page: Page) -> None:
    ok(notebook, "import matplotlib.pyplot as plt")
    ok(notebook, "@w.interact(x=(1, 10))\ndef plot(x=2):\n    1 / (x - 5)\n    plt.plot([0, x]); plt.show()")
    output, slider = page.find("OutputModel"), page.find("IntSliderModel", description="x")
    kinds = [message["msg_type"] for message in page.captured(output.comm_id)]
    assert kinds == ["display_data"]
    slider.set(value=5).wait_idle()
    assert "ZeroDivisionError" in output.captured
    slider.set(value=6).wait_idle()
    shown = page.captured(output.comm_id)
    assert ["image/png" in message["content"]["data"] for message in shown] == [True]


def test_a_page_that_is_loaded_again_during_a_cell_gets_all_states(notebook: Notebook, page: Page) -> None:
    show_slider(notebook)
    slider = page.find("IntSliderModel")
    cell = notebook.submit("print('begins', flush=True)\nwhile slider.value < 50: time.sleep(.01)")
    cell.wait_for_text("begins")
    slider.set(value=30).wait_idle()
    states = page.reload()
    assert states[slider.comm_id]["state"]["value"] == 30
    slider.set(value=50)
    assert cell.wait().status == "ok"


def test_a_closed_widget_is_gone_and_a_late_message_does_no_harm(notebook: Notebook, page: Page) -> None:
    show_slider(notebook)
    slider = page.find("IntSliderModel")
    ok(notebook, "slider.close()")
    assert slider.set(value=5).wait_idle().states == ["busy", "idle"]
    assert slider.comm_id not in notebook.ask("comm_info_request")["comms"]
    assert result(notebook, "slider.value") == "0"


def test_stop_ends_a_callback_that_never_returns(fresh_notebook: Notebook) -> None:
    ok(
        fresh_notebook,
        "import ipywidgets as w, asyncio\nb = w.Button(); display(b)\n"
        "def endless(b):\n    print('begins', flush=True)\n    while True: pass\nb.on_click(endless)",
    )
    event = Page(fresh_notebook).find("ButtonModel").click()
    shown = fresh_notebook.requests
    fresh_notebook.pump(
        lambda: any(isinstance(r, Cell) and "begins" in r.stdout for r in shown.values()),
        "the callback's line",
    )
    fresh_notebook.interrupt("SIGINT")
    event.wait_idle(5)
    assert result(fresh_notebook, "await asyncio.sleep(0); 42") == "42"
