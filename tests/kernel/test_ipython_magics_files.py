"""Magics that bring code in from outside: `%run`, extensions, `%autoreload`, the working directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import nbformat.v4
import pytest

from tests.kernel.client import Notebook

Write = Callable[[str, str], Path]


@pytest.fixture
def write(notebook: Notebook, tmp_path: Path) -> Write:
    """Writes a file into a directory of the test's, which the kernel works in and imports from."""
    notebook.run(f"%cd -q {tmp_path}\nimport sys\nsys.path[0] = {str(tmp_path)!r}")

    def write(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def as_notebook(*sources: str) -> str:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells.insert(1, nbformat.v4.new_markdown_cell("Words between the cells."))
    return str(nbformat.writes(nbformat.v4.new_notebook(cells=cells)))


# --- %run

SCRIPT = """\
import sys
print(sys.argv[1:], __name__)
from_script = 11
def use(): return from_script"""


def test_run_of_a_script_gives_its_names_to_the_namespace(notebook: Notebook, write: Write) -> None:
    write("script.py", SCRIPT)
    cell = notebook.run("%run script.py one 'two three'")
    assert cell.stdout == "['one', 'two three'] __main__\n"
    assert notebook.run("from_script, use(), __name__").result == "(11, 11, '__main__')"
    assert notebook.run("'__file__' in globals()").result == "False"


def test_run_knows_its_options(notebook: Notebook, write: Write) -> None:
    write("script.py", SCRIPT)
    assert notebook.run("%run -n script.py").stdout == "[] script\n"
    timed = notebook.run("%run -t script.py").stdout
    assert "IPython CPU timings (estimated):" in timed and "Wall time:" in timed
    profiled = notebook.run("%run -p -l script script.py")
    assert [p["source"] for p in profiled.reply["payload"]] == ["page"]
    write("inside.py", "seen = outside + 1")
    notebook.run("outside = 1")
    assert notebook.run("%run inside.py").error == ("NameError", "name 'outside' is not defined")
    assert notebook.run("%run -i inside.py\nseen").result == "2"


def test_a_script_may_use_asyncio_run(notebook: Notebook, write: Write) -> None:
    write("script.py", "import asyncio\nasync def f(): return 42\nprint(asyncio.run(f()))")
    for _ in range(2):
        cell = notebook.run("%run script.py")
        assert cell.stdout == "42\n", cell.text
        notebook.run("import asyncio; await asyncio.sleep(0)")


def test_an_error_in_a_script_points_to_its_lines(notebook: Notebook, write: Write) -> None:
    path = write("failing.py", "def f():\n    1 / 0\nf()\n")
    cell = notebook.run("%run failing.py")
    assert cell.error == ("ZeroDivisionError", "division by zero")
    assert f"{path}:3" in cell.traceback.replace("~", str(Path.home()))
    assert "----> 2     1 / 0" in cell.traceback
    assert "namespace_kernel" not in cell.traceback


def test_a_script_that_exits_leaves_the_kernel_alive(notebook: Notebook, write: Write) -> None:
    write("exits.py", "import sys\nprint('before')\nsys.exit(0)")
    assert notebook.run("%run exits.py").stdout == "before\n"
    assert notebook.run("6 * 7").result == "42"


def test_a_missing_script_is_named(notebook: Notebook, write: Write) -> None:
    assert "File `'no_such_script.py'` not found." in notebook.run("%run no_such_script.py").text


def test_run_of_a_notebook_runs_its_code_cells(notebook: Notebook, write: Write) -> None:
    write("cells.ipynb", as_notebook("first = 5\nprint('in the notebook')", "%time second = first + 1"))
    cell = notebook.run("%run cells.ipynb")
    assert cell.status == "ok", cell.text
    assert cell.stdout.startswith("in the notebook\n")
    assert "Wall time: " in cell.stdout
    assert notebook.run("first, second").result == "(5, 6)"


def test_the_cells_of_a_run_notebook_may_await(notebook: Notebook, write: Write) -> None:
    """In ipykernel: RuntimeError: This event loop is already running."""
    write(
        "awaiting.ipynb",
        as_notebook(
            "import asyncio\nasync def f(): return 3",
            "await asyncio.sleep(0)\nfirst = await f()",
            "%time second = await f()",
            "third = asyncio.run(f())",
        ),
    )
    cell = notebook.run("%run awaiting.ipynb")
    assert (cell.status, cell.error) == ("ok", None), cell.text
    assert notebook.run("first, second, third").result == "(3, 3, 3)"


def test_run_of_a_file_with_magics_may_await(notebook: Notebook, write: Write) -> None:
    write("lines.ipy", "import asyncio\nprinted = !echo hello\nawait asyncio.sleep(0)\nlast = printed.s\n")
    cell = notebook.run("%run lines.ipy")
    assert (cell.status, cell.error) == ("ok", None), cell.text
    assert notebook.run("last").result == "'hello'"


def test_a_notebook_that_awaits_is_refused_clearly_in_a_cell_that_awaits(
    notebook: Notebook, write: Write
) -> None:
    """A loop cannot be run inside itself; the remedy is a cell of its own."""
    write("awaiting.ipynb", as_notebook("import asyncio", "await asyncio.sleep(0); bound = 'inside'"))
    cell = notebook.run("import asyncio\nawait asyncio.sleep(0)\n%run awaiting.ipynb")
    assert cell.error is not None and cell.error[0] == "RuntimeError"
    assert "was called without `await`" not in cell.text
    assert notebook.run("%run awaiting.ipynb\nbound").result == "'inside'"


# --- extensions

EXTENSION = """\
def load_ipython_extension(shell): shell.push({"loaded": loaded + 1})
def unload_ipython_extension(shell): shell.push({"loaded": 0})
loaded = 0"""


def test_an_extension_is_loaded_reloaded_and_unloaded(notebook: Notebook, write: Write) -> None:
    path = write("an_extension.py", EXTENSION)
    assert notebook.run("%load_ext an_extension\nloaded").result == "1"
    assert "already loaded" in notebook.run("%load_ext an_extension").stdout
    path.write_text(EXTENSION.replace("loaded + 1", "loaded + 2"))
    os.utime(path, (2e9, 2e9))
    assert notebook.run("%reload_ext an_extension\nloaded").result == "2"
    assert notebook.run("%unload_ext an_extension\nloaded").result == "0"
    assert notebook.run("%load_ext no_such_extension").reply["ename"] == "ModuleNotFoundError"


WITH_MAGICS = """\
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
@magics_class
class Ours(Magics):
    @line_magic
    def twice(self, line): return eval(line, self.shell.user_ns) * 2
    @cell_magic
    def upper(self, line, cell): print(cell.upper(), end="")
def load_ipython_extension(shell): shell.register_magics(Ours)"""


def test_an_extension_s_magics_work_in_both_kinds_of_cell(notebook: Notebook, write: Write) -> None:
    write("some_magics.py", WITH_MAGICS)
    notebook.run("%load_ext some_magics\nimport asyncio\nx = 21")
    assert notebook.run("%twice x").result == "42"
    assert notebook.run("await asyncio.sleep(0)\ny = %twice x\ny").result == "42"
    assert notebook.run("%%upper\nword\n").stdout == "WORD\n"


@pytest.mark.parametrize("waiting", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_autoreload_takes_changes_before_a_cell_of_either_kind(
    waiting: str, notebook: Notebook, write: Write, request: pytest.FixtureRequest
) -> None:
    module = f"changing_{request.node.callspec.id}"
    text = "def f(): return 'old'\nclass C:\n    def m(self): return 'old'\n"
    path = write(f"{module}.py", text)
    notebook.run(f"%load_ext autoreload\n%autoreload 2\nimport asyncio, {module}\nfrom {module} import f, C")
    assert notebook.run("c = C(); f(), c.m()").result == "('old', 'old')"
    path.write_text(text.replace("old", "new"))
    os.utime(path, (2e9, 2e9))
    assert notebook.run(f"{waiting}f(), c.m(), {module}.f()").result == "('new', 'new', 'new')"
    assert notebook.run("%autoreload 0").status == "ok"


# --- files and the working directory


def test_cd_changes_the_directory_of_both_kinds_of_cell(notebook: Notebook, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    notebook.run(f"%cd -q {tmp_path}\nimport asyncio, os")
    assert notebook.run("%cd inner").stdout == f"{inner}\n"
    assert notebook.run("os.getcwd()").result == repr(str(inner))
    assert notebook.run("await asyncio.sleep(0); os.getcwd()").result == repr(str(inner))
    assert notebook.run("str(_dh[-1])").result == repr(str(inner))
    assert notebook.run("!pwd").stdout.strip() == str(inner)
    notebook.run("%cd -")
    assert notebook.run("%pwd").result == repr(str(tmp_path))
    assert "No such file or directory" in notebook.run("%cd no_such_directory").text


def test_writefile_load_and_pycat(notebook: Notebook, write: Write) -> None:
    assert notebook.run("%%writefile made.py\nx = 1\n").stdout == "Writing made.py\n"
    assert notebook.run("%%writefile -a made.py\ny = 2\n").stdout == "Appending to made.py\n"
    (payload,) = notebook.run("%load made.py").reply["payload"]
    assert (payload["source"], payload["replace"]) == ("set_next_input", True)
    assert payload["text"] == "# %load made.py\nx = 1\ny = 2\n"
    (payload,) = notebook.run("%pycat made.py").reply["payload"]
    assert payload["source"] == "page"


def test_save_and_notebook_write_what_was_entered(notebook: Notebook, write: Write, tmp_path: Path) -> None:
    first = notebook.run("saved_here = 1")
    notebook.run("import asyncio; await asyncio.sleep(0)")
    notebook.run(f"%save saved.py {first.count}-{first.count + 1}")
    written = (tmp_path / "saved.py").read_text()
    assert "saved_here = 1\nimport asyncio; await asyncio.sleep(0)\n" in written
    notebook.run("%notebook session.ipynb")
    sources = [cell["source"] for cell in nbformat.read(tmp_path / "session.ipynb", 4).cells]
    assert "saved_here = 1" in sources
