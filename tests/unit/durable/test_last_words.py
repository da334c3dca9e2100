"""What is said of a kernel's end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from namespace_kernel.durable.last_words import CellRecord, LastWords, Memory, Record
from namespace_kernel.durable.page import boot_id

GIB = 2**30
RECORD = Record(
    pid=1,
    parent=os.getpid(),
    boot=boot_id(),
    asked_to_end=False,
    exit_status=None,
    memory=Memory(0.0, 0, 0),
    line_at=0.0,
    line="",
    cells=(CellRecord(7, 5.0, "main", "work()"),),
)
CRASH = """Fatal Python error: Segmentation fault

Stack (most recent call first):
  File "/lib/ctypes/__init__.py", line 519 in string_at
  File "/tmp/ipykernel_5/77.py", line 3 in f
  File "/tmp/ipykernel_5/77.py", line 9 in <module>
  File "/lib/IPython/core/interactiveshell.py", line 3823 in run_code
"""


def words(crash: str = "", **changes: object) -> str:
    return LastWords(replace(RECORD, **changes), crash).describe()  # type: ignore[arg-type]


def test_sigkill_near_the_limit_was_probably_for_memory() -> None:
    said = words(exit_status=signal.SIGKILL, memory=Memory(0.0, int(3.9 * GIB), 4 * GIB))
    assert "was killed (SIGKILL), probably for memory: 3.9 of 4.0 GiB were in use" in said
    assert "memory" not in words(exit_status=signal.SIGKILL, memory=Memory(0.0, GIB, 4 * GIB))
    assert "memory" not in words(exit_status=signal.SIGKILL, memory=Memory(0.0, GIB, 0))


def test_a_machine_that_was_started_again_is_the_cause() -> None:
    assert "ended because the machine was restarted" in words(boot="another", exit_status=signal.SIGKILL)


def test_a_kernel_that_did_not_end_when_it_was_asked_to() -> None:
    said = words(asked_to_end=True, exit_status=signal.SIGKILL)
    assert "was asked to end, did not in time, and was killed (SIGKILL)" in said
    assert "was asked to end, and did so in the middle of a cell" in words(asked_to_end=True, exit_status=0)


def test_a_server_that_is_gone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert "the program that had started it was gone" in words(parent=gone.pid, exit_status=1 << 8)
    assert "exit code 1" in words(exit_status=1 << 8)


@pytest.mark.parametrize("status", [None, int(signal.SIGSEGV)])
def test_calls_are_shown_from_the_cell_inward_and_without_the_kernels_own(status: int | None) -> None:
    said = words(CRASH, exit_status=status)
    assert "(line 9 › `f`, line 3 › `string_at`, __init__.py, line 519)" in said
    assert "segmentation fault" in said and "interactiveshell" not in said


def test_a_crash_of_a_child_is_not_that_of_the_kernel() -> None:
    said = words(CRASH, exit_status=signal.SIGTERM)
    assert "was ended by SIGTERM" in said and "string_at" not in said and "`work()`" in said


def test_where_the_system_does_not_tell_it_says_what_it_may_have_been() -> None:
    assert "ended without a word: it was killed, or called `os._exit()`" in words()


def test_a_line_of_an_earlier_cell_is_not_told() -> None:
    assert "old" not in words(line="line 1 of In [6]: old()", line_at=4.0)
    assert "line 1 of In [7]: `new()`" in words(line="line 1 of In [7]: new()", line_at=6.0)


def test_cells_that_ran_side_by_side_are_counted() -> None:
    cells = (CellRecord(9, 8.0, "background", "later()"), CellRecord(7, 5.0, "main", "work()"))
    assert "while In [7] and 1 more ran" in words(cells=cells)
    assert "while no cell ran" in words(cells=())


def test_calls_that_went_too_deep() -> None:
    calls = '  File "/tmp/ipykernel_5/77.py", line 3 in f\n' * 100
    deep = f"Fatal Python error: Segmentation fault\n\nStack (most recent call first):\n{calls}  ...\n"
    assert "probably because calls went too deep" in words(deep, exit_status=signal.SIGSEGV)
    assert "too deep" not in words(CRASH, exit_status=signal.SIGSEGV)
