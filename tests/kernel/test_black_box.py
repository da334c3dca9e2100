"""A kernel that dies leaves word of how, and the next one tells it under its first cell."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from namespace_kernel.durable.last_words import Record, read_page
from tests.kernel.client import PATIENCE, Notebook

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere the system does not tell how a process ended"
)

Start = Callable[[], Notebook]

#: A page of a file that is shorter than the page.
BUS_ERROR = """\
import mmap, tempfile
file = tempfile.TemporaryFile()
file.truncate(mmap.PAGESIZE)
page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
file.truncate(0)
page[0]
"""

TOO_DEEP = "import faulthandler\nfaulthandler._stack_overflow()"

CPU_LIMIT = """\
import resource
resource.setrlimit(resource.RLIMIT_CPU, (1, 2))
while True: pass
"""

IN_A_THREAD = """\
import ctypes, threading
threading.Thread(target=ctypes.string_at, args=(0,)).start()
threading.Event().wait()
"""


def sent(name: str) -> str:
    """Whoever starts the tests may have told all that they start to ignore it, as `nohup` does."""
    heeded = "" if name == "SIGKILL" else f"signal.signal(signal.{name}, signal.SIG_DFL)\n"
    return (
        f"import os, signal, threading\n{heeded}os.kill(os.getpid(), signal.{name})\nthreading.Event().wait()"
    )


DEATHS = {
    "import ctypes\ndef read(): ctypes.string_at(0)\nread()": (
        "crashed by a segmentation fault (SIGSEGV)",
        "line 3 › `read`, line 2 › `string_at`",
    ),
    "import os\nos.abort()": ("crashed by an abort in C code (SIGABRT)", "line 2"),
    BUS_ERROR: ("crashed by a bus error (SIGBUS)", "line 6"),
    TOO_DEEP: ("crashed by a segmentation fault (SIGSEGV)", "line 2"),
    IN_A_THREAD: ("crashed by a segmentation fault (SIGSEGV)", "import ctypes, threading"),
    "import ctypes\nctypes.pythonapi.Py_FatalError(b'no')": ("crashed by an abort", "import ctypes"),
    CPU_LIMIT: ("was ended by SIGXCPU", "In [2]"),
    "import os\nos._exit(3)": ("ended by itself with the exit code 3", "import os"),
    "import os\nos._exit(0)": ("ended by itself with the exit code 0", "import os"),
    "await __import__('asyncio').sleep(0)\nimport os\nos._exit(4)": ("the exit code 4", "await"),
    "%%background\nimport os\nos._exit(5)": ("the exit code 5", "import os"),
    sent("SIGILL"): ("crashed by an illegal instruction (SIGILL)", "In [2]"),
    sent("SIGFPE"): ("crashed by an arithmetic error in C code (SIGFPE)", "In [2]"),
    **{
        sent(name): (f"was ended by {name}", "In [2]")
        for name in ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR1")
    },
    sent("SIGKILL"): ("was killed (SIGKILL)", "In [2]"),
    "import os\nos.closerange(3, 1000)": ("its own file descriptors were closed", ""),
}


def wait_for_word(directory: Path) -> Record:
    """Wait until the end of the kernel in `directory` is written down, without asking the system for it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        record = read_page(directory / "connection.blackbox")
        if record is not None and record.exit_status is not None:
            return record
        time.sleep(0.02)
    pytest.fail("nobody has written down how the kernel ended")


@pytest.fixture
def kernels(tmp_path: Path, kernel_env: dict[str, str]) -> Iterator[Start]:
    """Starts kernels with one connection file, one after the other."""
    started: list[Notebook] = []

    def start() -> Notebook:
        started.append(Notebook(tmp_path, kernel_env))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.mark.parametrize(("code", "words"), DEATHS.items(), ids=range(len(DEATHS)))
def test_the_next_kernel_tells_how_this_one_died(
    code: str, words: tuple[str, ...], kernels: Start, tmp_path: Path
) -> None:
    first = kernels()
    first.run("kept = 1")
    first.submit(code)
    wait_for_word(tmp_path)
    first.wait_exit()
    second = kernels()
    cell = second.run("1 + 1")
    assert (
        cell.stderr.startswith("namespace_kernel: the kernel before this one ")
        and cell.stderr.count("\n") == 1
    )
    for part in words:
        assert part in cell.stderr
    assert second.run("1 + 1").stderr == ""


def test_it_tells_on_which_line_a_killed_kernel_was(kernels: Start, tmp_path: Path) -> None:
    first = kernels()
    first.submit("import threading\nprint('here')\nthreading.Event().wait()").wait_for_text("here")
    deadline = time.monotonic() + PATIENCE
    while "line 3" not in getattr(read_page(tmp_path / "connection.blackbox"), "line", ""):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    wait_for_word(tmp_path)
    first.wait_exit()
    said = kernels().run("pass").stderr
    assert (
        "was killed (SIGKILL) while In [1] ran" in said
        and "line 3 of In [1]: `threading.Event().wait()`" in said
    )


def test_a_kernel_killed_between_two_cells_says_so(kernels: Start, tmp_path: Path) -> None:
    first = kernels()
    first.run("1")
    os.kill(first.pid, signal.SIGKILL)
    wait_for_word(tmp_path)
    first.wait_exit()
    second = kernels()
    second.run("pass", silent=True)  # what nobody sees is no place for it
    assert "was killed (SIGKILL) while no cell ran" in second.run("pass").stderr


@pytest.mark.parametrize("end", ["shutdown", "exit()", "quit"])
def test_a_kernel_that_ends_in_order_leaves_nothing(end: str, kernels: Start, tmp_path: Path) -> None:
    first = kernels()
    if end == "shutdown":
        first.request("shutdown_request", {"restart": True}, channel="control").wait()
    else:
        first.run(end)
    first.wait_exit()
    assert not list(tmp_path.glob("*.blackbox")) and not list(tmp_path.glob("*.crash"))
    assert kernels().run("1 + 1").stderr == ""


def test_nobody_else_may_read_it(kernels: Start, tmp_path: Path) -> None:
    kernels()
    files = [*tmp_path.glob("*.blackbox"), *tmp_path.glob("*.crash")]
    assert len(files) == 2 and all(file.stat().st_mode & 0o777 == 0o600 for file in files)


def test_where_no_file_can_be_written_the_kernel_works(kernels: Start, tmp_path: Path) -> None:
    (tmp_path / "connection.blackbox").mkdir()
    notebook = kernels()
    assert notebook.run("1 + 1").result == "2"
    assert "there is no black box" in notebook.log


def test_a_forked_child_does_not_end_it(kernels: Start, tmp_path: Path) -> None:
    first = kernels()
    first.run("import os\nchild = os.fork()\nif not child: os._exit(0)\nos.waitpid(child, 0)")
    assert (tmp_path / "connection.blackbox").exists()
    first.run("import os\nchild = os.fork()\nif not child: os.kill(os.getpid(), 11)\nos.waitpid(child, 0);")
    os.kill(first.pid, signal.SIGKILL)
    wait_for_word(tmp_path)
    first.wait_exit()
    assert "was killed (SIGKILL) while no cell ran" in kernels().run("pass").stderr
