"""Stop while a shell command runs: the cell is over, its next line does not run, and nothing is left."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.kernel.cells import PATIENCE, Cell
from tests.kernel.client import INTERRUPTS, Notebook
from tests.kernel.test_room_for_c_code import helper_of

PREPARE = """\
import asyncio, os, psutil, subprocess, sys
def opened():
    for fd in os.listdir("/proc/self/fd"):
        try: yield os.readlink(f"/proc/self/fd/{fd}").split(":")[0]
        except OSError: pass
def kinds(): return sorted(kind for kind in opened() if kind == "pipe" or "ptmx" in kind)
def left(): return [c.name() for c in psutil.Process().children(recursive=True) if c.is_running()]
steps = []"""
#: Each leaves a file `ready` when it runs.
WAYS = {
    "!": "!touch ready; sleep 60",
    "x = !": "x = !touch ready; sleep 60",
    "%sx": "%sx touch ready; sleep 60",
    "!!": "!!touch ready; sleep 60",
    "a pipe": "!touch ready; sleep 60 | cat",
    "%pip": "%pip --version; touch ready; sleep 60",
    "system": "get_ipython().system('touch ready; sleep 60')",
    "system_raw": "get_ipython().system_raw('touch ready; sleep 60')",
    "getoutput": "get_ipython().getoutput('touch ready; sleep 60')",
    "os.system": "os.system('touch ready; sleep 60')",
    "an alias": "%alias waiting touch ready; sleep 60\n%waiting",
    "a loop": "for i in range(3):\n    !touch ready; sleep 60",
    "a function": "def f():\n    !touch ready; sleep 60\n    steps.append('inner')\nf()",
    "ignores SIGINT": "!trap '' INT; touch ready; sleep 60",
    "ignores it, piped": "x = !trap '' INT; touch ready; sleep 60",
    "a shell's loop": "!touch ready; while true; do sleep .01; done",
    "left behind": "x = !(sleep 60 &); touch ready",
}
both_ways = pytest.mark.parametrize("how", INTERRUPTS)


def prepare(notebook: Notebook, tmp_path: Path) -> Notebook:
    notebook.run("None")
    helper_of(notebook)  # it begins beside the first cell, with pipes
    cell = notebook.run(f"{PREPARE}\n%cd -q {tmp_path}\nbefore = kinds()")
    assert cell.status == "ok", cell.text
    return notebook


@pytest.fixture
def prepared(notebook: Notebook, tmp_path: Path) -> Notebook:
    return prepare(notebook, tmp_path)


def wait_for(notebook: Notebook, file: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not file.exists():
        assert time.monotonic() < until, "the command did not start"
        notebook.take_in(0.01)


def stop_when_ready(notebook: Notebook, code: str, how: str, ready: Path) -> Cell:
    cell, queued = notebook.submit(code), notebook.submit("steps.append('queued')")
    notebook.ask("kernel_info_request")  # what was sent before this has arrived
    wait_for(notebook, ready)
    notebook.interrupt(how)
    cell.wait()
    assert queued.wait().status == "aborted"
    return cell


def assert_over(notebook: Notebook, cell: Cell) -> None:
    assert cell.status == "error", cell.text
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt", cell.text
    assert "namespace_kernel" not in cell.traceback
    assert "UnboundLocalError" not in cell.text
    assert "selectors" not in cell.traceback and "threading" not in cell.traceback
    told = notebook.run("steps, left(), kinds() == before or kinds()")
    assert told.result == "([], [], True)"


@both_ways
@pytest.mark.parametrize("waiting", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
@pytest.mark.parametrize("way", WAYS)
def test_stop_ends_the_cell_with_its_command(
    way: str, waiting: str, how: str, prepared: Notebook, tmp_path: Path
) -> None:
    code = f"{waiting}{WAYS[way]}\nsteps.append('next')"
    assert_over(prepared, stop_when_ready(prepared, code, how, tmp_path / "ready"))


@both_ways
@pytest.mark.parametrize(
    ("magic", "script"),
    [
        ("bash", "sleep 60"),
        ("bash", "while true; do sleep .01; done"),
        ("sh", "while true; do :; done"),
        ("script bash", "sleep 60 &"),
        ("bash --no-raise-error", "sleep 60"),
        ("bash --out taken", "trap '' INT TERM; sleep 60"),
    ],
)
def test_stop_ends_the_cell_with_its_script(
    magic: str, script: str, how: str, prepared: Notebook, tmp_path: Path
) -> None:
    cell = stop_when_ready(prepared, f"%%{magic}\ntouch ready\n{script}\nwait", how, tmp_path / "ready")
    assert_over(prepared, cell)


#: At any instant from the cell's start on, and so while the command is being made.
AT_RANDOM = {
    "!": "!sleep 30",
    "x = !": "x = !sleep 30",
    "os.system": "os.system('sleep 30')",
    "%%bash": "%%bash\nsleep 30",
    "awaiting": "await asyncio.sleep(0)\n!sleep 30",
}


@pytest.mark.parametrize("way", AT_RANDOM)
def test_stop_at_any_instant_ends_the_cell_with_its_command(way: str, prepared: Notebook) -> None:
    chance = random.Random(way)
    for _ in range(40):
        following = "" if way == "%%bash" else "\nsteps.append('next')"
        cell = prepared.submit(AT_RANDOM[way] + following).wait_started()
        at = time.monotonic() + chance.random() * 0.1
        while (left := at - time.monotonic()) > 0:
            prepared.take_in(left)
        prepared.interrupt(chance.choice(INTERRUPTS))
        cell.wait()
        assert_over(prepared, cell)


def test_two_stops_in_a_row_end_it_at_once(prepared: Notebook, tmp_path: Path) -> None:
    cell = prepared.submit("!trap '' INT; touch ready; sleep 60\nsteps.append('next')")
    wait_for(prepared, tmp_path / "ready")
    prepared.interrupt("SIGINT")
    prepared.interrupt("SIGINT")
    cell.wait()
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    gone = prepared.run("while left(): await asyncio.sleep(.01)\nsteps, kinds() == before")
    assert gone.result == "([], True)"


@pytest.mark.parametrize(
    "command",
    ["!sleep 60", "x = !sleep 60", "import os; os.system('sleep 60')"],
    ids=["!", "x = !", "os.system"],
)
def test_stop_ends_a_command_of_a_background_cell(command: str, prepared: Notebook) -> None:
    cell = prepared.submit(f"%%background\n{command}\nsteps.append('next')").wait_started()
    prepared.run("while not left(): await asyncio.sleep(.01)")
    prepared.interrupt("interrupt_request")
    cell.wait()
    assert_over(prepared, cell)


@pytest.mark.parametrize(
    "start", ["!{}", "x = !{}", "import os; os.system('{}')"], ids=["!", "x = !", "os.system"]
)
def test_stop_ends_a_command_of_a_cell_in_another_process(
    start: str, fresh_notebook: Notebook, tmp_path: Path
) -> None:
    prepared = prepare(fresh_notebook, tmp_path)
    process = prepared.run("%%isolated\nimport os; os.getpid()").result
    ready = tmp_path / "ready"
    command = start.format(f"touch {ready}; sleep 60")
    cell = stop_when_ready(prepared, f"%%isolated\n{command}\nprint('next')", "SIGINT", ready)
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    assert "next" not in cell.stdout
    assert prepared.run("'sleep' in left()").result == "False"
    assert prepared.run("%%isolated\nimport os; os.getpid()").result == process, "only the cell has ended"


def test_what_a_command_says_when_it_is_stopped_is_shown(prepared: Notebook, tmp_path: Path) -> None:
    script = "trap 'echo stopped; exit 3' INT; touch ready; sleep 60 & wait"
    cell = stop_when_ready(prepared, f"!{script}", "SIGINT", tmp_path / "ready")
    assert "stopped" in cell.stdout
    assert prepared.run("_exit_code").result == "3"
    assert_over(prepared, cell)
    cell = stop_when_ready(prepared, "!touch again; sleep 60", "SIGINT", tmp_path / "again")
    # Killed where its shell has lost the signal: a command that has just begun gets only a moment.
    assert prepared.run("_exit_code").result in ("-2", "-9")


def test_os_system_is_otherwise_as_python_s(prepared: Notebook) -> None:
    asked = """\
import inspect, pickle, posix
cases = ["true", "exit 3", b"exit 4", "kill -9 $$", "kill -TERM $$", "no-such-program-x 2>/dev/null"]
[os.system(case) for case in cases] == [posix.system(case) for case in cases]"""
    assert prepared.run(asked).result == "True"
    told = """\
str(inspect.signature(os.system)), os.system.__name__, pickle.loads(pickle.dumps(os.system)) is os.system"""
    assert prepared.run(told).result == "('(command)', 'system', True)"
    assert (
        prepared.run("os.system.__doc__ == posix.system.__doc__, os.system(command='exit 1') >> 8").result
        == "(True, 1)"
    )
    for wrong, error in (
        ("os.system()", "TypeError"),
        ("os.system(5)", "TypeError"),
        ("os.system('a\\0')", "ValueError"),
    ):
        cell = prepared.run(wrong)
        assert cell.error is not None and cell.error[0] == error
        assert "namespace_kernel" not in cell.text
    heard = prepared.run("""\
import sys
heard = []
sys.addaudithook(lambda name, args: heard.append(args) if name == 'os.system' else None)
os.system('true')
heard""")
    assert heard.result == "[(b'true',)]"
    assert "hello" in prepared.run("os.system('echo hello')").wait_for_text("hello").stdout


def test_python_s_own_os_system_is_back_at_the_end(fresh_notebook: Notebook, tmp_path: Path) -> None:
    made = tmp_path / "made"
    fresh_notebook.run(f"import atexit, os; atexit.register(os.system, 'touch {made}')")
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert fresh_notebook.wait_exit(30) == 0
    assert made.exists()


def test_stop_ends_a_flood(prepared: Notebook, tmp_path: Path) -> None:
    cell = prepared.submit("!touch ready; yes\nsteps.append('next')")
    wait_for(prepared, tmp_path / "ready")
    cell.wait_for_text("y")
    prepared.interrupt("SIGINT")
    cell.wait()
    assert_over(prepared, cell)


def test_characters_are_whole_however_they_come(prepared: Notebook) -> None:
    text = "ä€𝄞" * 5000
    prepared.run(f"text = {text!r}; open('text', 'w').write(text)")
    assert prepared.run("!cat text").stdout == text
    assert prepared.run("x = !cat text\nx.s == text").result == "True"
    assert prepared.run("%%bash\ncat text").stdout == text


def test_a_command_has_its_terminal_for_itself(prepared: Notebook) -> None:
    cell = prepared.run("!test -t 0 && test -t 1 && test -t 2 && stty size && echo direct > /dev/tty")
    assert cell.stdout.split() == ["24", "80", "direct"]


def test_local_names_are_put_into_commands(prepared: Notebook) -> None:
    code = """\
def f():
    inside = 'local'
    !echo {inside} $inside
    get_ipython().system('echo $inside')
f()"""
    assert prepared.run(code).stdout.split() == ["local"] * 3


# --- a Stop while a magic is loaded, which IPython does when the first of its class is used

STOP_THE_LOADING = """\
manager = get_ipython().magics_manager; register = manager._register
def stop(*args, **options):
    manager._register = register
    raise KeyboardInterrupt
manager._register = stop"""
LOADS = [
    "%%bash\necho not yet",
    "get_ipython().find_magic('sh', 'cell')",
    "get_ipython().run_cell_magic('sh', '', 'echo not yet')",
    "get_ipython().magics_manager.registry['ScriptMagics']",
    "await asyncio.sleep(0)\nget_ipython().find_cell_magic('script')",
]


@pytest.mark.parametrize("code", LOADS)
def test_a_magic_whose_loading_was_stopped_works_in_the_next_cell(
    code: str, fresh_notebook: Notebook
) -> None:
    assert fresh_notebook.run(f"import asyncio\n{STOP_THE_LOADING}").status == "ok"
    assert fresh_notebook.run(code).error == ("KeyboardInterrupt", "")
    assert fresh_notebook.run("%%sh\necho it works").stdout == "it works\n"
