"""More files are open than `select.select` can look at, or no more can be opened."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

OPEN = """\
import os, resource
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(_hard, 4096), _hard))
opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
max(opened) >= 1024"""


EVERYTHING = """\
opened = []
while True:
    try:
        opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        break"""


@pytest.fixture
def crowded(fresh_notebook: Notebook) -> Notebook:
    assert fresh_notebook.run(OPEN).result == "True"
    return fresh_notebook


def test_an_isolated_cell_runs_with_many_files_open(crowded: Notebook) -> None:
    cell = crowded.run("%%isolated\nimport os\nprint('said')\nos.write(1, b'written\\n')\nfar = 6 * 7")
    assert cell.status == "ok"
    assert "said" in cell.stdout and "written" in cell.stdout
    assert crowded.run("far").result == "42"


def test_an_isolated_cell_that_prints_much_and_is_lost_is_told_of(crowded: Notebook) -> None:
    cell = crowded.run("%%isolated\nimport os\nprint('x' * 1_000_000, flush=True)\nos._exit(3)")
    assert cell.error is not None and cell.error[0] == "WorkerLostError"
    assert "exit status 3" in cell.error[1]
    assert crowded.run("%%isolated\n1 + 1").result == "2"


@pytest.mark.parametrize("code", ["print('said', flush=True)", "print('said')", "'said'"])
def test_output_arrives_though_no_further_file_can_be_opened(code: str, fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import os, resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))")
    fresh_notebook.run(EVERYTHING)
    for _ in range(2):
        cell = fresh_notebook.run(code)
        assert "said" in cell.text and "Too many" not in cell.text


def test_output_of_c_code_and_children_arrives(crowded: Notebook) -> None:
    cell = crowded.run(
        "import subprocess\nos.write(1, b'written\\n')\nsubprocess.run(['echo', 'child'])\nNone"
    )
    assert cell.stdout.split() == ["written", "child"]
