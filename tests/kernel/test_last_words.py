"""What a cell flushed has left the process when the flush returns, however the process ends."""

from __future__ import annotations

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook

FLUSHES = {
    "print": "print('last words', flush=True)",
    "flush": "print('last words'); sys.stdout.flush()",
    "stderr": "print('last words', file=sys.stderr, flush=True)",
    "the other stream's flush": "print('last words'); sys.stderr.flush()",
    "logging": "logging.warning('last words')",
    "much": "print('x' * 5_000_000, 'last words', flush=True)",
    "a thread": "t = threading.Thread(target=lambda: print('last words', flush=True)); t.start(); t.join()",
    "an awaiting cell": "await asyncio.sleep(0); print('last words', flush=True)",
}
ENDS = {
    "abort": "os.abort()",
    "kill": "os.kill(os.getpid(), 9)",
    "exit": "os._exit(0)",
    "segmentation fault": "ctypes.string_at(0)",
}
IMPORTS = "import asyncio, ctypes, logging, os, sys, threading\n"


def end_of(notebook: Notebook, code: str) -> Cell:
    cell = notebook.submit(code)
    notebook.wait_exit()
    notebook.take_rest()
    return cell


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_flushed_line_arrives_though_the_process_ends_at_once(end: str, fresh_notebook: Notebook) -> None:
    assert "last words" in end_of(fresh_notebook, f"{IMPORTS}{FLUSHES['print']}; {end}").text


@pytest.mark.parametrize("flush", FLUSHES.values(), ids=FLUSHES)
def test_every_way_to_flush_keeps_the_promise(flush: str, fresh_notebook: Notebook) -> None:
    assert "last words" in end_of(fresh_notebook, f"{IMPORTS}{flush}; os.kill(os.getpid(), 9)").text


def test_what_was_displayed_before_a_flush_has_left_too(fresh_notebook: Notebook) -> None:
    cell = end_of(fresh_notebook, f"{IMPORTS}display('shown'); sys.stdout.flush(); os._exit(0)")
    assert [data["text/plain"] for data in cell.displays] == ["'shown'"]


def test_a_stop_while_flushes_wait_ends_the_cell_and_loses_no_line(notebook: Notebook) -> None:
    for _ in range(5):
        cell = notebook.submit("n = 0\nwhile True: print(n, flush=True); n += 1")
        cell.wait_for(lambda cell: len(cell.stdout) > 100, "some lines")
        notebook.interrupt("SIGINT")
        error = cell.wait().error
        assert error is not None and error[0] == "KeyboardInterrupt"
        lines = cell.stdout.split()
        assert lines == [str(number) for number in range(len(lines))]
        assert notebook.run("print(n, flush=True)").stdout.split()[0] in (
            str(len(lines)),
            str(len(lines) - 1),
        )
