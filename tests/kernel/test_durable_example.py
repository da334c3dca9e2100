"""The example notebook that kills itself and goes on."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.kernel.cells import Cell
from tests.kernel.client import ROOT, Notebook


def code_cells() -> list[str]:
    cells = json.loads((ROOT / "examples" / "durable.ipynb").read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def wait_until_kept(notebook: Notebook, cell: Cell, folder: Path) -> None:
    """Wait until there is a state after `cell`: whoever goes from cell to cell takes longer than that."""
    (path,) = folder.rglob("journal.db")
    for _ in range(4000):
        with closing(sqlite3.connect(path)) as database:
            newest = database.execute("SELECT number, serial FROM cells ORDER BY serial DESC").fetchone()
            (state,) = database.execute("SELECT max(serial) FROM states").fetchone()
        if newest[0] == cell.reply["execution_count"] and state is not None and state >= newest[1]:
            return
        notebook.take_in(0.01)
    raise AssertionError(f"no state after {cell.what}")


def test_it_goes_on_where_it_died(tmp_path: Path, kernel_env: dict[str, str]) -> None:
    env = {**kernel_env, "JPY_SESSION_NAME": "durable.ipynb", "JUPYTER_DATA_DIR": str(tmp_path / "data")}
    notebooks = [Notebook(tmp_path, env)]
    ran: dict[str, Cell] = {}
    for code in code_cells():
        if "SIGKILL" in code:
            notebooks[-1].submit(code)
            notebooks[-1].wait_exit()
            notebooks.append(Notebook(tmp_path, env))
            continue
        ran[code.partition("\n")[0]] = cell = notebooks[-1].run(code)
        assert cell.status == "ok", cell.text
        if code == "next(days)":
            wait_until_kept(notebooks[-1], cell, tmp_path)
    for one in notebooks:
        one.close()
    assert "the kernel before this one" in ran["%restore"].stderr
    assert "not back" in ran["%restore"].displays[-1]["text/plain"]
    assert str(ran["model.next(), model is best, isinstance(model, Forecast), len(frame)"].result).endswith(
        "True, True, 365)"
    )
    assert "2026-01-01" in str(ran["next(days)"].result)
    assert ran["frame.drop(columns='sold', inplace=True)"].result == "['day']"
    assert ran["list(frame)"].result == "['day', 'sold']"
