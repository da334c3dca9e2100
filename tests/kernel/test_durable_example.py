"""The example notebook that kills itself and goes on."""

from __future__ import annotations

import json
from pathlib import Path

from tests.kernel.cells import Cell
from tests.kernel.client import ROOT, Notebook


def code_cells() -> list[str]:
    cells = json.loads((ROOT / "examples" / "durable.ipynb").read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


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
