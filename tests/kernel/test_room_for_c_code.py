"""C code that holds the interpreter's lock, and writes more than a pipe holds, gets on."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil
import pytest

from namespace_kernel.kernel.wire import overflow
from tests.kernel.client import Notebook

PREPARE = """\
import ctypes, os, subprocess, sys
held = ctypes.PyDLL(None)  # whose functions keep the lock
held.write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
def write(fd, text):
    done = 0
    while done < len(text): done += held.write(fd, text[done:], len(text) - done)"""

WRITES = {
    "printf": "held.printf(b'1' * 100_000); held.fflush(None);",
    "much": "held.printf(b'1' * 100_000 + b'2' * 5_000_000); held.fflush(None);",
    "write": "held.write(1, b'1' * 100_000 + b'2' * 1_000_000, 1_100_000);",
    "several times": "for n in range(20): held.write(1, b'%d' % (n % 10) * 100_000, 100_000)",
    "stderr": "held.write(2, b'1' * 300_000, 300_000);",
}


@pytest.mark.parametrize("code", WRITES.values(), ids=WRITES)
def test_it_arrives_whole_and_the_next_cell_runs(code: str, fresh_notebook: Notebook) -> None:
    """A fresh kernel each: after one that hangs nothing can be said of the next."""
    cell = fresh_notebook.run(f"{PREPARE}\n{code}")
    expected = {
        "printf": "1" * 100_000,
        "much": "1" * 100_000 + "2" * 5_000_000,
        "write": "1" * 100_000 + "2" * 1_000_000,
        "several times": "".join(str(n % 10) * 100_000 for n in range(20)),
        "stderr": "1" * 300_000,
    }[next(name for name, one in WRITES.items() if one == code)]
    assert cell.status == "ok"
    assert cell.text == expected
    assert fresh_notebook.run("print('next')").text == "next\n"


def test_both_streams_at_once_and_again(notebook: Notebook) -> None:
    notebook.run(PREPARE)
    for number in range(3):
        cell = notebook.run(f"write(1, b'o{number}' * 200_000); write(2, b'e{number}' * 200_000)")
        assert cell.stdout == f"o{number}" * 200_000
        assert cell.stderr == f"e{number}" * 200_000


@pytest.mark.parametrize("attempt", range(4))
def test_what_is_written_appears_while_the_cell_goes_on(attempt: int, fresh_notebook: Notebook) -> None:
    """From the first cell on, with which the process begins, and whoever is faster then."""
    for code in ("os.write(1, b'one'); input()", "os.write(2, b'two'); input()"):
        cell = fresh_notebook.submit(f"import os\n{code}", allow_stdin=True)
        cell.wait_for(lambda cell: cell.text in ("one", "two"), "the text")
        cell.wait_for_input_request(1)
        fresh_notebook.answer("")
        cell.wait()


def test_a_child_that_writes_faster_than_the_kernel_reads_loses_nothing(notebook: Notebook) -> None:
    cell = notebook.run("import subprocess; subprocess.run(['seq', '1000000']);")
    assert cell.stdout.split() == [str(number) for number in range(1, 1_000_001)]


def test_it_is_nobody_s_child_and_ends_with_the_kernel(fresh_notebook: Notebook) -> None:
    cell = fresh_notebook.run("import os\ntry: os.wait()\nexcept ChildProcessError: print('no child')")
    assert cell.stdout == "no child\n"
    kernel = psutil.Process(fresh_notebook.pid)
    helper = helper_of(fresh_notebook)
    assert helper not in kernel.children(recursive=True)
    fresh_notebook.submit("import signal; os.kill(os.getpid(), signal.SIGKILL)")
    fresh_notebook.wait_exit()
    assert psutil.wait_procs([helper], timeout=30)[1] == []


def helper_of(notebook: Notebook) -> psutil.Process:
    """The process that reads for the kernel of `notebook`; waits for its beginning, beside the first cell."""
    for _ in range(4000):
        links = Path(f"/proc/{notebook.pid}/fd").iterdir()
        pipes = {file.readlink() for file in links if file.is_symlink()}
        helpers = [one for one in processes(overflow.__file__) if shares_pipe(one, pipes)]
        if helpers:
            break
        notebook.take_in(0.01)
    (helper,) = helpers
    return helper


def processes(script: str) -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return [one for one in found if script in (one.info["cmdline"] or ())]


def shares_pipe(process: psutil.Process, pipes: set[Path]) -> bool:
    """Whether it is the one of the kernel that has these `pipes`."""
    with contextlib.suppress(FileNotFoundError):  # another kernel's, which has just ended
        links = [link.readlink() for link in Path(f"/proc/{process.pid}/fd").iterdir()]
        return any(str(link).startswith("pipe:") and link in pipes for link in links)
    return False


@pytest.mark.parametrize("end", ["os._exit(0)", "os.abort()"])
def test_what_the_pipe_holds_when_the_kernel_dies_is_in_its_log(end: str, fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import os")  # the process is there
    fresh_notebook.submit(f"os.write(1, b'from the pipe\\n'); {end}")
    fresh_notebook.wait_exit()
    for _ in range(1000):  # the log is written by another process
        if "from the pipe" in fresh_notebook.log:
            break
        fresh_notebook.take_in(0.01)
    assert fresh_notebook.log.count("from the pipe") == 1


def test_if_it_is_killed_output_goes_on(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(PREPARE)
    helper = helper_of(fresh_notebook)
    helper.kill()
    psutil.wait_procs([helper], timeout=30)
    for number in range(3):
        cell = fresh_notebook.run(f"os.write(1, b'raw {number}\\n'); os.write(2, b'error {number}\\n');")
        assert (cell.stdout, cell.stderr) == (f"raw {number}\n", f"error {number}\n")


def test_who_writes_faster_than_the_kernel_reads_waits(fresh_notebook: Notebook) -> None:
    """So the process does not grow: here by a gigabyte in some seconds."""
    fresh_notebook.run(PREPARE)
    helper = helper_of(fresh_notebook)
    cell = fresh_notebook.run("subprocess.run('yes | head -c 30000000', shell=True);")
    assert len(cell.stdout) == 30_000_000
    assert helper.memory_info().rss < 30_000_000
