"""The example notebooks, run by the programs that run notebooks without a person."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.kernel.cells import plain
from tests.kernel.client import ROOT

#: Those that run to their end: one kills its kernel, see `test_durable_example.py`.
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.ipynb") if path.stem != "durable")
#: One starts processes and a cluster: seconds that a loaded machine needs.
PATIENCE = 280
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=[path.stem for path in EXAMPLES])


def test_there_are_examples() -> None:
    assert {"tour", "async_and_sync", "side_by_side", "elsewhere"} <= {path.stem for path in EXAMPLES}


def check_executed(notebook: Any) -> None:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert cells
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if "raises-exception" not in cell.metadata.get("tags", []):
            assert not errors, cell.source


@pytest.mark.timeout(PATIENCE + 20)
@each_example
def test_nbconvert_executes_the_example(
    example: Path, installed_kernelspec: str, kernel_env: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--execute", "--to", "notebook"]
    command += [
        f"--ExecutePreprocessor.kernel_name={installed_kernelspec}",
        f"--ExecutePreprocessor.timeout={PATIENCE}",
    ]
    command += ["--output-dir", str(tmp_path), str(example)]
    done = subprocess.run(
        command, env=kernel_env, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    check_executed(nbformat.read(tmp_path / example.name, as_version=4))


@pytest.mark.timeout(PATIENCE + 20)
@each_example
def test_nbclient_executes_the_example(example: Path, jupyter_environment: str) -> None:
    notebook = nbformat.read(example, as_version=4)
    resources = {"metadata": {"path": str(example.parent)}}
    NotebookClient(notebook, timeout=PATIENCE, kernel_name=jupyter_environment, resources=resources).execute()
    check_executed(notebook)


def client(jupyter_environment: str, *cells: str) -> NotebookClient:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    return NotebookClient(notebook, timeout=60, kernel_name=jupyter_environment)


def test_nbclient_s_error_names_the_failing_cell(jupyter_environment: str) -> None:
    with pytest.raises(CellExecutionError) as failed:
        client(jupyter_environment, "x = 1", "x / 0", "raise SystemError('not reached')").execute()
    assert "----> 1 x / 0" in plain(str(failed.value))
    assert "ZeroDivisionError: division by zero" in plain(str(failed.value))


def test_nbclient_s_timeout_interrupts_the_cell_and_goes_on(jupyter_environment: str) -> None:
    for sleep in ("import time; time.sleep(60)", "import asyncio; await asyncio.sleep(60)"):
        running = client(jupyter_environment, sleep, "6 * 7")
        running.timeout = 2
        running.interrupt_on_timeout = True
        running.allow_errors = True
        running.execute()
        assert running.nb.cells[0].outputs[-1].ename == "KeyboardInterrupt"
        assert running.nb.cells[1].outputs[0].data["text/plain"] == "42"


async def test_nbclient_runs_a_notebook_inside_a_running_loop(jupyter_environment: str) -> None:
    running = client(jupyter_environment, "import asyncio; asyncio.run(asyncio.sleep(0, 42))")
    await asyncio.wait_for(running.async_execute(), 60)
    assert running.nb.cells[0].outputs[0].data["text/plain"] == "42"


def test_the_html_of_an_executed_example_has_its_outputs(
    installed_kernelspec: str, kernel_env: dict[str, str], tmp_path: Path
) -> None:
    cells = ["async def f(): return 'the answer'", "import asyncio; asyncio.run(f())", "await f()"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {
        "name": installed_kernelspec,
        "display_name": "x",
        "language": "python",
    }
    (tmp_path / "small.ipynb").write_text(json.dumps(notebook))
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--execute", "--to", "html", "small.ipynb"]
    done = subprocess.run(
        command, env=kernel_env, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "small.html").read_text().count("the answer") >= 3


def test_what_a_thread_prints_after_its_cell_is_kept(jupyter_environment: str) -> None:
    """nbclient drops what comes for a cell that has ended, so it goes to the one that runs."""
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(
                "import threading\ngo, said = threading.Event(), threading.Event()\n"
                "def work(): go.wait(); print('from the thread'); said.set()\n"
                "threading.Thread(target=work).start()"
            ),
            nbformat.v4.new_code_cell("go.set(); said.wait(30)"),
        ]
    )
    NotebookClient(notebook, timeout=PATIENCE, kernel_name=jupyter_environment).execute()
    printed = [[o.text for o in cell.outputs if o.output_type == "stream"] for cell in notebook.cells]
    assert printed == [[], ["from the thread\n"]]
