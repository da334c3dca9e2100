"""Cells that wait in the background until a test opens the gate."""

from __future__ import annotations

from tests.kernel.cells import Cell, Message
from tests.kernel.client import Notebook

PREPARE = "import asyncio, threading, time\ngate = []"
#: Waits until the gate is open: on a worker thread, and on the user loop.
WAITS = {
    "plain": "while not gate: time.sleep(.01)",
    "awaiting": "while not gate: await asyncio.sleep(.01)",
}
IN_JUPYTERLAB = {"cellId": "of a page"}


def close_gate(notebook: Notebook) -> Notebook:
    assert notebook.run(PREPARE).status == "ok"
    return notebook


def open_gate(notebook: Notebook) -> None:
    assert notebook.run("gate.append(True)").status == "ok"


def in_background(notebook: Notebook, code: str, **options: object) -> Cell:
    """Sends it with `%%background` above; until it has begun."""
    return notebook.submit(f"%%background\n{code}", **options).wait_started()


def number_of(cell: Cell) -> int:
    """The number that the cell got when it began."""
    inputs: list[Message] = [m["content"] for m in cell.messages if m["msg_type"] == "execute_input"]
    return int(inputs[0]["execution_count"])
