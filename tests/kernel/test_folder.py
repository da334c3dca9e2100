"""Files beside the notebook that are named like modules: none runs before a cell imports it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from namespace_kernel import install
from tests.kernel import client
from tests.kernel.client import Notebook

#: Some of the library's, and of what the kernel is made of; the kernel has imported them, or will.
NAMES = [
    *("queue", "random", "string", "logging", "socket", "calendar", "token", "signal", "select", "timeit"),
    *("bisect", "copy", "json", "dataclasses", "inspect", "uuid", "asyncio", "threading", "zmq", "IPython"),
    *(
        "tornado",
        "traitlets",
        "sqlite3",
        "ssl",
        "selectors",
        "tempfile",
        "shutil",
        "subprocess",
        "multiprocessing",
        "concurrent",
    ),
    *(
        "platform",
        "typing",
        "contextlib",
        "enum",
        "struct",
        "pickle",
        "hashlib",
        "hmac",
        "datetime",
        "decimal",
    ),
    *("ast", "dis", "email", "html", "code", "pdb", "getpass", "ipykernel", "jupyter_client", "jupyter_core"),
    *(
        "comm",
        "pygments",
        "dateutil",
        "secrets",
        "csv",
        "statistics",
        "numbers",
        "textwrap",
        "argparse",
        "gettext",
    ),
    *("locale", "glob", "fnmatch", "bz2", "lzma", "zipfile", "resource", "weakref", "warnings"),
]
#: What `python -m` itself needs, before it looks for the kernel: only `-P` keeps these from being run.
BY_PYTHON = {"typing", "contextlib", "enum", "weakref", "warnings"}

OLD = ["-Xfrozen_modules=off"]  # what the kernelspec had before
NOW = ["-Xfrozen_modules=off", "-P"]
ISOLATED = ["-Xfrozen_modules=off", "-I"]

StartIn = Callable[..., Notebook]


@pytest.fixture
def start_in(
    tmp_path: Path, kernel_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[StartIn]:
    """Starts a kernel with these flags in a folder that has a file for each name; each notes that it runs."""
    started: list[Notebook] = []

    def start(flags: list[str], names: list[str] = NAMES, **env: str) -> Notebook:
        for name in names:
            note = f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')\n"
            (tmp_path / f"{name}.py").write_text(note + "raise ImportError('the file beside the notebook')\n")
        (tmp_path / "helper.py").write_text("x = 42\ndef double(x): return 2 * x\n")
        argv = [sys.executable, *flags, "-m", "namespace_kernel", "-f", "{connection_file}"]
        monkeypatch.setattr(client, "ARGV", argv)
        environment = {name: value for name, value in kernel_env.items() if not name.startswith("PYTHON")}
        started.append(Notebook(tmp_path, environment | env))
        return started[-1]

    yield start
    for notebook in started:
        notebook.close()


def ran(notebook: Notebook) -> set[str]:
    path = notebook.log_path.parent / "ran"
    return set(path.read_text().split()) if path.exists() else set()


STARTS = {
    "now": (NOW, NAMES, {}),
    "a kernelspec of before": (OLD, [name for name in NAMES if name not in BY_PYTHON], {}),
    "isolated": (ISOLATED, NAMES, {}),
    "PYTHONSAFEPATH": (OLD, NAMES, {"PYTHONSAFEPATH": "1"}),
}


@pytest.mark.parametrize(("flags", "names", "env"), STARTS.values(), ids=STARTS)
def test_none_runs_by_a_start(
    flags: list[str], names: list[str], env: dict[str, str], start_in: StartIn
) -> None:
    notebook = start_in(flags, names, **env)
    assert notebook.run("import random, queue, uuid, sqlite3; queue.Queue.__name__").result == "'Queue'"
    assert "ZeroDivisionError" in notebook.run("1 / 0").text
    assert "os" in notebook.ask("complete_request", {"code": "import o", "cursor_pos": 8})["matches"]
    assert notebook.ask("inspect_request", {"code": "print", "cursor_pos": 5, "detail_level": 0})["found"]
    for code in ("%ps", "%time 1", "%namespace", "await asyncio.sleep(0)", "%%background\n1", "%pinfo print"):
        cell = notebook.run(f"import asyncio\n{code}" if code.startswith("await") else code)
        assert cell.status == "ok", cell.text
    assert ran(notebook) == set()


@pytest.mark.parametrize(("flags", "names", "env"), STARTS.values(), ids=STARTS)
def test_the_folder_comes_after_the_standard_library_unless_python_was_told_not_to_have_it(
    flags: list[str], names: list[str], env: dict[str, str], start_in: StartIn
) -> None:
    notebook = start_in(flags, names, **env)
    cell = notebook.run("import helper; helper.x")
    if flags == ISOLATED or env:
        assert "ModuleNotFoundError" in cell.text
        assert notebook.run("import sys; '' in sys.path").result == "False"
        return
    assert cell.result == "42"
    code = (
        "import sys, os; at = sys.path.index; at(os.path.dirname(os.__file__)) < at('') < len(sys.path) - 1"
    )
    assert notebook.run(code).result == "True"
    assert notebook.run("[os.path.basename(sys.path[at('') + 1]), sys.path.count('')]").result == (
        "['site-packages', 1]"
    )


def test_none_runs_in_the_place_of_a_library_that_the_kernel_imports_when_it_uses_it(
    start_in: StartIn,
) -> None:
    names = [*("jedi", "parso", "stack_data", "executing", "asttokens", "pure_eval", "pexpect", "ptyprocess")]
    names += ["psutil", "cloudpickle", "debugpy", "dateutil", "packaging", "xxhash"]
    notebook = start_in(NOW, names)
    failed = notebook.run("import helper\nhelper.double(object())")
    assert "def double(x)" in failed.traceback and "TypeError" in failed.text
    asked = notebook.ask("complete_request", {"code": "helper.dou", "cursor_pos": 10})
    assert asked["matches"] == ["double"]
    assert notebook.run("!echo said").stdout.split() == ["said"]
    assert notebook.run("%ps").status == "ok"
    isolated = notebook.run("%%isolated\nimport helper\nmade = helper.double(21)")
    assert isolated.status == "ok", isolated.text
    assert notebook.run("import psutil, dateutil.parser, packaging.version; made").result == "42"
    inspect = {"type": "request", "seq": 1, "command": "inspectVariables", "arguments": {}}
    assert notebook.ask("debug_request", inspect, channel="control")["success"]
    assert ran(notebook) == set()
    # Any other name is the folder's, as in ipykernel.
    (notebook.log_path.parent / "tqdm.py").write_text("x = 'the file'\n")
    assert notebook.run("import tqdm; tqdm.x").result == "'the file'"


@pytest.mark.parametrize("flags", [NOW, OLD], ids=["now", "a kernelspec of before"])
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_that_a_cell_starts_run_none_either(
    flags: list[str], method: str, start_in: StartIn
) -> None:
    notebook = start_in(flags, [name for name in NAMES if name not in BY_PYTHON])
    code = (
        "import helper, multiprocessing\n"
        "def add(x): return helper.double(x) + 1\n"
        f"with multiprocessing.get_context({method!r}).Pool(1) as pool: made = pool.map(add, [1, 2])\n"
        "made"
    )
    cell = notebook.run(code)
    assert cell.result == "[3, 5]", cell.text
    shared = "from multiprocessing.shared_memory import SharedMemory\n"
    shared += "memory = SharedMemory(create=True, size=10); memory.close(); memory.unlink()"
    assert notebook.run(shared).status == "ok"
    isolated = notebook.run("%%isolated\nimport helper, random\nmade = helper.double(21), random.__name__")
    assert isolated.status == "ok", isolated.text
    assert notebook.run("made").result == "(42, 'random')"
    assert ran(notebook) == set()


def test_the_options_of_multiprocessing_are_pythons_again_when_the_kernel_ends(start_in: StartIn) -> None:
    notebook = start_in(OLD, [])
    flags = "import multiprocessing.util as util; util._args_from_interpreter_flags()"
    assert notebook.run(flags).result == "['-X', 'frozen_modules=off', '-P']"
    forked = (
        "import os\nreader, writer = os.pipe()\n"
        "if not os.fork():\n"
        "    os.write(writer, str('-P' in util._args_from_interpreter_flags()).encode()); os._exit(0)\n"
        "os.close(writer); os.fdopen(reader).read()"
    )
    assert notebook.run(forked).result == "'False'"


def test_a_folder_of_the_users_environment_stays_where_the_user_has_put_it(
    tmp_path: Path, start_in: StartIn
) -> None:
    packages = tmp_path / "lib" / "site-packages"
    packages.mkdir(parents=True)
    notebook = start_in(NOW, [], PYTHONPATH=str(packages))
    assert notebook.run(f"import sys; sys.path.index({str(packages)!r})").result == "0"
    code = "import os; sys.path.index('') > sys.path.index(os.path.dirname(os.__file__))"
    assert notebook.run(code).result == "True"


def test_ignore_cwd_keeps_the_folder_from_cells(tmp_path: Path, start_in: StartIn) -> None:
    (tmp_path / "ipython").mkdir()
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir()
    (profile / "ipython_config.py").write_text("c.InteractiveShellApp.ignore_cwd = True\n")
    notebook = start_in(NOW, [], IPYTHONDIR=str(tmp_path / "ipython"))
    assert "ModuleNotFoundError" in notebook.run("import helper").text


def test_the_kernelspec_leaves_the_folder_out() -> None:
    spec = json.loads((install.spec_source() / "kernel.json").read_text())
    assert spec["argv"][1:5] == ["-Xfrozen_modules=off", "-P", "-m", "namespace_kernel"]


def test_a_command_of_the_kernels_runs_none(tmp_path: Path) -> None:
    for name in NAMES:
        if name not in BY_PYTHON:
            (tmp_path / f"{name}.py").write_text("raise SystemExit('a file of the folder')\n")
    command = [sys.executable, "-Xfrozen_modules=off", "-m", "namespace_kernel", "install", "--help"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "put" not in done.stderr, done.stderr
