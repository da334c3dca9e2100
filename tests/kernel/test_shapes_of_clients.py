"""What the kernel guesses about a client from the shape of its requests; `docs/frontends.md` says it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook

WITH_ID = {"cellId": "6f1c"}
#: The fields that are looked at, and what each is taken for.
PAGE, TERMINAL, PROGRAM = "a page", "a terminal", "a program"
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "JupyterLab": (PAGE, {"allow_stdin": True, "metadata": WITH_ID}),
    "a page without a keyboard": (PAGE, {"allow_stdin": False, "metadata": WITH_ID}),
    "qtconsole, Spyder and Jupyter console": (TERMINAL, {"allow_stdin": True, "metadata": {}}),
    "a page that sends no id": (TERMINAL, {"allow_stdin": True, "metadata": {"tags": []}}),
    "nbclient": (PROGRAM, {"allow_stdin": False, "metadata": {}}),
}
#: `jupyter_client`'s own call, without options and with one.
SCRIPTS: dict[str, tuple[str, dict[str, Any]]] = {
    "a script": (TERMINAL, {}),
    "a script that cannot be asked": (PROGRAM, {"allow_stdin": False}),
}
CLIENTS = [*SHAPES, *SCRIPTS]


def submit(client: str, notebook: Notebook, code: str) -> Cell:
    if client in SHAPES:
        return notebook.submit(code, **SHAPES[client][1])
    return notebook.expect(Cell, notebook.client.execute(code, **SCRIPTS[client][1]), code)


@pytest.mark.parametrize("client", CLIENTS)
def test_what_a_thread_prints_after_its_cell(client: str, notebook: Notebook) -> None:
    started = submit(
        client,
        notebook,
        "import threading; gate = threading.Event()\n"
        "thread = threading.Thread(target=lambda: (gate.wait(), print('late')), daemon=True); thread.start()",
    ).wait()
    later = submit(client, notebook, "gate.set(); thread.join(); print('done')").wait()
    kind = (SHAPES | SCRIPTS)[client][0]
    (later if kind == PROGRAM else started).wait_for_text("late")
    assert later.stdout.split() == (["late", "done"] if kind == PROGRAM else ["done"])


@pytest.mark.parametrize("client", CLIENTS)
def test_when_a_background_cell_is_answered(client: str, notebook: Notebook) -> None:
    notebook.run("import threading; gate = threading.Event()")
    cell = submit(client, notebook, "%%background\nprint('ready'); gate.wait(); print('over')")
    cell.wait_for_text("ready")
    kind = (SHAPES | SCRIPTS)[client][0]
    if kind == TERMINAL:
        cell.wait()
    assert bool(cell.replies) == (kind == TERMINAL)
    notebook.run("gate.set()")
    assert cell.wait_for_text("over").wait().status == "ok"
