"""Rich output: `display`, updates, `clear_output`, formatters, and the hooks that widgets use."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kernel.cells import Cell, Request, is_receipt
from tests.kernel.client import Notebook

WAITING = {"plain": "", "awaiting": "await asyncio.sleep(0)\n"}
each_kind = pytest.mark.parametrize("waiting", WAITING.values(), ids=WAITING)


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    cell = notebook.run(
        "import asyncio, sys, threading, time\nfrom IPython.display import *\nip = get_ipython()"
    )
    assert cell.status == "ok"
    return notebook


def display_ids(cell: Cell) -> list[tuple[str, str]]:
    """Kind and display id of what was displayed with one."""
    shown = [(kind, content) for kind, content in cell.outputs if kind.endswith("display_data")]
    return [(kind, content["transient"].get("display_id")) for kind, content in shown]


# --- display and its updates


@each_kind
def test_display_shows_each_representation_at_its_place(waiting: str, prepared: Notebook) -> None:
    cell = prepared.run(f"{waiting}print('a')\ndisplay(HTML('<b>b</b>'), 3)\nprint('c')\nMarkdown('*d*')")
    kinds = [kind for kind, _ in cell.outputs]
    assert kinds == ["stream", "display_data", "display_data", "stream", "execute_result"]
    assert cell.displays[0]["text/html"] == "<b>b</b>"
    assert cell.displays[1] == {"text/plain": "3"}
    assert cell.outputs[-1][1]["data"]["text/markdown"] == "*d*"


@each_kind
def test_a_display_can_be_updated_in_its_own_cell(waiting: str, prepared: Notebook) -> None:
    cell = prepared.run(f"{waiting}handle = display('one', display_id=True)\nhandle.update('two')")
    (first, second) = display_ids(cell)
    assert (first[0], second[0]) == ("display_data", "update_display_data")
    assert first[1] == second[1] is not None
    assert [data["text/plain"] for data in cell.displays] == ["'one'", "'two'"]


@pytest.mark.parametrize("first", WAITING.values(), ids=[f"displayed {k}" for k in WAITING])
@pytest.mark.parametrize("second", WAITING.values(), ids=[f"updated {k}" for k in WAITING])
def test_a_display_can_be_updated_from_a_later_cell(first: str, second: str, prepared: Notebook) -> None:
    prepared.run(f"{first}handle = display('one', display_id='named')")
    assert display_ids(prepared.run(f"{second}handle.update('two')")) == [("update_display_data", "named")]
    by_id = prepared.run(f"{second}update_display('three', display_id='named')")
    assert display_ids(by_id) == [("update_display_data", "named")]
    made = prepared.run(f"{second}other = DisplayHandle(); other.display('x'); other.update('y')")
    assert len({display_id for _, display_id in display_ids(made)}) == 1


def test_a_display_can_be_updated_from_a_task_while_a_plain_cell_runs(prepared: Notebook) -> None:
    started = prepared.run("""\
go = threading.Event()
handle = display('one', display_id='of a task')
async def update():
    while not go.is_set(): await asyncio.sleep(.01)
    handle.update('two'); done.set()
done = threading.Event(); updating = asyncio.create_task(update())""")
    later = prepared.run("go.set(); done.wait(30)")
    assert later.result == "True"
    started.wait_for(lambda c: len(c.displays) == 2, "the update under the cell of the task")
    assert ("update_display_data", "of a task") in display_ids(started)


@each_kind
@pytest.mark.parametrize("wait", ["True", "False"])
def test_clear_output_stands_between_what_it_clears_and_what_comes_next(
    wait: str, waiting: str, prepared: Notebook
) -> None:
    cell = prepared.run(
        f"{waiting}for n in range(3):\n    clear_output(wait={wait})\n    print(n)\n    display(n)"
    )
    kinds = [kind for kind, _ in cell.outputs]
    assert kinds == ["clear_output", "stream", "display_data"] * 3
    assert [c for k, c in cell.outputs if k == "clear_output"] == [{"wait": wait == "True"}] * 3


@each_kind
def test_raw_data_can_be_published(waiting: str, prepared: Notebook) -> None:
    cell = prepared.run(f"{waiting}display({{'text/plain': 'p', 'x/y': {{'k': [1]}}}}, raw=True)")
    assert cell.displays == [{"text/plain": "p", "x/y": {"k": [1]}}]
    cell = prepared.run(f"{waiting}publish_display_data({{'text/plain': 'p'}}, {{'m': 1}})")
    assert [c["metadata"] for _, c in cell.outputs] == [{"m": 1}]


# --- formatters


@each_kind
def test_representations_that_objects_define(waiting: str, prepared: Notebook) -> None:
    cell = prepared.run(f"""{waiting}\
class Rich:
    def __repr__(self): return "plain"
    def _repr_html_(self): return "<i>html</i>"
    def _repr_mimebundle_(self, **limits): return {{"x/bundle": 1}}, {{"x/bundle": {{"m": 2}}}}
Rich()""")
    ((_, content),) = cell.outputs
    assert content["data"] == {"text/plain": "plain", "text/html": "<i>html</i>", "x/bundle": 1}
    assert content["metadata"] == {"x/bundle": {"m": 2}}
    shown = prepared.run("class Own:\n    def _ipython_display_(self): print('its own way')\nOwn()")
    assert (shown.stdout, shown.result) == ("its own way\n", None)


@each_kind
def test_formatters_that_are_registered_for_a_type(waiting: str, prepared: Notebook) -> None:
    prepared.run(f"""{waiting}\
class Point:
    def __init__(self, x): self.x = x
formatters = ip.display_formatter.formatters
formatters["text/html"].for_type(Point, lambda p: f"<p>{{p.x}}</p>")
formatters["text/plain"].for_type(Point, lambda p, printer, cycle: printer.text(f"Point at {{p.x}}"))""")
    for other in WAITING.values():
        cell = prepared.run(f"{other}Point(3)")
        assert cell.outputs[0][1]["data"] == {"text/plain": "Point at 3", "text/html": "<p>3</p>"}
        assert prepared.run(f"{other}display(Point(4))").displays[0]["text/html"] == "<p>4</p>"


@each_kind
def test_a_representation_that_raises_is_told_and_the_rest_is_shown(waiting: str, prepared: Notebook) -> None:
    cell = prepared.run(f"""{waiting}\
class Half:
    def __repr__(self): return "half"
    def _repr_html_(self): raise ValueError("no html today")
Half()""")
    assert cell.result == "half"
    assert cell.error == ("ValueError", "no html today")
    assert prepared.run("6 * 7").status == "ok"


# --- hooks on what is published


@each_kind
def test_a_publish_hook_may_change_and_swallow_displays(waiting: str, prepared: Notebook) -> None:
    prepared.run(f"""{waiting}\
swallowed = []
def hook(message):
    if message["content"].get("data", {{}}).get("text/plain") == "'secret'":
        swallowed.append(message["msg_type"]); return None
    if message["msg_type"] == "display_data": message["content"]["metadata"]["hooked"] = True
    return message
ip.display_pub.register_hook(hook)""")
    for other in WAITING.values():
        cell = prepared.run(f"{other}display('secret'); display('seen'); clear_output()")
        assert [kind for kind, _ in cell.outputs] == ["display_data", "clear_output"]
        assert cell.outputs[0][1]["metadata"] == {"hooked": True}
    assert prepared.run("ip.display_pub.unregister_hook(hook), swallowed").result == (
        "(True, ['display_data', 'display_data'])"
    )
    assert "hooked" not in prepared.run("display('seen')").outputs[0][1]["metadata"]


@each_kind
def test_a_display_hook_hook_may_change_and_swallow_results(waiting: str, prepared: Notebook) -> None:
    prepared.run(f"""{waiting}\
def hook(message):
    if message["content"]["data"]["text/plain"] == "'secret'": return None
    message["content"]["metadata"]["hooked"] = True
    return message
ip.displayhook.register_hook(hook)""")
    for other in WAITING.values():
        assert not prepared.run(f"{other}'secret'").outputs
        assert prepared.run(f"{other}'seen'").outputs[0][1]["metadata"] == {"hooked": True}
    assert prepared.run("ip.displayhook.unregister_hook(hook)").result == "True"


# --- ipywidgets' Output

OUTPUT = "import ipywidgets\nout = ipywidgets.Output()"


def redirections(request: Request) -> list[str]:
    """In order: the message ids that an Output widget takes over, and kinds of output."""
    found = []
    for message in request.messages:
        content: dict[str, Any] = message["content"]
        if message["msg_type"] == "comm_msg" and "msg_id" in content["data"].get("state", {}):
            found.append(content["data"]["state"]["msg_id"])
        elif message["msg_type"] in ("stream", "display_data", "error") and not is_receipt(content):
            found.append(message["msg_type"])
    return found


@each_kind
def test_an_output_widget_takes_over_the_cell_s_messages_and_gives_them_back(
    waiting: str, prepared: Notebook
) -> None:
    prepared.run(OUTPUT)
    cell = prepared.run(
        f"print('before')\n{waiting}with out:\n    print('inside'); display(1)\nprint('after')"
    )
    assert redirections(cell) == ["stream", cell.msg_id, "stream", "display_data", "", "stream"]


@each_kind
def test_an_output_widget_shows_an_error_and_the_cell_goes_on(waiting: str, prepared: Notebook) -> None:
    prepared.run(OUTPUT)
    cell = prepared.run(f"{waiting}with out:\n    1 / 0\nprint('after')")
    assert redirections(cell) == [cell.msg_id, "error", "", "stream"]
    assert cell.stdout == "after\n"
    assert prepared.run("6 * 7").result == "42"


@each_kind
def test_a_captured_function_prints_into_its_widget(waiting: str, prepared: Notebook) -> None:
    prepared.run(OUTPUT)
    prepared.run("@out.capture(clear_output=True)\ndef captured(): print('inside')")
    called = prepared.run(f"{waiting}captured()")
    assert redirections(called)[-3:] == [called.msg_id, "stream", ""]
    cell = prepared.run(f"{waiting}out.append_stdout('appended')")
    assert cell.stdout == ""
    assert prepared.run("out.outputs[-1]['text']").result == "'appended'"


def test_an_output_widget_in_an_earlier_cell_s_task_leaves_a_running_cell_s_output_alone(
    prepared: Notebook,
) -> None:
    prepared.run(OUTPUT)
    started = prepared.run("""\
async def work():
    while not stop.is_set():
        with out: print("of the task")
        rounds.append(1); await asyncio.sleep(.005)
stop = threading.Event(); rounds = []; working = asyncio.create_task(work())""")
    for waiting, pause in (
        ("", "time.sleep(.005)"),
        ("await asyncio.sleep(0)\n", "await asyncio.sleep(.005)"),
    ):
        cell = prepared.run(f"{waiting}k = len(rounds)\nwhile len(rounds) < k + 20: print('own'); {pause}")
        assert set(cell.stdout.split("\n")) == {"own", ""}
        assert not any(redirections(cell).count(i) for i in (cell.msg_id, started.msg_id))
    prepared.run("stop.set(); await working")
    assert "of the task" in started.stdout
    assert set(redirections(started)) == {started.msg_id, "stream", ""}
