"""Names of lazy imports (PEP 810) in each kind of cell, and on their way to other processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.kernel.client import Notebook

pytestmark = pytest.mark.skipif(sys.version_info < (3, 15), reason="lazy imports came with Python 3.15")

LAZY = """\
import asyncio, sys
lazy import wave as sounds
lazy import xml.dom.minidom
lazy from colorsys import hls_to_rgb as colour
lazy import nothing_of_that_name as nothing
def shown(): return sounds.__name__, xml.dom.minidom.__name__, colour(0, 0, 0)
"""
ALL = "('wave', 'xml.dom.minidom', (0, 0, 0))"


@pytest.fixture
def lazy(notebook: Notebook) -> Notebook:
    notebook.run(
        "import sys\nfor name in ('wave', 'colorsys', 'xml.dom.minidom'): sys.modules.pop(name, None)"
    )
    assert notebook.run(LAZY).status == "ok"
    return notebook


@pytest.mark.parametrize("cell", ["shown()", "await asyncio.sleep(0, shown)\nshown()"])
def test_cells_of_both_kinds_import_when_they_use_it(cell: str, lazy: Notebook) -> None:
    assert lazy.run("'wave' in sys.modules").result == "False"
    assert lazy.run(cell).result == ALL
    assert "ModuleNotFoundError" in lazy.run("nothing").text
    assert lazy.run("'wave' in sys.modules").result == "True"


def test_an_isolated_cell_has_them(lazy: Notebook) -> None:
    cell = lazy.run("%%isolated\nprint(shown(), colour(0, 0, 0))")
    assert cell.stdout == f"{ALL} (0, 0, 0)\n", cell.text
    cell = lazy.run("%%isolated\nnothing")
    assert "NameError" in cell.text and "No module named 'nothing_of_that_name'" in cell.text


def test_what_an_isolated_cell_imports_lazily_comes_back(lazy: Notebook) -> None:
    lazy.run("%%isolated\nlazy import sndhdr_of_ours\nlazy import wave as again\ndel sndhdr_of_ours").wait()
    assert lazy.run("again.__name__").result == "'wave'"


def test_a_function_that_uses_them_goes_to_a_pool(lazy: Notebook) -> None:
    lazy.run("import concurrent.futures, multiprocessing")
    code = "context = multiprocessing.get_context('spawn')\n"
    code += "with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:\n"
    assert lazy.run(code + "    print(pool.submit(shown).result())").stdout == f"{ALL}\n"


def test_a_python_that_imports_all_lazily(tmp_path: Path, kernel_env: dict[str, str]) -> None:
    notebook = Notebook(tmp_path, {**kernel_env, "PYTHON_LAZY_IMPORTS": "all"})
    try:
        assert notebook.run("import asyncio, sys, wave\nsys.get_lazy_imports()").result == "'all'"
        assert notebook.run("type(globals()['wave']).__name__").result == "'lazy_import'"
        assert notebook.run("asyncio.run(asyncio.sleep(0, 1))").result == "1"
        assert notebook.run("task = asyncio.create_task(asyncio.sleep(600))\nlen(asyncio.all_tasks())").result
        assert "sleep" in notebook.run("%ps").text
        assert notebook.run("%%isolated\nprint(wave.__name__)").stdout == "wave\n"
    finally:
        notebook.close()
