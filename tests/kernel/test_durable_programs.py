"""The journal under what nbconvert and papermill run notebooks by."""

from __future__ import annotations

import nbclient
import nbformat
import pytest
from nbclient.exceptions import CellExecutionError


def run(kernel: str, *cells: str) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])
    client = nbclient.NotebookClient(notebook, kernel_name=kernel, timeout=60)
    client.extra_arguments = ["--NamespaceKernel.durable=a report"]
    client.execute()
    return notebook


def test_a_notebook_that_failed_goes_on_where_it_was(jupyter_environment: str) -> None:
    with pytest.raises(CellExecutionError):
        run(jupyter_environment, "x = [1]\ny = x", "x.append(2)", "1 / 0")
    notebook = run(jupyter_environment, "%restore", "x, x is y")
    assert notebook.cells[1].outputs[0].data["text/plain"] == "([1, 2], True)"
    assert "x" in notebook.cells[0].outputs[0].data["text/plain"]
    run(jupyter_environment, "%durable forget")
