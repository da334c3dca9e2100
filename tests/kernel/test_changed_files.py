"""A module that was edited after its import: the traceback says that its lines may be wrong."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

SAID = "was changed after it was imported"
MODULE = "def fail():\n    return 1 / 0\n\ndef other():\n    return 2\n"
EDITS = {
    "a line before it": "# new\n" + MODULE,
    "its own line": MODULE.replace("1 / 0", "undefined / 0"),
    "it is gone": "x = 1\n",
    "no Python": "def fail(:\n",
}


@pytest.fixture
def module(notebook: Notebook, request: pytest.FixtureRequest) -> str:
    """A module of its own for each test, imported from the folder of the notebook."""
    name = f"edited_{abs(hash(request.node.name))}"
    notebook.run("import sys, os, importlib\nsys.path.insert(0, os.getcwd())")
    write(notebook, name, MODULE)
    assert notebook.run(f"importlib.invalidate_caches()\nimport {name} as m").status == "ok"
    return name


def write(notebook: Notebook, name: str, text: str) -> None:
    assert notebook.run(f"open('{name}.py', 'w').write({text!r});").status == "ok"


@pytest.mark.parametrize("mode", ["Context", "Plain", "Verbose"])
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_change_that_concerns_the_traceback_is_told(
    edit: str, mode: str, notebook: Notebook, module: str
) -> None:
    notebook.run(f"%xmode {mode}")
    try:
        assert SAID not in notebook.run("m.fail()").traceback
        write(notebook, module, edit)
        told = notebook.run("m.fail()").traceback
        assert told.count(SAID) == 1 and f"{module}.py {SAID}" in told
    finally:
        notebook.run("%xmode Context")


@pytest.mark.parametrize(
    "edit", [MODULE.replace("2", "3"), MODULE + "# new\n", MODULE], ids=["other", "end", "same"]
)
def test_a_change_that_does_not_is_not(edit: str, notebook: Notebook, module: str) -> None:
    write(notebook, module, edit)
    assert SAID not in notebook.run("m.fail()").traceback


def test_after_a_reload_nothing_is_said(notebook: Notebook, module: str) -> None:
    write(notebook, module, EDITS["a line before it"])
    assert SAID in notebook.run("m.fail()").traceback
    assert SAID not in notebook.run("importlib.reload(m).fail()").traceback


def test_with_autoreload_nothing_is_said(notebook: Notebook, module: str) -> None:
    notebook.run("%load_ext autoreload\n%autoreload 2")
    try:
        for divided in range(2, 5):
            write(notebook, module, MODULE.replace("1 / 0", f"{divided} / 0"))
            cell = notebook.run("m.fail()")
            assert f"----> 2     return {divided} / 0" in cell.traceback
            assert SAID not in cell.traceback
        write(notebook, module, EDITS["a line before it"].replace("1 / 0", "4 / 0"))
        moved = notebook.run("m.fail()").traceback
        assert (SAID in moved) == ("----> 3     return 4 / 0" not in moved), "IPython moves no lines"
    finally:
        notebook.run("%autoreload 0")


def test_it_is_told_of_causes_and_of_tasks_too(notebook: Notebook, module: str) -> None:
    write(notebook, module, EDITS["a line before it"])
    assert SAID in notebook.run("try: m.fail()\nexcept Exception as e: raise ValueError from e").traceback
    assert SAID in notebook.run("import asyncio\nawait asyncio.sleep(0)\nm.fail()").traceback
    cell = notebook.run("async def f(): m.fail()\nt = asyncio.create_task(f())\nawait asyncio.sleep(.01)")
    cell.wait_for_text("A task that this cell started failed")
    assert SAID in cell.text
