"""A cell in another process that writes to the kernel's own descriptors, or cannot have a process."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

WRITE = """\
%%isolated
import os, struct, sys, time
for descriptor in range(3, 256):
    try:
        os.write(descriptor, {data})
    except OSError:
        pass
{then}"""

DATA = {
    "eight gigabytes": "struct.pack('<QQ', 1, 8 << 30) + b'x' * 40",
    "a negative length": "struct.pack('<qq', -1, -1) + bytes(40)",
    "zeros": "bytes(1000)",
    "text": "b'printed to the wrong descriptor, though it has forty bytes'",
    "one byte": "b'?'",
}


@pytest.mark.parametrize("then", ["print('said')", "time.sleep(1000) if {long} else None"])
@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_it_is_told_and_its_process_is_ended(data: str, then: str, notebook: Notebook) -> None:
    code = WRITE.format(data=data, then=then.format(long=data != DATA["one byte"]))
    cell = notebook.run(code)
    assert cell.error is not None and cell.error[0] == "WorkerLostError"
    assert "cannot be understood any more" in cell.error[1]
    assert notebook.run("%%isolated\n6 * 7").result == "42"


def test_closed_descriptors_are_told(notebook: Notebook) -> None:
    cell = notebook.run("%%isolated\nimport os, time\nos.closerange(3, 256)\ntime.sleep(1000)")
    assert cell.error is not None and cell.error[0] == "WorkerLostError"
    assert notebook.run("%%isolated\n6 * 7").result == "42"


HISTORY = """\
import time
history = get_ipython().history_manager
history.db
while getattr(history.save_thread, "db", None) is None:
    time.sleep(.01)  # the file of the history is opened a moment after the first cell"""

ENDED = """\
import resource, threading
for thread in threading.enumerate():
    if thread.name.startswith(('read-', 'write-')):
        thread.join()  # of the process of the last cell: its pipes are closed"""

#: Not all descriptors: threads that write the history and look at the memory open files at any time.
PIPES = """\
import os, stat
def pipes_and_sockets():
    for descriptor in range(resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            continue
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            yield descriptor"""

EXHAUST = """\
opened = []
while True:
    try:
        opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        break
for _ in range({left}):
    os.close(opened.pop())
before = list(pipes_and_sockets())"""


@pytest.mark.parametrize("left", [1, 3, 5])
def test_without_descriptors_for_a_process_the_cell_says_so_and_none_is_lost(
    left: int, fresh_notebook: Notebook
) -> None:
    # What is imported or opened once is there.
    fresh_notebook.run("%config NamespaceKernel.isolated_processes = 0")
    fresh_notebook.run("%%isolated\n1")
    fresh_notebook.run("print('flushed', flush=True)")
    fresh_notebook.run(HISTORY)
    fresh_notebook.run(ENDED)
    fresh_notebook.run("resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))")
    fresh_notebook.run(PIPES)
    fresh_notebook.run(EXHAUST.format(left=left))
    cell = fresh_notebook.run("%%isolated\n1 + 1")
    assert cell.error is not None and cell.error[0] == "WorkerLostError"
    assert "Too many open files" in cell.error[1]
    assert fresh_notebook.run("set(pipes_and_sockets()) - set(before)").result == "set()"
    fresh_notebook.run("for one in opened: os.close(one)")
    assert fresh_notebook.run("%%isolated\n6 * 7").result == "42"
