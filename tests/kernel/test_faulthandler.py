"""`faulthandler` tells the user where the threads are, under the cell."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

PREPARE = """\
import faulthandler, os, signal, subprocess, sys, threading, time
def deep(): where()
def where(): faulthandler.dump_traceback()"""

DUMPS = {
    "dump_traceback": "deep()",
    "all threads": "faulthandler.dump_traceback(all_threads=True)",
    "an explicit stream": "faulthandler.dump_traceback(sys.stderr)",
    "later": "faulthandler.dump_traceback_later(0.05); time.sleep(0.5)",
    "a signal": "faulthandler.register(signal.SIGUSR1); os.kill(os.getpid(), signal.SIGUSR1); "
    "faulthandler.unregister(signal.SIGUSR1)",
}


@pytest.fixture
def ready(notebook: Notebook) -> Notebook:
    assert notebook.run(PREPARE).status == "ok"
    return notebook


@pytest.mark.parametrize("code", DUMPS.values(), ids=DUMPS)
def test_a_dump_appears_under_the_cell(code: str, ready: Notebook) -> None:
    cell = ready.run(code + ";")
    assert cell.status == "ok"
    assert "most recent call first" in cell.stderr
    assert "<module>" in cell.stderr
    assert ready.run("print('next')").text == "next\n"


def test_a_dump_of_a_cell_that_blocks_appears_while_it_blocks(ready: Notebook) -> None:
    cell = ready.submit("faulthandler.dump_traceback_later(0.05); gate = threading.Event(); gate.wait(60)")
    cell.wait_for_text("most recent call first")
    assert not cell.done
    ready.interrupt("SIGINT")
    cell.wait()


def test_what_is_written_to_a_stream_s_descriptor_appears_under_the_cell(ready: Notebook) -> None:
    cell = ready.run("""\
subprocess.run(["echo", "child"], stdout=sys.stdout)
subprocess.run(["echo", "to stderr"], stdout=sys.stderr)
os.write(sys.stdout.fileno(), b"raw\\n");""")
    assert cell.stdout == "child\nraw\n"
    assert cell.stderr == "to stderr\n"


def test_what_is_said_of_a_crash_is_in_the_log_of_the_process(fresh_notebook: Notebook) -> None:
    fresh_notebook.submit("import ctypes, faulthandler; faulthandler.enable(); ctypes.string_at(0)")
    fresh_notebook.wait_exit()
    assert "Segmentation fault" in fresh_notebook.log
