"""Lines are counted as the editor shows them, and no comment of the kernel's stands among them."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

#: Cells whose last line fails.
FAILING = {
    "blank lines at the top": "\n\n1/0",
    "blank lines with spaces": "  \n\t\n\nx = 1\n1/0",
    "a directive": "%%sync\nx = 1\n1/0",
    "a directive below blank lines": "\n\n%%async\n\nx = 1\n1/0",
    "a directive and blank lines below": "%%async\n\n\n1/0",
    "in the background": "\n%%background\nx = 1\n1/0",
    "awaiting": "\n\nimport asyncio\nawait asyncio.sleep(0)\n1/0",
    "below a magic": "\n%precision 3\n!true\n1/0",
    "in another process": "\n%%isolated\n\n1/0",
}


@pytest.mark.parametrize("code", FAILING.values(), ids=FAILING)
def test_a_traceback_names_the_line_of_the_editor(code: str, notebook: Notebook) -> None:
    cell = notebook.run(code)
    line = code.count("\n") + 1
    assert f", line {line}\n" in cell.traceback or f", line {line}" in cell.traceback.splitlines()[2]
    assert f"----> {line} 1/0" in cell.traceback
    assert "# %%" not in cell.traceback


@pytest.mark.parametrize("top", ["", "\n\n", "%%sync\n", "\n%%sync\n\n"])
def test_so_do_syntax_errors_warnings_and_receipts(top: str, notebook: Notebook) -> None:
    line = top.count("\n") + 1
    assert f", line {line}" in notebook.run(f"{top}x = (1").traceback
    assert (
        f":{line}: UserWarning: here" in notebook.run(f"{top}import warnings; warnings.warn('here')").stderr
    )
    notebook.run("async def f(): ...")
    assert notebook.run(f"{top}f();").receipt.startswith(f"line {line}: ")


def test_what_is_kept_of_the_cell_has_no_lines_more(notebook: Notebook) -> None:
    cell = notebook.run("\n\nx = 5")
    assert notebook.run(f"In[{cell.count}], _i{cell.count}").result == r"('x = 5', '\n\nx = 5')"


def test_a_class_below_blank_lines_has_its_source(notebook: Notebook) -> None:
    notebook.run("\n\nclass Lines:\n    def f(self): return 1")
    source = notebook.run("import inspect; print(inspect.getsource(Lines), end='')").stdout
    assert source == "class Lines:\n    def f(self): return 1\n"
