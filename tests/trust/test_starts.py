"""What the machine does to a kernel's start: it starts, and cells run as ever, or one line says why not."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel import client
from tests.kernel.cells import PATIENCE
from tests.kernel.client import ARGV, Notebook
from tests.trust.conftest import goes_on

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and signals are those of POSIX")

ENVIRONMENTS = {
    "asyncio debugs": {"PYTHONASYNCIODEBUG": "1"},
    "Python's development mode": {"PYTHONDEVMODE": "1"},
    "without assertions": {"PYTHONOPTIMIZE": "1"},
    "without docstrings": {"PYTHONOPTIMIZE": "2"},
    "warnings are errors": {"PYTHONWARNINGS": "error"},
    "no locale": {"LANG": "C", "LC_ALL": "C"},
    "output is ASCII": {"PYTHONIOENCODING": "ascii"},
    "no locale, and no UTF-8": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "no home": {"HOME": "/no/such/folder", "IPYTHONDIR": "/no/such/folder/ipython"},
    "IPython's folder is a file": {"IPYTHONDIR": __file__},
    "no folder for temporary files": {"TMPDIR": "/no/such/folder"},
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_kernel_starts_and_cells_run_as_ever(name: str, tmp_path: Path, kernel_env: dict[str, str]) -> None:
    notebook = Notebook(tmp_path, kernel_env | ENVIRONMENTS[name])
    try:
        assert notebook.run("print('é'); kept = ['kept']").text == "é\n"
        assert notebook.run("!echo é").text.strip() == "é"
        assert notebook.run("told = !echo é\nprint(*told)").text == "é\n"
        goes_on(notebook)
        notebook.request("shutdown_request", {"restart": False}, channel="control")
        assert notebook.wait_exit(PATIENCE) == 0
        assert "Traceback" not in notebook.log
    finally:
        notebook.close()


@pytest.mark.parametrize("taken", ["shell", "iopub", "stdin", "control", "hb"])
def test_a_port_that_is_taken_is_one_line(taken: str, tmp_path: Path, kernel_env: dict[str, str]) -> None:
    names = [f"{name}_port" for name in ("shell", "iopub", "stdin", "control", "hb")]
    held = {name: socket.create_server(("127.0.0.1", 0)) for name in names}
    ports = {name: one.getsockname()[1] for name, one in held.items()}
    for name, one in held.items():
        if name != f"{taken}_port":
            one.close()
    facts = {"ip": "127.0.0.1", "transport": "tcp", "key": "k", "signature_scheme": "hmac-sha256", **ports}
    file = tmp_path / "connection.json"
    file.write_text(json.dumps(facts))
    argv = [str(file) if word == "{connection_file}" else word for word in ARGV]
    ended = subprocess.run(argv, env=kernel_env, capture_output=True, text=True, timeout=PATIENCE)
    held[f"{taken}_port"].close()
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert (
        len(re.findall("cannot start: Address already in use.*start the kernel once more", ended.stderr)) == 1
    )


@pytest.mark.parametrize("files", [24, 40, 48, 66])
def test_too_few_files_are_no_traceback(files: int, tmp_path: Path, kernel_env: dict[str, str]) -> None:
    argv = [str(tmp_path / "connection.json") if word == "{connection_file}" else word for word in ARGV]
    limited = ["/bin/sh", "-c", f'ulimit -n {files}; exec "$0" "$@"', *argv]
    ended = subprocess.run(limited, env=kernel_env, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode and "Traceback" not in ended.stderr
    told = "cannot start: Too many open files; a kernel needs about a hundred, so raise the limit"
    assert ended.stderr.count(told) == 1 and ended.stderr.count("\n") == 1


CLOSED = {
    "its input": "exec <&-",
    "its output": "exec >&-",
    "its errors": "exec 2>&-",
    "all": "exec <&- >&- 2>&-",
}


def _through_a_shell(monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    """Let kernels be started by a shell that carries out `before`."""
    monkeypatch.setattr(client, "ARGV", ["/bin/sh", "-c", f'{before}; exec "$0" "$@"', *ARGV])


@pytest.mark.parametrize("what", CLOSED)
def test_a_kernel_starts_though_standard_descriptors_are_closed(
    what: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel_env: dict[str, str]
) -> None:
    _through_a_shell(monkeypatch, CLOSED[what])
    notebook = Notebook(tmp_path, kernel_env)
    try:
        notebook.run("import os; kept = ['kept']")
        cell = notebook.run("os.write(1, b'out\\n'), os.write(2, b'error\\n'); None")
        assert (cell.stdout, cell.stderr) == ("out\n", "error\n")
        assert notebook.run("!echo child; echo other >&2").text.split() == ["child", "other"]
        assert notebook.run("%%isolated\nprint('far')").text == "far\n"
        goes_on(notebook)
    finally:
        notebook.close()


def test_a_kernel_whose_folder_is_gone_begins_at_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel_env: dict[str, str]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    _through_a_shell(monkeypatch, "mkdir gone && cd gone && rmdir ../gone")
    notebook = Notebook(tmp_path, kernel_env | {"HOME": str(home)})
    try:
        assert notebook.run("import os; kept = ['kept']; print(os.getcwd())").text == f"{home}\n"
        assert notebook.log.count(f"the working directory is gone, so cells begin in {home}") == 1
        goes_on(notebook)
    finally:
        notebook.close()


def _ends_at_the_start(before: str, tmp_path: Path, env: dict[str, str]) -> str:
    """What a kernel that a shell starts writes until it ends. It fails."""
    argv = [str(tmp_path / "connection.json") if word == "{connection_file}" else word for word in ARGV]
    by_shell = ["/bin/sh", "-c", f'{before}; exec "$0" "$@"', *argv]
    ended = subprocess.run(by_shell, env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr, ended.stderr
    return ended.stderr


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit is none")


@on_linux
@pytest.mark.parametrize("size", [60_000, 100_000, 200_000, 300_000])
def test_too_little_address_space_is_one_line(size: int, tmp_path: Path, kernel_env: dict[str, str]) -> None:
    told = _ends_at_the_start(f"ulimit -s 8192; ulimit -v {size}", tmp_path, kernel_env)
    assert told.count("cannot start: ") == told.count("`ulimit -v`") == len(told.splitlines()) == 1


@on_linux
def test_large_stacks_are_counted(tmp_path: Path, kernel_env: dict[str, str]) -> None:
    told = _ends_at_the_start("ulimit -s 100000; ulimit -v 2000000", tmp_path, kernel_env)
    assert told.count("cannot start: ") == told.count("`ulimit -v`") == len(told.splitlines()) == 1


@on_linux
@pytest.mark.parametrize("size", [450_000, 600_000, 700_000, 1_000_000])
def test_a_kernel_that_starts_in_little_address_space_answers(
    size: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel_env: dict[str, str]
) -> None:
    _through_a_shell(monkeypatch, f"ulimit -s 8192; ulimit -v {size}")
    notebook = Notebook(tmp_path, kernel_env)
    try:
        notebook.run("kept = ['kept']")
        assert notebook.run("1/0").reply["ename"] == "ZeroDivisionError"
        assert notebook.run("%%background\nprint('beside')").wait_for_text("beside").status == "ok"
        assert notebook.ask("complete_request", {"code": "kept.app", "cursor_pos": 8})["matches"] == [
            "append"
        ]
        goes_on(notebook)
    finally:
        notebook.close()


def test_where_no_file_may_be_written_is_one_line(tmp_path: Path, kernel_env: dict[str, str]) -> None:
    told = _ends_at_the_start("ulimit -f 0", tmp_path, kernel_env)
    assert told.count("cannot start: [Errno 27] File too large") == told.count("`ulimit -f`") == 1


def test_a_first_start_on_a_full_disk_is_one_line(tmp_path: Path, kernel_env: dict[str, str]) -> None:
    full = "mount -t tmpfs -o size=64k tmpfs disk && cat /dev/zero > disk/filled"
    made = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"mkdir disk; {full}"], cwd=tmp_path, capture_output=True
    )
    if b"No space left" not in made.stderr:
        pytest.skip("nobody may mount here")
    disk = f"{tmp_path}/disk"
    before = f"cd {tmp_path}; {full}; true"
    argv = [str(tmp_path / "connection.json") if word == "{connection_file}" else word for word in ARGV]
    by_shell = ["unshare", "-m", "/bin/sh", "-c", f'{before}; exec "$0" "$@"', *argv]
    env = kernel_env | {"HOME": disk, "IPYTHONDIR": f"{disk}/ipython"}
    ended = subprocess.run(by_shell, env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert ended.stderr.count("cannot start: [Errno 28]") == ended.stderr.count("make room") == 1


SHADOWING = {
    "queue.py": "raise RuntimeError('mine')",
    "select.py": "",
    "asyncio/__init__.py": "1/0",
    "logging/__init__.py": "import os",
    "random.py": "from math import *",
    "uuid.py": "1/0",
    "hmac.py": "",
    "tempfile.py": "import sys; sys.exit('mine')",
    # What is imported when the sockets are there already.
    "bdb.py": "1/0",
    "cmd.py": "raise SystemExit(3)",
    "code.py": "from no_such_module import name",
    "pdb.py": "",
    # What is no module of Python's.
    "zmq.py": "1/0",
    "tornado/__init__.py": "",
    "IPython.py": "raise ImportError('mine')",
}


@pytest.mark.parametrize("name", SHADOWING)
def test_a_file_in_the_place_of_a_module_is_named(
    name: str, tmp_path: Path, kernel_env: dict[str, str]
) -> None:
    if Path(name).stem in sys.builtin_module_names:
        pytest.skip("no file stands in the place of what this Python has built in")
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(SHADOWING[name])
    told = _ends_at_the_start(":", tmp_path, kernel_env | {"PYTHONPATH": str(tmp_path)})
    assert told.count("cannot start: ") == told.count(f"{file} stands in the place of") == 1
    assert "take its folder off PYTHONPATH" in told


def test_a_file_that_ends_the_process_is_not_to_blame_for_a_wrong_option(
    tmp_path: Path, kernel_env: dict[str, str]
) -> None:
    (tmp_path / "uuid.py").write_text("from os import *")
    argv = [*ARGV[:-2], "--no-such-option", "word"]
    env = kernel_env | {"PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode and "uuid.py" not in ended.stderr
