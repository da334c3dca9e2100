"""What no cell does, however much there is: look at the heap, or at each name in Python."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

WATCH = """\
import asyncio, gc, sys
scans = []
def watched(function):
    def scan(*args, **options):
        scans.append(function.__name__)
        return function(*args, **options)
    scan.original = function
    return scan
for name in ("get_objects", "get_referrers", "collect"):
    setattr(gc, name, watched(getattr(getattr(gc, name), "original", getattr(gc, name))))
async def f(): pass
None"""


@pytest.mark.parametrize(
    "code",
    [
        "x = 1",
        "x",
        "print(1)",
        "1 / 0",
        "await asyncio.sleep(0)",
        "t = asyncio.create_task(f()); await t",
        "display(1)",
        "%time 1",
        "leaked = f()",
        "f();",
        "%%bash\ntrue",
    ],
)
def test_no_cell_scans_the_heap(notebook: Notebook, code: str) -> None:
    assert notebook.run(WATCH).status == "ok"
    notebook.run(code)
    assert notebook.run("scans").result == "[]"
    assert notebook.run("gc.collect(); scans").result == "['collect']"  # so it would have been seen


def test_the_python_code_that_a_cell_runs_does_not_grow_with_the_names(fresh_notebook: Notebook) -> None:
    """Counted in calls of Python functions on the main thread: between the ends of two cells."""
    count = """\
import sys
calls = [0]
def profile(frame, event, argument):
    if event == "call": calls[0] += 1
sys.setprofile(profile)"""
    read = "_seen = calls[0]; calls[0] = 0; _seen"

    def calls_of_a_cell() -> int:
        for code in (count, read, "x = 1"):
            assert fresh_notebook.run(code).status == "ok"
        result = fresh_notebook.run(f"{read}").result
        assert fresh_notebook.run("sys.setprofile(None)").status == "ok"
        assert result is not None
        return int(result)

    few = calls_of_a_cell()
    assert fresh_notebook.run("globals().update({f'name{i}': i for i in range(100_000)})").status == "ok"
    many = calls_of_a_cell()
    assert few > 100 and many < few + 1000
