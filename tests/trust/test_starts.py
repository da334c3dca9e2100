"""What the machine does to a kernel's start: it starts, and cells run as ever, or one line says why not."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("files", [40, 48])
def test_too_few_files_are_no_traceback(files: int, tmp_path: Path, kernel_env: dict[str, str]) -> None:
    argv = [str(tmp_path / "connection.json") if word == "{connection_file}" else word for word in ARGV]
    limited = ["/bin/sh", "-c", f'ulimit -n {files}; exec "$0" "$@"', *argv]
    ended = subprocess.run(limited, env=kernel_env, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode and "Traceback" not in ended.stderr
    assert "Too many open files" in ended.stderr
