"""A cell that takes the last of the memory is stopped while the kernel lives; other cells are left alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.kernel.client import Notebook

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the memory is not watched")

#: Room for 3,000 MiB more than there is, seen as the limit of a container is. A cell is told of after 100 and
#: stopped after 300: what is left is time for a watch that gets no processor.
LIMIT = """
import resource, time
from pathlib import Path
kernel = get_ipython().kernel
used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
limit = used + 3000 * 2**20
kernel.memory_warning, kernel.memory_stop = (used + 100 * 2**20) / limit, (used + 300 * 2**20) / limit
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
"""
NO_LIMIT = "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)"

#: A step of four MiB, at a pace that the watch sees.
STEP = "kept.append(bytearray(2**22)); time.sleep(0.02)"
LOOP = f"kept = []\nwhile True:\n    {STEP}"
GROWING = {
    "a plain cell": LOOP,
    "an awaiting cell": f"import asyncio\n{LOOP.replace('time', 'await asyncio')}",
    "a comprehension": "kept = [time.sleep(0.02) or bytearray(2**22) for _ in iter(int, 1)]",
    "a background cell": f"%%background\n{LOOP}",
    "arrays": f"import numpy as np\n{LOOP.replace('bytearray(2**22)', 'np.ones(2**19)')}",
    "a function": f"def grow(kept):\n    while True:\n        {STEP}\ngrow([])",
}


@pytest.fixture
def limited(notebook: Notebook) -> Iterator[Notebook]:
    notebook.run(LIMIT)
    notebook.run("names = {'kept': 'whole'}")
    yield notebook
    notebook.run(f"kept = None\n{NO_LIMIT}")


@pytest.mark.parametrize("code", GROWING.values(), ids=GROWING)
def test_a_cell_that_grows_is_told_of_and_stopped(code: str, limited: Notebook) -> None:
    cell = limited.submit(code).wait()
    if code.startswith("%%"):
        limited.pump(lambda: "MemoryLimitError" in cell.text, "the error of the background cell")
    else:
        assert cell.error is not None and cell.error[0] == "MemoryLimitError", cell.text
        assert cell.reply["ename"] == "MemoryLimitError"
    assert "(`ulimit -v`)" in cell.text and "memory_stop" in cell.text
    assert cell.stderr.count("of memory are in use") == 1
    assert limited.run("names").result == "{'kept': 'whole'}"


def test_one_huge_allocation_is_pythons_own_error(limited: Notebook) -> None:
    cell = limited.run("x = bytearray(10**12)")
    assert cell.error is not None and cell.error[0] == "MemoryError"


def test_a_cell_that_does_not_grow_is_left_alone_beside_one_that_does(limited: Notebook) -> None:
    still = limited.submit("%%background\nimport asyncio\nprint('begun')\nawait asyncio.Event().wait()")
    still.wait_for_text("begun")
    cell = limited.submit(GROWING["a plain cell"]).wait()
    assert cell.error is not None and cell.error[0] == "MemoryLimitError"
    assert "Memory" not in still.text and "memory" not in still.text
    limited.interrupt("SIGINT")
    still.wait_for_text("KeyboardInterrupt")


def test_both_can_be_turned_off(limited: Notebook) -> None:
    limited.run("kernel.memory_stop = kernel.memory_warning = 0")
    cell = limited.submit("kept = []\nwhile True: kept.append(bytearray(2**26)); time.sleep(0.02)").wait()
    assert cell.error is not None and cell.error[0] == "MemoryError" and "in use" not in cell.text
