"""A Stop beside the garbage collector, and in code where Python ignores exceptions."""

from __future__ import annotations

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import INTERRUPTS, Notebook

#: Each makes garbage whose end runs a line of Python, as the WeakSets do that asyncio and threading have.
GARBAGE = {
    "weak sets": "known = weakref.WeakSet()\ndef make():\n    known.update(Thing() for _ in range(50))",
    "weak values": (
        "known = weakref.WeakValueDictionary()\n"
        "def make():\n    known.update((number, Thing()) for number in range(50))"
    ),
    "callbacks": (
        "known = []\n"
        "def make():\n    known[:] = [weakref.ref(Thing(), lambda reference: len(known)) for _ in range(50)]"
    ),
    "__del__": "def end(self): sum(range(20))\nThing.__del__ = end\ndef make(): [Thing() for _ in range(50)]",
    "tasks": "import asyncio\ndef make(): loop = asyncio.new_event_loop(); loop.close()",
}
PREPARE = "import gc, weakref\nclass Thing:\n    def __init__(self): self.itself = self\n"
WAYS = {
    "plain": "print('at work', flush=True)\nwhile True: make(); gc.collect()",
    "awaiting": (
        "import asyncio\nprint('at work', flush=True)\n"
        "while True: make(); gc.collect(); await asyncio.sleep(0)"
    ),
    "busy in an awaiting cell": (
        "import asyncio\nawait asyncio.sleep(0)\n"
        "print('at work', flush=True)\nwhile True: make(); gc.collect()"
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_stop_beside_the_garbage_collector_is_never_lost(
    garbage: str, way: str, notebook: Notebook
) -> None:
    assert notebook.run(f"{PREPARE}{GARBAGE[garbage]}").status == "ok"
    for number in range(8):
        cell = notebook.submit(WAYS[way])
        cell.wait_for_text("at work")
        notebook.interrupt(INTERRUPTS[number % 2])
        cell.wait()
        assert cell.reply["ename"] == "KeyboardInterrupt"
        assert ignored(cell.text) == []
    assert notebook.run("6 * 7").result == "42"
    assert ignored(notebook.log) == []


def ignored(text: str) -> list[str]:
    """The exceptions that were ignored, but for Python's own, of a loop that a Stop has left half made."""
    lines = [line for line in text.splitlines() if "Exception ignored" in line]
    return [line for line in lines if "BaseEventLoop.__del__" not in line]


SWALLOWED = {
    "__del__": "Ending()",
    "a weak reference's callback": "weakref.ref(kept := Thing(), end); del kept",
    "a callback of C": "ctypes.CFUNCTYPE(None)(end)()",
    "a generator that ends": "generator = generate(); next(generator); del generator",
    "then an open socket ends": "Ending().kept = socket.socket()",
    "then an open file ends": "Ending().kept = File()",
    "then a circle ends": (
        "ending = Ending()\nending.kept = ending, socket.socket(), File()\ndel ending; gc.collect()"
    ),
    "then more than one": "kept = [Ending(), socket.socket(), File(), socket.socket()]; kept.clear()",
}
TO_SWALLOW = """\
import ctypes, gc, io, signal, socket, weakref
def end(*ignored): print('at its end', flush=True); blocked.wait()
def generate():
    try: yield
    finally: end()
class Thing: pass
class Ending: __del__ = end
class File(io.RawIOBase):
    def close(self): sum(range(20)); super().close()
import threading
blocked = threading.Event()
"""


def stopped_at_its_end(notebook: Notebook, code: str) -> Cell:
    """The cell of `code`, to which a Stop was sent when what ends had said so."""
    cell = notebook.submit(code).wait_for_text("at its end")
    notebook.interrupt("SIGINT")
    return cell


@pytest.mark.parametrize("way", ["", "import asyncio; await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
@pytest.mark.parametrize("where", SWALLOWED)
def test_a_stop_of_code_where_exceptions_are_ignored_ends_the_cell(
    where: str, way: str, notebook: Notebook
) -> None:
    notebook.run(TO_SWALLOW)
    code = SWALLOWED[where].replace("weakref.ref(kept", "reference = weakref.ref(kept")
    cell = stopped_at_its_end(notebook, f"{way}{code}\nwhile True: pass").wait()
    assert cell.reply["ename"] == "KeyboardInterrupt" and "ignored" not in cell.text
    assert notebook.run("6 * 7").result == "42"


def test_a_stop_while_another_error_is_told_of_comes_again(notebook: Notebook) -> None:
    notebook.run(TO_SWALLOW + "import sys\nclass Failing:\n    def __del__(self): 1/0")
    notebook.run("class Stderr(io.StringIO):\n    def write(self, text): end()")
    code = "before, sys.stderr = sys.stderr, Stderr()\nFailing()\nwhile True: pass"
    cell = stopped_at_its_end(notebook, code).wait()
    notebook.run("sys.stderr = before")
    assert cell.reply["ename"] == "KeyboardInterrupt"


def test_a_stop_of_a_background_cell_comes_again_too(notebook: Notebook) -> None:
    notebook.run(TO_SWALLOW + "def end(*ignored):\n    print('at its end', flush=True)\n    while True: pass")
    notebook.run("class Ending: __del__ = end")
    cell = stopped_at_its_end(notebook, "%%background\nEnding()\nwhile True: pass")
    cell.wait_for(lambda cell: cell.error is not None, "its end")
    assert cell.error == ("KeyboardInterrupt", "") and "ignored" not in cell.text


def test_a_hook_of_the_notebook_s_is_kept(notebook: Notebook) -> None:
    notebook.run(TO_SWALLOW)
    notebook.run("import sys\nbefore, told = sys.unraisablehook, []\nsys.unraisablehook = told.append")
    cell = stopped_at_its_end(notebook, "Ending()\n'went on'")
    assert cell.wait().result == "'went on'"
    assert notebook.run("told[0].exc_type.__name__, sys.unraisablehook == told.append").result == (
        "('KeyboardInterrupt', True)"
    )
    notebook.run("sys.unraisablehook = before")


def test_what_else_fails_where_an_object_ends_is_told_as_ever(notebook: Notebook) -> None:
    cell = notebook.run("class Failing:\n    def __del__(self): 1/0\nFailing(); None")
    assert cell.status == "ok" and "Exception ignored" in cell.stderr and "ZeroDivisionError" in cell.stderr
