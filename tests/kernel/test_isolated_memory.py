"""Large arrays in cells of other processes: memory that both have, and that nobody else can see change."""

from __future__ import annotations

import os
import sys

import psutil
import pytest

from tests import shared_memory
from tests.kernel.cells import PATIENCE
from tests.kernel.client import Notebook

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="everything goes through pipes elsewhere")

MAKE = "import numpy as np\na = np.arange(500_000.0)"


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    notebook.run(MAKE)
    return notebook


def test_what_a_cell_does_to_an_array_there_is_not_seen_here_before_it_is_merged(prepared: Notebook) -> None:
    prepared.run("alias = a")
    cell = prepared.run("%%isolated\na[0] = -1\nraise ValueError('no merge')")
    assert cell.error is not None and cell.error[0] == "ValueError"
    assert prepared.run("a[0]").result == "np.float64(0.0)"
    assert prepared.run("%%isolated\na[0]").result == "np.float64(0.0)"
    prepared.run("%%isolated\na[0] = -1")
    assert prepared.run("a[0], alias[0], a.flags.writeable").result == (
        "(np.float64(-1.0), np.float64(0.0), True)"
    )


CHANGES = {
    "in place": "a[3] = 77",
    "all of it": "a += 77 - 3",
    "through a view": "a.reshape(500, 1000)[0, 3] = 77",
    "from a thread": "import threading\nt = threading.Thread(target=lambda: a.__setitem__(3, 77))\n"
    "t.start(); t.join(); del t",
    "by rebinding": "a = a.copy(); a[3] = 77",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes_are_seen_there_and_here(change: str, prepared: Notebook) -> None:
    assert prepared.run("%%isolated\nfloat(a[3])").result == "3.0"
    prepared.run(change)
    assert prepared.run("%%isolated\nfloat(a[3])").result == "77.0"
    prepared.run(f"{MAKE}\n")
    assert prepared.run("%%isolated\nfloat(a[3])").result == "3.0"
    prepared.run(f"%%isolated\n{change}")
    assert prepared.run("float(a[3])").result == "77.0"
    assert prepared.run("%%isolated\nfloat(a[3])").result == "77.0"
    prepared.run("a[3] = 78")
    assert prepared.run("%%isolated\nfloat(a[3])").result == "78.0"


def test_a_new_array_is_an_array_like_any_other_here(prepared: Notebook) -> None:
    prepared.run(
        "%%isolated\nb = a * 2; c = b[::3]; d = b.reshape(500, 1000).T; e = b.view()\n"
        "e.flags.writeable = False"
    )
    code = "b[0] = 5; d[1, 1] = 9; c *= 2; (b.sum() == a.sum() * 2 + 5, b.shape, c[1], e.flags.writeable)"
    assert prepared.run(code).result == "(np.True_, (500000,), np.float64(12.0), False)"
    assert (
        prepared.run("grown = np.append(b, 1); b.sort(); grown.size, float(b[-1])").result
        == "(500001, 999998.0)"
    )


def test_a_child_that_is_forked_here_does_not_write_to_the_kernels_array(prepared: Notebook) -> None:
    prepared.run("%%isolated\nb = a * 2")
    prepared.run(
        "import os\nchild = os.fork()\nif child == 0:\n    b[0] = -1\n    os._exit(0)\nos.waitpid(child, 0)"
    )
    assert prepared.run("float(b[0])").result == "0.0"


def test_background_cells_see_what_the_cells_before_them_have_left(prepared: Notebook) -> None:
    cells = []
    for number in range(4):
        prepared.run(f"a[:] = {number}")
        cells.append(prepared.submit(f"%%background\n%%isolated\nr{number} = sorted(set(a.tolist()))"))
    prepared.run("a[:] = -1")
    for cell in cells:
        cell.wait()
    prepared.run("%wait")
    assert prepared.run("r0, r1, r2, r3").result == "([0.0], [1.0], [2.0], [3.0])"


#: Not all descriptors: threads that write the history and look at the memory open files at any time.
OPENED = """\
import os, gc
def opened():
    count = 0
    for descriptor in os.listdir('/proc/self/fd'):
        try:
            name = os.readlink(f'/proc/self/fd/{descriptor}')
        except OSError:
            continue
        count += name.startswith(('/memfd:', '/dev/shm/', 'pipe:', 'socket:'))
    return count"""


def test_no_descriptor_and_no_memory_is_left(fresh_notebook: Notebook) -> None:
    notebook = fresh_notebook
    notebook.run(f"{MAKE}\n{OPENED}")
    for code in ("%%isolated\nb = a * 2", "del b", "before = opened()"):
        notebook.run(code)
    for _ in range(5):
        notebook.run("%%isolated\nb = a * 2; a[0] += 1")
        notebook.run("del b; a = a.copy()")
    notebook.run("_ = gc.collect()")
    assert int(notebook.run("opened() - before").result or 99) <= 2
    many = "kept = [a + n for n in range(40)]"
    notebook.run(f"%%isolated\n{many}")
    assert notebook.run("all(float(one[0]) == a[0] + n for n, one in enumerate(kept))").result in (
        "True",
        "np.True_",
    )
    notebook.run("del kept\n_ = gc.collect()")
    assert int(notebook.run("opened() - before").result or 99) <= 2


LOW = """\
import resource
limits = resource.getrlimit({0})
resource.setrlimit({0}, ({1}, limits[1]))"""


def test_with_few_descriptors_it_goes_through_the_pipe(fresh_notebook: Notebook) -> None:
    notebook = fresh_notebook
    notebook.run(MAKE)
    notebook.run("%%isolated\n1")
    notebook.run("import os\nspare = [os.open('/dev/null', os.O_RDONLY) for _ in range(50)]")
    notebook.run(LOW.format("resource.RLIMIT_NOFILE", "len(os.listdir('/proc/self/fd')) + 2"))
    notebook.run("lists = [a + n for n in range(10)]")
    assert notebook.run("%%isolated\nback = [one + 1 for one in lists]\nfloat(back[9][0])").result == "10.0"
    assert notebook.run("len(back), float(back[9][1])").result == "(10, 11.0)"


def test_without_memory_to_share_it_goes_through_the_pipe(fresh_notebook: Notebook) -> None:
    notebook = fresh_notebook
    notebook.run(MAKE)
    notebook.run("%%isolated\n1")
    notebook.run("import resource")
    notebook.run(LOW.format("resource.RLIMIT_FSIZE", "2 ** 20"))
    assert notebook.run("%%isolated\nb = a + 1\nfloat(b[1])").result == "2.0"
    assert notebook.run("float(b[2])").result == "3.0"


@pytest.mark.parametrize("way", ["SIGKILL", "os.abort()", "sys.exit"])
def test_a_worker_that_dies_leaves_nothing_and_harms_no_array(way: str, prepared: Notebook) -> None:
    shared = shared_memory.names()
    end = {
        "SIGKILL": "os.kill(os.getpid(), 9)",
        "os.abort()": "os.abort()",
        "sys.exit": "os._exit(3)",
    }[way]
    prepared.run("%%isolated\nb = a * 2")
    cell = prepared.run(f"%%isolated\nimport os\na[0] = -1; b[0] = -1\n{end}")
    assert cell.error is not None and cell.error[0] == "WorkerLostError"
    assert prepared.run("float(a[0]), float(b[0]), float(b[-1])").result == "(0.0, 0.0, 999998.0)"
    assert prepared.run("%%isolated\nfloat(a[0] + b[1])").result == "2.0"
    assert shared_memory.left_behind(shared, prepared.pid) == set()


def test_a_worker_that_is_killed_while_it_gets_an_array_is_told(prepared: Notebook) -> None:
    prepared.run("%%isolated\nimport os\npid = os.getpid()")
    pid = int(prepared.run("pid").result or 0)
    os.kill(pid, 19)  # it reads nothing any more
    cell = prepared.submit("%%isolated\nfloat(a.sum())")
    cell.wait_started()
    os.kill(pid, 9)
    cell.wait()
    assert cell.error is None or cell.error[0] == "WorkerLostError"
    assert prepared.run("%%isolated\nfloat(a[1])").result == "1.0"


def test_a_stop_while_arrays_travel_leaves_all_as_it_was(prepared: Notebook) -> None:
    prepared.run("b = [a + n for n in range(20)]")
    for _ in range(4):
        cell = prepared.submit("%%isolated\nb = [one + 1 for one in b]\nprint('there')\nwhile True: pass")
        cell.wait_started()
        prepared.interrupt("interrupt_request")
        cell.wait()
        assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    assert prepared.run("[float(one[0]) for one in b] == [*range(20)]").result == "True"
    assert prepared.run("%%isolated\nsum(float(one[0]) for one in b)").result == "190.0"


def test_a_kernel_that_is_killed_leaves_no_memory_and_no_process(fresh_notebook: Notebook) -> None:
    shared = shared_memory.names()
    fresh_notebook.run(MAKE)
    fresh_notebook.run("%%isolated\nimport os\nb = a + 1; worker = os.getpid()")
    fresh_notebook.run("%%isolated\nfloat(b.sum())")
    numbers = fresh_notebook.run("import os\nos.getpid(), worker").result or ""
    kernel, worker = (psutil.Process(int(number)) for number in numbers.strip("()").split(","))
    kernel.kill()
    _, alive = psutil.wait_procs([worker], PATIENCE)
    assert not alive and shared_memory.left_behind(shared) == set()
