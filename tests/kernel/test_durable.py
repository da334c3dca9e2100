"""`%durable`, `%restore` and `%undo`: what cells have made comes back after the kernel was killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.kernel.cells import Cell, rows_by_name
from tests.kernel.client import Notebook

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="directories and signals are POSIX's")

NAME = "/home/me/Analysis of it.ipynb"
FLUSH = "get_ipython().kernel.durability.journal.flush(30)"


class Kernels:
    """Kernels of one notebook, one after the other."""

    def __init__(self, directory: Path, env: dict[str, str]) -> None:
        self.directory = directory
        self.env = {**env, "JPY_SESSION_NAME": NAME, "JUPYTER_DATA_DIR": str(directory / "data")}
        self.started: list[Notebook] = []

    def start(self, place: str = "a") -> Notebook:
        folder = self.directory / place
        folder.mkdir(exist_ok=True)
        self.started.append(Notebook(folder, self.env))
        return self.started[-1]

    def kill(self, notebook: Notebook) -> None:
        os.kill(notebook.pid, signal.SIGKILL)
        notebook.wait_exit()

    def close(self) -> None:
        for one in self.started:
            one.close()

    @property
    def journals(self) -> Path:
        return self.directory / "data" / "namespace_kernel" / "journals"

    @property
    def journal(self) -> Path:
        (found,) = self.journals.iterdir()
        return found


@pytest.fixture
def kernels(tmp_path: Path, kernel_env: dict[str, str]) -> Iterator[Kernels]:
    with closing(Kernels(tmp_path, kernel_env)) as found:
        yield found


def keep(notebook: Notebook, *cells: str) -> None:
    """Run cells, and wait until what they made is on disk."""
    for code in (*cells, FLUSH):
        cell = notebook.run(code)
        assert cell.status == "ok", cell.text


def rows(cell: Cell) -> dict[str, list[str]]:
    """See `rows_by_name`, of a cell that has succeeded."""
    assert cell.status == "ok", cell.text
    return rows_by_name(cell)


def test_a_kernel_that_never_asked_writes_and_imports_nothing(kernels: Kernels) -> None:
    notebook = kernels.start()
    notebook.run("x = [1]")
    loaded = notebook.run("import sys; [m for m in sys.modules if 'durable.journal' in m]")
    assert loaded.result == "[]"
    assert not kernels.journals.exists()


def test_all_is_back_after_a_kill(kernels: Kernels) -> None:
    first = kernels.start()
    first.run("before = 'it'")
    assert str(kernels.journals) in first.run("%durable").text
    keep(
        first,
        "import math as m\na = b = [1]\ndef f(): return a\nclass C: pass\nc = C()",
        "a.append(2)",
        "gen = (i for i in 'xyz')",
    )
    assert rows(first.run("%durable"))["gen"][2:4] == ["not kept", "In [5]"]
    kernels.kill(first)

    second = kernels.start()
    told = second.run("1").stderr
    assert "the kernel before this one" in told and "`%restore` brings 7 names back" in told
    listed = second.run("%restore --list")
    assert "In [6]" in listed.displays[-1]["text/plain"]
    table = rows(second.run("%restore"))
    assert table["a"][2:4] == ["back", "In [3]"] and table["before"][3] == "In [1]"
    assert table["m"][3] == table["f"][3] == "In [3]"
    assert table["gen"][2:4] == ["not back", "In [5]"]
    checks = second.run("(a is b, f() is a, a, before, type(c) is C, m.pi > 3, 'gen' in globals())")
    assert checks.result == "(True, True, [1, 2], 'it', True, True, False)"
    assert "In [3]" in second.run("%namespace f").displays[-1]["text/plain"]
    second.run("keep_it = a")
    run = second.run("%restore --run")
    assert "Runs In [5]: gen = " in run.text
    assert second.run("next(gen), keep_it is a").result == "('x', True)"


def test_undo_takes_back_one_cell_after_the_other(kernels: Kernels) -> None:
    notebook = kernels.start()
    notebook.run("%durable")
    for code in ("x = [1]", "x.append(2); more = 1", "x.append(3)"):
        keep(notebook, code)
    notebook.run("%undo")
    notebook.run("%undo")
    assert notebook.run("x").result == "[1, 2]"


def test_as_after_a_cell(kernels: Kernels) -> None:
    first = kernels.start()
    keep(first, "%durable", "x = [1]")
    keep(first, "x.append(2); late = 1")
    kernels.kill(first)
    second = kernels.start()
    state = second.run("%restore --cell 2")
    assert "as after In [2]" in state.displays[-1]["text/plain"]
    assert second.run("x, 'late' in globals()").result == "([1], False)"
    assert "no state after In [77] is kept" in second.run("%restore --cell 77").text
    assert "`nothing` is not kept" in second.run("%restore nothing").text


def test_a_task_s_changes_are_kept_at_the_next_look(kernels: Kernels) -> None:
    first = kernels.start()
    keep(first, "%durable", "import asyncio\nbox = []\ngo = asyncio.Event()")
    first.run(
        "async def fill():\n    await go.wait()\n    box.append(1)\n    done.set()\ndone = asyncio.Event()"
    )
    first.run("task = asyncio.create_task(fill())")
    keep(first, "go.set()\nawait done.wait()")
    kernels.kill(first)
    second = kernels.start()
    second.run("%restore box")
    assert second.run("box").result == "[1]"


def test_the_option_keeps_from_the_first_cell_on(kernels: Kernels, tmp_path: Path) -> None:
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "namespace_kernel_config.py").write_text(
        "c = get_config()\nc.NamespaceKernel.durable = 'mine'\n"
    )
    kernels.env["IPYTHONDIR"] = str(tmp_path / "ipython")
    del kernels.env["JPY_SESSION_NAME"]
    first = kernels.start()
    keep(first, "x = 5")
    kernels.kill(first)
    assert kernels.journal.name.startswith("mine-")
    second = kernels.start()
    second.run("%restore")
    assert second.run("x").result == "5"


def test_without_a_name_the_remedy_is_told(kernels: Kernels) -> None:
    del kernels.env["JPY_SESSION_NAME"]
    notebook = kernels.start()
    assert "`%durable NAME` names it" in notebook.run("%durable").text
    assert "from now on" in notebook.run("%durable mine").text


def test_an_orderly_end_keeps_what_the_last_cell_made(kernels: Kernels) -> None:
    first = kernels.start()
    first.run("%durable")
    first.run("x = list(range(1000))")
    first.request("shutdown_request", {"restart": False}, channel="control")
    first.wait_exit()
    second = kernels.start()
    assert second.run("1").stderr == ""
    second.run("%restore")
    assert second.run("len(x)").result == "1000"


def test_two_kernels_with_one_notebook(kernels: Kernels) -> None:
    first, second = kernels.start("a"), kernels.start("b")
    keep(first, "%durable", "x = 1")
    told = second.run("%durable")
    assert told.status == "error" and "another kernel keeps its names" in told.text
    assert second.run("x = 2; x").result == "2"
    kernels.kill(first)
    assert second.run("%durable").status == "ok"


def test_a_place_that_others_may_write_to_is_refused(kernels: Kernels) -> None:
    first = kernels.start()
    keep(first, "%durable", "x = 1")
    kernels.kill(first)
    kernels.journal.chmod(0o777)
    told = kernels.start().run("%restore")
    assert "others may write to" in told.text and "chmod 700" in told.text


def test_forget_and_off(kernels: Kernels) -> None:
    notebook = kernels.start()
    keep(notebook, "%durable", "x = 1")
    assert (kernels.journal.stat().st_mode & 0o777) == 0o700
    assert notebook.run("%durable off").status == "ok"
    assert kernels.journal.exists()
    assert "is removed" in notebook.run("%durable forget").text
    assert not list(kernels.journals.iterdir())
    assert "nothing is kept for this notebook" in notebook.run("%restore").text
    assert "`%durable` begins with it" in notebook.run("%undo").text


def test_what_is_not_written_yet_costs_no_state(kernels: Kernels) -> None:
    """Killed at any instant, the state is that after some cell, and whole: both names go together."""
    for pause in (0.0, 0.003, 0.02, 0.06):
        first = kernels.start()
        keep(first, "%durable", "x = [9] * 100_000; y = [x, 9]")
        for number in range(8):
            first.run(f"x = [{number}] * 100_000; y = [x, {number}]")
        time.sleep(pause)
        kernels.kill(first)
        second = kernels.start()
        table = rows(second.run("%restore x y"))
        assert table["x"][3] == table["y"][3]
        assert second.run("y[0] is x and set(x) == {y[1]} and len(x) == 100_000").result == "True"
        second.run("%durable forget")
        kernels.started.remove(second)
        second.close()


def test_the_files_are_the_user_s_alone(kernels: Kernels) -> None:
    notebook = kernels.start()
    keep(notebook, "%durable", "import numpy as np\nbig = np.arange(100_000)")
    modes = {path.stat().st_mode & 0o077 for path in kernels.journal.rglob("*") if path.is_file()}
    assert modes == {0}
