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


@pytest.fixture
def crowd(notebook: Notebook) -> Notebook:
    """The kernel that the tests share, with many files open."""
    if notebook.run("'opened' in globals()").result == "False":
        assert notebook.run(OPEN).result == "True"
    return notebook


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


COMMANDS = {
    "!": "!echo said",
    "! that is captured": "x = !echo said\nprint(*x)",
    "%sx": "print(*get_ipython().run_line_magic('sx', 'echo said'))",
    "%%bash": "%%bash\necho said",
    "%%bash with input and errors": "%%bash\nread x <<< said; echo $x; echo said >&2",
    "%%script --out": "%%script --out x bash\necho said",
    "%%script --bg": "%%script --bg --out x bash\necho said",
    "system_raw": "get_ipython().system_raw('echo said')",
    "os.system": "_ = os.system('echo said')",
    "os.popen": "print(os.popen('echo said').read())",
    "subprocess": "import subprocess\nprint(subprocess.run(['cat'], input=b'said', stdout=-1).stdout)",
    "asyncio's": "import asyncio\np = await asyncio.create_subprocess_shell('echo said')\nawait p.wait()",
    "%%isolated": "%%isolated\nprint('said')",
    "%%background": "%%background\nx = !echo said\nprint(*x)",
    "a loop of its own": "import asyncio\nprint(asyncio.run(asyncio.sleep(0.01, 'said')))",
    "a pipe": "reader, writer = os.pipe(); os.write(writer, b'said'); print(os.read(reader, 9))",
}


@pytest.mark.parametrize("code", COMMANDS.values(), ids=COMMANDS)
def test_a_command_runs_with_many_files_open(code: str, crowd: Notebook) -> None:
    cell = crowd.run(code)
    if "--out x" in code:
        cell = crowd.run("print(x if isinstance(x, str) else (await x.read()).decode())")
    assert "said" in cell.wait_for_text("said").stdout and cell.status == "ok", cell.text
    assert crowd.run("max(opened) >= 1024").result == "True"


RUNS = "echo runs >&2; sleep 100"


@pytest.mark.parametrize("code", [f"!{RUNS}", f"%%bash\n{RUNS}", f"os.system('{RUNS}')", f"x = !{RUNS}"])
def test_stop_ends_a_command_with_many_files_open(code: str, crowd: Notebook) -> None:
    cell = crowd.submit(code).wait_started()
    if not code.startswith("x"):
        cell.wait_for_text("runs")
    crowd.interrupt("SIGINT")
    assert cell.wait().reply["ename"] == "KeyboardInterrupt"
    assert crowd.run("'next'").result == "'next'"
