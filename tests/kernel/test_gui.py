"""GUI toolkits: their loop runs on the main thread while no cell does."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import IN_CI
from tests.kernel.client import Notebook

TICKING = {
    "tk": """\
import tkinter
root = tkinter.Tk(); ticks = []
def tick(): ticks.append(1); root.after(5, tick)
tick()""",
    "qt": """\
from PySide6 import QtCore
ticks = []; timer = QtCore.QTimer()
timer.timeout.connect(lambda: ticks.append(1)); timer.start(5)""",
}
MODULES = {"tk": "tkinter", "qt": "PySide6.QtCore"}


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A virtual screen."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        assert not IN_CI, "CI must have Xvfb"
        pytest.skip("needs a virtual screen: install Xvfb")
    read, write = os.pipe()
    process = subprocess.Popen(
        [xvfb, "-displayfd", str(write), "-screen", "0", "640x480x24"], pass_fds=[write]
    )
    os.close(write)
    with os.fdopen(read) as number:
        yield f":{number.readline().strip()}"
    process.terminate()
    process.wait()


@pytest.fixture(params=["tk", "qt"])
def gui(request: pytest.FixtureRequest, display: str, fresh_notebook: Notebook) -> tuple[str, Notebook]:
    fresh_notebook.run(f"import os; os.environ.update(DISPLAY={display!r}, QT_QPA_PLATFORM='offscreen')")
    if fresh_notebook.run(f"import {MODULES[request.param]}").status != "ok":
        assert not IN_CI, f"CI must have {request.param}"
        pytest.skip(f"this Python has no {request.param}")
    assert fresh_notebook.run(f"%gui {request.param}").status == "ok"
    return request.param, fresh_notebook


def wait_for_ticks(notebook: Notebook) -> None:
    """Until the toolkit has run between cells. Asking is what gives it the time."""
    before = int(notebook.run("len(ticks)").result or 0)
    for _ in range(2000):
        if int(notebook.run("len(ticks)").result or 0) > before + 3:
            return
    raise AssertionError("the toolkit's loop does not run")


def test_a_toolkit_runs_between_cells_and_cells_run_as_ever(gui: tuple[str, Notebook]) -> None:
    name, notebook = gui
    notebook.run(TICKING[name])
    wait_for_ticks(notebook)
    assert notebook.run("import asyncio; await asyncio.sleep(0, 42)").result == "42"
    assert notebook.run("asyncio.run(asyncio.sleep(0, 43))").result == "43"
    wait_for_ticks(notebook)


def test_stop_while_idle_harms_neither_the_toolkit_nor_the_next_cell(gui: tuple[str, Notebook]) -> None:
    name, notebook = gui
    notebook.run(TICKING[name])
    for _ in range(5):
        assert notebook.ask("interrupt_request", channel="control")["status"] == "ok"
    wait_for_ticks(notebook)
    assert notebook.run("6 * 7").result == "42"


def test_the_toolkit_can_be_let_go(gui: tuple[str, Notebook]) -> None:
    name, notebook = gui
    notebook.run(TICKING[name])
    wait_for_ticks(notebook)
    assert notebook.run("%gui").status == "ok"
    stopped = notebook.run("len(ticks)").result
    assert notebook.run("len(ticks)").result == stopped


def test_an_unknown_toolkit_is_refused_with_the_known_ones(notebook: Notebook) -> None:
    cell = notebook.run("%gui no_such_toolkit")
    assert "no_such_toolkit" in cell.text and "qt" in cell.text
    assert notebook.run("6 * 7").result == "42"
