"""What the machine does to a kernel that runs: the next cells run all the same, and nothing is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.kernel import client
from tests.kernel.cells import PATIENCE
from tests.kernel.client import ARGV, SPEC, Notebook
from tests.trust.conftest import SOON, WANTED, goes_on, run

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32" or SPEC != "namespace", reason="POSIX, and a promise of ours"),
    pytest.mark.trust("faults", WANTED, unit="rows"),
]


def _mounts() -> bool:
    """Whether a process here may have mounts of its own."""
    asked = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(asked, capture_output=True, timeout=PATIENCE).returncode == 0
    except OSError:
        return False


with_mounts = pytest.mark.skipif(not _mounts(), reason="nobody may mount here")


def _through_a_shell(monkeypatch: pytest.MonkeyPatch, before: str, *program: str) -> None:
    """Let kernels be started by a shell that carries out `before`."""
    argv = [*program, "/bin/sh", "-c", f'{before}; exec "$0" "$@"', *ARGV]
    monkeypatch.setattr(client, "ARGV", argv)


def _ends_well(notebook: Notebook) -> None:
    notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert notebook.wait_exit(PATIENCE) == 0
    assert "Traceback" not in notebook.log


FILL = """
import os
with open({path!r}, "wb", buffering=0) as file:
    try:
        while True: file.write(bytes(4096))
    except OSError as error: print(error.strerror)
"""


@with_mounts
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_full_disk(
    when: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel_env: dict[str, str]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    before = f"mount -t tmpfs -o size=2m tmpfs {disk}; mkdir {disk}/tmp"
    before += (
        f"; mkdir -p {disk}/home/profile_default/startup; touch {disk}/home/profile_default/startup/README"
    )
    if when == "before":
        before += f"; cat /dev/zero > {disk}/filled 2>/dev/null"
    _through_a_shell(monkeypatch, before, "unshare", "-m")
    home = {name: f"{disk}/home" for name in ("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "XDG_STATE_HOME")}
    notebook = Notebook(tmp_path, kernel_env | home | {"TMPDIR": f"{disk}/tmp"})
    try:
        run(notebook, "kept = ['kept']")
        assert run(notebook, FILL.format(path=f"{disk}/more")).stdout == "No space left on device\n"
        goes_on(notebook)
        assert run(notebook, "1/0").reply["ename"] == "ZeroDivisionError"
        assert run(notebook, "%%isolated\nprint(len(kept) + 1)").stdout == "2\n"
        assert run(notebook, "!echo child").text.strip() == "child"
        cell = run(notebook, f"open('{disk}/one', 'w').write('x' * 1_000_000)")
        assert cell.reply["ename"] == "OSError"
        run(notebook, f"import os\nos.remove('{disk}/more')")
        goes_on(notebook)
        _ends_well(notebook)
    finally:
        notebook.close()


@with_mounts
def test_no_shared_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel_env: dict[str, str]
) -> None:
    _through_a_shell(monkeypatch, "mount -t tmpfs -o ro tmpfs /dev/shm", "unshare", "-m")
    notebook = Notebook(tmp_path, kernel_env)
    try:
        run(notebook, "import numpy as np\nkept = ['kept']; a = np.arange(1_000_000)")
        assert run(notebook, "open('/dev/shm/x', 'w')").reply["ename"] == "OSError"
        assert run(notebook, "%%isolated\nb = a + 1\nint(b[2])").result == "3"
        assert run(notebook, "%%background\nprint('beside')").wait_for_text("beside", SOON).status == "ok"
        goes_on(notebook)
        _ends_well(notebook)
    finally:
        notebook.close()


ENDLESS = {
    "an isolated cell that computes": "%%isolated\nprint('begun', flush=True)\nwhile True: pass",
    "an isolated cell that sleeps": "%%isolated\nimport time\nprint('begun', flush=True)\ntime.sleep(10_000)",
    "an idle worker": "%%isolated\nprint('begun', flush=True)",
    "a background cell elsewhere": "%%background\n%%isolated\nprint('begun', flush=True)\nwhile True: pass",
    # A shell that is just starting another program may lose the signal.
    "a command": f"!{sys.executable} -uc 'import time; print(\"begun\"); time.sleep(10000)'",
    "a child that waits for its parent": "import subprocess\n"
    "child = subprocess.Popen(['sh', '-c', 'echo begun; read -r line'], stdin=subprocess.PIPE)\nchild.wait()",
}


@pytest.mark.parametrize("what", ENDLESS)
def test_nothing_is_left_of_a_kernel_that_is_killed(what: str, spoilt: Notebook) -> None:
    if what == "a command" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        pytest.skip("what `nohup` has started outlives its terminal")
    cell = spoilt.submit(ENDLESS[what]).wait_for_text("begun", SOON)
    assert cell is not None
    kernel = psutil.Process(spoilt.pid)
    others = kernel.children(recursive=True)
    assert others
    kernel.kill()
    _, left = psutil.wait_procs(others, PATIENCE)
    assert left == []


@pytest.mark.parametrize("end", ["", "import asyncio\nawait asyncio.sleep(0)\n", "%%background\n"])
def test_a_cell_does_not_wait_for_a_frontend_that_does_not_read(
    end: str, tmp_path: Path, spoilt: Notebook
) -> None:
    done = tmp_path / "done"
    code = f"{end}for n in range(100_000): print('line', n)\nopen({str(done)!r}, 'w').close()"
    cell = spoilt.submit(code)
    until = time.monotonic() + PATIENCE
    while not done.exists() and time.monotonic() < until:
        time.sleep(0.02)  # and nothing is read
    assert done.exists()
    cell.wait_for(lambda cell: cell.stdout.endswith("line 99999\n"), "all lines")
    assert cell.stdout == "".join(f"line {n}\n" for n in range(100_000))
    goes_on(spoilt)


@pytest.mark.parametrize("code", ["while True: print('line')", "while True: display('line')", "input()"])
def test_a_frontend_that_goes_and_comes_back(code: str, spoilt: Notebook) -> None:
    cell = spoilt.submit(f"print('begun', flush=True)\n{code}", allow_stdin=True)
    cell.wait_for_text("begun", SOON)
    spoilt.client.stop_channels()
    spoilt.connect()
    spoilt.interrupt("SIGINT")
    spoilt.wait_ready()
    while spoilt.run("pass", timeout=SOON).status == "aborted":
        pass  # it was there before the stopped cell had ended
    goes_on(spoilt)


WRITES = {
    "C code and children": "import os, subprocess\nfor _ in range(20): os.write(1, b'x' * 60_000 + b'\\n')\n"
    "subprocess.run(['sh', '-c', 'head -c 500000 /dev/zero; echo; echo done >&2'])",
    "errors": "import os\nfor _ in range(20): os.write(2, b'x' * 60_000 + b'\\n')",
    "logging": "import logging, sys\nlogging.basicConfig(stream=sys.__stderr__, force=True)\n"
    "for _ in range(200): logging.error('x' * 10_000)",
    "the kernel's own log": "for _ in range(200): get_ipython().kernel.log.error('x' * 10_000)",
}


@pytest.mark.parametrize("what", WRITES)
def test_an_output_of_the_process_that_nobody_reads(
    what: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel_env: dict[str, str]
) -> None:
    _through_a_shell(monkeypatch, "mkfifo pipe; exec 3<>pipe; exec >&3 2>&3")
    notebook = Notebook(tmp_path, kernel_env)
    try:
        run(notebook, "kept = ['kept']")
        cell = run(notebook, WRITES[what])
        assert cell.status == "ok"
        if what != "the kernel's own log":  # which no cell shows
            cell.wait_for(lambda cell: cell.text.count("x") >= 1_000_000 or "done" in cell.text, "it", SOON)
        goes_on(notebook)
        notebook.request("shutdown_request", {"restart": False}, channel="control")
        assert notebook.wait_exit(SOON) == 0
    finally:
        notebook.close()


AT_THE_END = {
    "computes": "def end():\n    while True: pass",
    "waits": "import threading\ndef end(): threading.Event().wait()",
    "sleeps, again and again": "import time\ndef end():\n    while True:\n        try: time.sleep(1)\n"
    "        except BaseException: pass",
    "prints": "def end():\n    while True: print('on and on')",
    "waits for a thread": "import threading\ndef end():\n"
    "    thread = threading.Thread(target=threading.Event().wait)\n    thread.start()\n    thread.join()",
}


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("what", AT_THE_END)
def test_a_function_that_never_ends_at_the_end(what: str, restart: bool, spoilt: Notebook) -> None:
    run(spoilt, f"import atexit\n{AT_THE_END[what]}\n_ = atexit.register(end)")
    asked = spoilt.request("shutdown_request", {"restart": restart}, channel="control")
    spoilt.wait_exit(SOON)
    spoilt.take_rest()
    assert asked.reply["status"] == "ok"


#: A Stop comes when the child is there, and Python has not been told its number.
STOP_AFTER_FORK = """
import asyncio, os, signal, subprocess
pids, starts = [], (subprocess._fork_exec, os.posix_spawn)
def stopping(start):
    def stopped(*args, **options):
        pids.append(start(*args, **options))
        signal.raise_signal(signal.SIGINT)
        return pids[-1]
    return stopped
subprocess._fork_exec, os.posix_spawn = map(stopping, starts)
"""
STARTS = {
    "Popen": "subprocess.Popen(['sleep', '10000'])",
    "Popen with pipes": "child = subprocess.Popen('sleep 10000', shell=True, stdin=-1, stdout=-1, stderr=-1)",
    "run": "subprocess.run(['sleep', '10000'], capture_output=True)",
    "check_output": "try: subprocess.check_output(['sleep', '10000'])\nfinally: print('left')",
    "an awaiting cell": "await asyncio.sleep(0)\nsubprocess.run(['sleep', '10000'])",
    "asyncio": "child = await asyncio.create_subprocess_exec('sleep', '10000')\nawait child.wait()",
}


def _pipes(pid: int) -> list[str]:
    """The pipes and process handles of a process. Its history and its sockets may open at any moment."""
    links = []
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):  # it was closed meanwhile
            links.append(os.readlink(descriptor))
    return [link for link in links if link.startswith(("pipe:", "anon_inode:[pidfd]"))]


@pytest.mark.parametrize("what", STARTS)
def test_a_stop_while_a_child_is_started_leaves_none(what: str, spoilt: Notebook) -> None:
    run(spoilt, STOP_AFTER_FORK)
    kernel = psutil.Process(spoilt.pid)
    before = len(_pipes(spoilt.pid))
    for _ in range(4):
        cell = run(spoilt, STARTS[what] + "\nprint('goes on')")
        assert cell.reply["ename"] == "KeyboardInterrupt" and "goes on" not in cell.stdout
        assert "namespace_kernel/" not in cell.traceback
        children = [one for one in kernel.children() if one.name() == "sleep"]
        assert psutil.wait_procs(children, PATIENCE)[1] == []
    # asyncio closes some a moment later.
    until = time.monotonic() + PATIENCE
    while len(_pipes(spoilt.pid)) > before and time.monotonic() < until:
        spoilt.take_in(0.1)
    assert len(_pipes(spoilt.pid)) <= before
    assert run(spoilt, "subprocess._fork_exec, os.posix_spawn = starts; len(pids)").result == "4"
    goes_on(spoilt)


def test_the_descriptor_of_the_log_is_not_given_to_others(fresh_notebook: Notebook) -> None:
    descriptor = fresh_notebook.run("import gc, sys; gc.collect(); sys.stderr.descriptor_outside").result
    assert Path(f"/proc/{fresh_notebook.pid}/fd/{descriptor}").resolve() == fresh_notebook.log_path.resolve()
    fresh_notebook.run("get_ipython().kernel.log.warning('it is heard')")
    assert "it is heard" in fresh_notebook.log
