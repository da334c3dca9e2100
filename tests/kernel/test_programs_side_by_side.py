"""D7 with programs that run notebooks, in the debugger, and beside widgets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from papermill.exceptions import PapermillExecutionError

from tests.kernel.cells import Cell, plain
from tests.kernel.client import Notebook
from tests.kernel.side_by_side import WAITS, close_gate, in_background, number_of, open_gate
from tests.kernel.test_debugger import Debugger, attached

NOTEBOOK = [
    "import asyncio, time\nlosses = []",
    "%%background\nfor n in range(5): losses.append(n); time.sleep(.01)\nprint('trained'); len(losses)",
    "%%background\nawait asyncio.sleep(.01); 'awaited'",
    "len(losses)",
    "await cell(3)",
    "%wait\nlosses",
]


def client(jupyter_environment: str, *cells: str) -> NotebookClient:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    return NotebookClient(notebook, timeout=60, kernel_name=jupyter_environment)


def results(cell: Any) -> list[str]:
    return [output.data["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]


# --- nbclient, and what is made of it: nbconvert, papermill


def test_nbclient_runs_one_after_the_other_with_the_same_outputs(jupyter_environment: str) -> None:
    running = client(jupyter_environment, *NOTEBOOK)
    running.execute()
    cells = running.nb.cells
    assert [results(cell) for cell in cells] == [
        [],
        ["5"],
        ["'awaited'"],
        ["5"],
        ["'awaited'"],
        ["[0, 1, 2, 3, 4]"],
    ]
    assert cells[1].outputs[0].text == "trained\n"
    assert [cell.execution_count for cell in cells] == [1, 2, 3, 4, 5, 6]


def test_nbclient_s_error_names_the_failing_background_cell(jupyter_environment: str) -> None:
    with pytest.raises(CellExecutionError) as failed:
        client(jupyter_environment, "x = 1", "%%background\nx / 0", "never = 1").execute()
    assert "----> 2 x / 0" in plain(str(failed.value))


@pytest.mark.parametrize("wait", ["time.sleep(.05)", "await asyncio.sleep(.05)"])
def test_one_that_never_ends_is_bounded_by_the_client_s_timeout_and_named(
    wait: str, jupyter_environment: str
) -> None:
    endless = f"%%background\nimport asyncio, time\nwhile True: {wait}"
    running = client(jupyter_environment, endless)
    running.timeout = 2
    with pytest.raises(CellTimeoutError, match="while True"):
        running.execute()
    interrupted = client(jupyter_environment, endless, "6 * 7")
    interrupted.timeout, interrupted.interrupt_on_timeout, interrupted.allow_errors = 2, True, True
    interrupted.execute()
    assert interrupted.nb.cells[0].outputs[-1].ename == "KeyboardInterrupt"
    assert results(interrupted.nb.cells[1]) == ["42"]


# --- papermill


def mill(directory: Path, name: str, *cells: str, **options: Any) -> Any:
    """The notebook that papermill writes."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": name, "display_name": name, "language": "python"}
    nbformat.write(notebook, directory / "in.ipynb")
    papermill.execute_notebook(directory / "in.ipynb", directory / "out.ipynb", progress_bar=False, **options)
    return nbformat.read(directory / "out.ipynb", as_version=4)


def test_papermill_runs_one_after_the_other_with_the_same_outputs(
    jupyter_environment: str, tmp_path: Path
) -> None:
    written = mill(tmp_path, jupyter_environment, *NOTEBOOK)
    running = client(jupyter_environment, *NOTEBOOK)
    running.execute()
    assert len(written.cells) == len(NOTEBOOK)
    for of_papermill, of_nbclient in zip(written.cells, running.nb.cells, strict=True):
        assert of_papermill.outputs == of_nbclient.outputs
        assert of_papermill.execution_count == of_nbclient.execution_count
        assert of_papermill.metadata.papermill.status == "completed"


def test_papermill_s_parameters_reach_a_background_cell(jupyter_environment: str, tmp_path: Path) -> None:
    written = mill(tmp_path, jupyter_environment, "%%background\nsteps * 2", parameters={"steps": 21})
    assert results(written.cells[-1]) == ["42"]


def test_papermill_s_error_names_the_failing_background_cell(
    jupyter_environment: str, tmp_path: Path
) -> None:
    with pytest.raises(PapermillExecutionError, match=r"In \[2\]") as failed:
        mill(tmp_path, jupyter_environment, "x = 1", "%%background\nx / 0", "never = 1")
    assert "----> 2 x / 0" in plain(str(failed.value))


def test_papermill_bounds_one_that_never_ends_and_names_it(jupyter_environment: str, tmp_path: Path) -> None:
    with pytest.raises(CellTimeoutError, match="while True"):
        mill(
            tmp_path,
            jupyter_environment,
            "%%background\nimport time\nwhile True: time.sleep(.05)",
            execution_timeout=2,
        )


# --- the terminal's kind of client: it waits for the reply before it goes on


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    return close_gate(notebook)


def test_a_client_that_asks_in_a_terminal_has_its_reply_at_once(prepared: Notebook) -> None:
    cell = prepared.run(
        f"%%background\n{WAITS['plain']}\nprint('late'); 6 * 7", allow_stdin=True, metadata={}
    )
    assert cell.reply["status"] == "ok"
    assert cell.reply["execution_count"] == number_of(cell)
    assert cell.states == ["busy", "idle"]
    assert cell.result is None
    open_gate(prepared)
    cell.wait_for(lambda cell: cell.result == "42" and cell.stdout == "late\n", "its late output")
    assert len(cell.replies) == 1
    assert cell.states.count("idle") == 1


def test_its_error_comes_late_as_well_and_its_input_is_refused(prepared: Notebook) -> None:
    fails = prepared.run(f"%%background\n{WAITS['plain']}\n1 / 0", allow_stdin=True, metadata={})
    asks = prepared.run(f"%%background\n{WAITS['plain']}\ninput()", allow_stdin=True, metadata={})
    open_gate(prepared)
    fails.wait_for_text("ZeroDivisionError")
    asks.wait_for_text("StdinNotImplementedError")
    assert prepared.run("6 * 7").result == "42"


# --- the debugger


@pytest.fixture
def debugger(prepared: Notebook) -> Iterator[Debugger]:
    with attached(prepared) as debugger:
        yield debugger


STEPS = {
    "plain": "%%background\na = 20\nb = a + 1\nc = b * 2\nc",
    "awaiting": "%%background\na = 20\nawait asyncio.sleep(0)\nc = (a + 1) * 2\nc",
    "below an empty line": "\n%%background\na = 20\nc = (a + 1) * 2\nc",
    "with another directive": "%%background\n%%sync\na = 20\nc = (a + 1) * 2\nc",
}


@pytest.mark.parametrize("code", STEPS.values(), ids=STEPS)
def test_a_breakpoint_in_one_is_hit_and_the_next_cell_runs_meanwhile(code: str, debugger: Debugger) -> None:
    debugger.break_at(code, 4)
    cell = debugger.notebook.submit(code)
    stop = debugger.wait_stopped()
    assert stop.top == ("<module>", 4)
    assert stop.variables("Globals")["a"] == "20"
    stop.go()
    assert cell.wait().result == "42"
    assert debugger.notebook.run("a + 1").result == "21"


def test_a_cell_runs_while_one_is_at_a_breakpoint(debugger: Debugger) -> None:
    code = STEPS["plain"]
    debugger.break_at(code, 4)
    background = debugger.notebook.submit(code)
    stop = debugger.wait_stopped()
    stop.evaluate("b + 1")
    foreground = debugger.notebook.submit("6 * 7")
    stop.go()
    assert foreground.wait().result == "42"
    assert background.wait().result == "42"


# --- widgets


def test_callbacks_run_while_one_runs(prepared: Notebook) -> None:
    prepared.run(
        "from comm import create_comm\nseen = []; comm = create_comm(target_name='nobody')\n"
        "comm.on_msg(lambda message: (seen.append(message['content']['data']['n']), print('called')))"
    )
    comm_id = prepared.run("print(comm.comm_id)").stdout.strip()
    plain_one, awaiting = (in_background(prepared, f"{wait}\nseen") for wait in WAITS.values())
    for number in range(5):
        prepared.request("comm_msg", {"comm_id": comm_id, "data": {"n": number}}).wait_idle()
    assert prepared.run("seen").result == "[0, 1, 2, 3, 4]"
    open_gate(prepared)
    for cell in (plain_one, awaiting):
        assert cell.wait().result == "[0, 1, 2, 3, 4]"
        assert "called" not in cell.stdout


def test_a_callback_of_a_widget_that_one_displays_prints_under_it(prepared: Notebook) -> None:
    code = "import ipywidgets\nb = ipywidgets.Button(); b.on_click(lambda b: print('clicked'))\ndisplay(b)\n"
    cell = in_background(prepared, f"{code}{WAITS['plain']}")
    cell.wait_for(lambda cell: bool(cell.displays), "the button")
    comm_id = prepared.run("print(b.comm.comm_id)").stdout.strip()
    click = {"method": "custom", "content": {"event": "click"}}
    prepared.request("comm_msg", {"comm_id": comm_id, "data": click}).wait_idle()
    assert cell.wait_for_text("clicked").stdout == "clicked\n"
    open_gate(prepared)
    cell.wait()


def test_a_progress_bar_moves_while_the_next_cell_runs(prepared: Notebook) -> None:
    loop = "for step in tqdm(range(3), mininterval=0):\n    while len(gate) < step: time.sleep(.01)"
    code = f"from tqdm import tqdm\n{loop}"
    cell: Cell = in_background(prepared, code)
    for percent in ("33%", "67%"):
        cell.wait_for(lambda cell, percent=percent: percent in cell.stderr, percent)  # type: ignore[misc]
        open_gate(prepared)
    assert "100%" in cell.wait().stderr
