"""D6: what C code and children write, the order of a cell's output, and the end of it."""

from __future__ import annotations

import re

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook
from tests.kernel.test_subshells import create
from tests.libraries.widgets import Page

PREPARE = """\
import asyncio, ctypes, multiprocessing, os, subprocess, sys, threading
from IPython.display import HTML
libc = ctypes.CDLL(None)
context = multiprocessing.get_context("fork")
gate, said = threading.Event(), threading.Event()"""


@pytest.fixture
def ready(notebook: Notebook) -> Notebook:
    assert notebook.run(PREPARE).status == "ok"
    return notebook


def seen(cell: Cell) -> str:
    return cell.text + "".join(data.get("text/html", "") for data in cell.displays)


# --- file descriptors and children

DESCRIPTORS = {
    "os.write": r"os.write(1, b'raw\n');",
    "puts": "libc.puts(b'raw'); libc.fflush(None);",
    "os.system": "os.system('echo raw');",
    "subprocess": "subprocess.run(['echo', 'raw']);",
    "subprocess in an awaiting cell": "p = await asyncio.create_subprocess_exec('echo', 'raw')\n"
    "await p.wait();",
}


@pytest.mark.parametrize("code", DESCRIPTORS.values(), ids=DESCRIPTORS)
def test_what_c_code_and_children_write_is_the_running_cell_s(code: str, ready: Notebook) -> None:
    first = ready.submit(code)
    second = ready.submit("print('next')")
    assert (first.wait().stdout, second.wait().stdout) == ("raw\n", "next\n")
    assert first.messages[-1]["content"] == {"execution_state": "idle"}


def test_a_child_s_output_is_all_under_its_cell_though_the_next_begins_at_once(ready: Notebook) -> None:
    for number in range(50):
        first = ready.submit(f"subprocess.run(['sh', '-c', 'seq 300; echo {number} >&2']);")
        second = ready.submit(f"print('next {number}')")
        second.wait()
        assert first.stdout.split() == [str(line + 1) for line in range(300)], number
        assert first.stderr.split() == [str(number)]
        assert second.text == f"next {number}\n"


def test_another_lane_s_cell_does_not_take_what_the_running_cell_s_child_writes(ready: Notebook) -> None:
    cell = ready.submit("print('begins', flush=True)\nsubprocess.run(['seq', '100000']);")
    cell.wait_for_text("begins")
    asked = []
    while not cell.done:
        asked.append(ready.run("%ps"))
    assert {one.stdout for one in asked} <= {"", "Nothing runs.\n"}
    assert cell.stdout.split() == ["begins", *map(str, range(1, 100_001))]


def test_characters_of_several_bytes_arrive_whole(ready: Notebook) -> None:
    cell = ready.run("os.write(1, ('x' + 'é€😀' * 3000).encode());")
    cell.wait_for(lambda cell: len(cell.stdout) == 9001, "all characters")
    assert cell.stdout == "x" + "é€😀" * 3000


def test_a_forked_child_prints_once_and_repeats_nothing(ready: Notebook) -> None:
    # From Python 3.12 on, os.fork() warns in any process with several threads.
    ready.run("import warnings; warnings.filterwarnings('ignore', 'This process .*fork', DeprecationWarning)")
    code = """\
print("before the fork")
child = os.fork()
if child == 0:
    print("in the child", flush=True)
    os._exit(0)
os.waitpid(child, 0)
print("after the fork")"""
    for number in range(5):
        cell = ready.run(code)
        cell.wait_for_text("in the child")
        ready.run("'later'")
        assert sorted(cell.stdout.splitlines()) == ["after the fork", "before the fork", "in the child"], (
            number
        )
        assert cell.stderr == ""


@pytest.mark.parametrize("begin", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_children_of_multiprocessing_print_once(begin: str, ready: Notebook) -> None:
    ready.run("def child(n): print(f'child {n}\\n', end='')")
    code = """\
print("before the fork")
children = [context.Process(target=child, args=(n,)) for n in range(3)]
for one in children: one.start()
for one in children: one.join()
print("after the fork")"""
    cell = ready.run(begin + code)
    cell.wait_for(lambda cell: cell.stdout.count("child") == 3, "the children's lines")
    ready.run("'later'")
    expected = ["after the fork", "before the fork", "child 0", "child 1", "child 2"]
    assert sorted(cell.stdout.splitlines()) == expected


def test_a_child_that_a_thread_of_an_earlier_cell_forks_prints_under_that_cell(ready: Notebook) -> None:
    ready.run("def in_child(): print('from cell 1')")
    first = ready.run("""\
def run():
    gate.wait(30); child = context.Process(target=in_child); child.start(); child.join(); said.set()
threading.Thread(target=run).start()""")
    second = ready.run("print('cell 2'); gate.set(); said.wait(30)")
    first.wait_for_text("from cell 1")
    assert (first.stdout, second.stdout) == ("from cell 1\n", "cell 2\n")


# --- order

BOTH = """\
for number in range(200):
    print("p", number)
    {}display(HTML(f"d {{number}}"))"""


def sequence(cell: Cell) -> list[str]:
    """Lines and displays in the order in which they came."""
    made: list[str] = []
    printed = ""  # a line may come in several messages
    for kind, content in cell.outputs:
        if kind == "stream":
            printed += content["text"]
        else:
            made += [*printed.splitlines(), content["data"]["text/html"]]
            printed = ""
    made += printed.splitlines()
    return made


@pytest.mark.parametrize("begin", ["", "await asyncio.sleep(0); "], ids=["plain", "awaiting"])
@pytest.mark.parametrize("noise", ["", "noisy"], ids=["quiet", "with a thread that flushes"])
def test_prints_and_displays_arrive_in_the_order_in_which_they_were_made(
    begin: str, noise: str, ready: Notebook
) -> None:
    if noise:
        ready.run("""\
def flush():
    while not gate.is_set(): sys.stdout.flush()
threading.Thread(target=flush).start()""")
    cell = ready.run(BOTH.format(begin))
    ready.run("gate.set()")
    expected = [f"{kind} {number}" for number in range(200) for kind in "pd"]
    assert sequence(cell) == expected
    assert [m["msg_type"] for m in cell.messages][-1] == "status"
    assert cell.messages[-1]["content"]["execution_state"] == "idle"


def test_the_output_of_a_task_keeps_its_order_too(ready: Notebook) -> None:
    cell = ready.run(
        "async def run():\n"
        + "\n".join(f"    {line}" for line in BOTH.format("await asyncio.sleep(0); ").splitlines())
        + "\n    said.set()\nt = asyncio.create_task(run())"
    )
    ready.run("said.wait(30)")
    cell.wait_for(lambda cell: "d 199" in seen(cell), "the last display")
    receipts = {cell.receipt}
    expected = [f"{kind} {number}" for number in range(200) for kind in "pd"]
    assert [line for line in sequence_of_user(cell) if line not in receipts] == expected


def sequence_of_user(cell: Cell) -> list[str]:
    bare = Cell(cell.notebook, "", "without the receipt")
    bare.messages = [m for m in cell.messages if "receipt-" not in str(m["content"].get("transient"))]
    return sequence(bare)


def test_stdout_and_stderr_are_both_there_before_a_display(ready: Notebook) -> None:
    cell = ready.run(
        "for n in range(50): print('o', n); print('e', n, file=sys.stderr); display(HTML(f'd {n}'))"
    )
    made = sequence(cell)
    for number in range(50):
        assert {f"o {number}", f"e {number}"} == set(made[3 * number : 3 * number + 2])
        assert made[3 * number + 2] == f"d {number}"


def test_the_prompt_of_input_comes_after_what_was_printed_before(ready: Notebook) -> None:
    cell = ready.submit("for n in range(20): print('line', n); input(f'prompt {n}')", allow_stdin=True)
    for number in range(20):
        assert cell.wait_for_input_request(number + 1)["prompt"] == f"prompt {number}"
        cell.wait_for_text(f"line {number}", 5)
        assert cell.stdout.splitlines()[-1] == f"line {number}"
        ready.answer("")
    cell.wait()


def test_an_output_widget_takes_prints_and_displays_in_order(ready: Notebook) -> None:
    ready.run("import ipywidgets as w; output = w.Output(); display(output)")
    cell = ready.run("with output:\n" + "\n".join(f"    {line}" for line in BOTH.format("").splitlines()))
    page = Page(ready)
    captured = Cell(ready, "", "captured")
    captured.messages = page.captured(page.find("OutputModel").comm_id)
    assert sequence(captured) == [f"{kind} {number}" for number in range(200) for kind in "pd"]
    assert cell.status == "ok"


# --- lines

LINES = """\
import os, sys, threading
class Tee:
    def __init__(self, to): self.to = to
    def write(self, text): return self.to.write(text)
    def flush(self): self.to.flush()
class Spoken:
    def __init__(self, number): self.number = number
    def __str__(self): return str(self.number)
def printed(count, kind=int):
    for number in range(count): print("P", kind(number), "----#", sep=":")
def raw(count, length):
    for number in range(count): os.write(1, b"R:%d:" % number + b"-" * length + b"#\\n")
def beside(*works):
    threads = [threading.Thread(target=work) for work in works]
    for one in threads: one.start()
    for one in threads: one.join()
"""
TORN = {
    "a descriptor": ("beside(lambda: raw(10_000, 4), lambda: printed(10_000))", 20_000),
    "objects": ("beside(lambda: raw(10_000, 4), lambda: printed(10_000, Spoken))", 20_000),
    "long lines of a descriptor": ("beside(lambda: raw(40, 200_000), lambda: printed(5_000))", 5_040),
    "a stream of the user's": (
        "ours, sys.stdout = sys.stdout, Tee(sys.stdout)\n"
        "beside(*[lambda: printed(5_000)] * 4)\nsys.stdout = ours",
        20_000,
    ),
}


@pytest.mark.parametrize("what", TORN)
def test_lines_that_are_written_at_once_are_not_torn(what: str, notebook: Notebook) -> None:
    code, count = TORN[what]
    lines = notebook.run(LINES + code).stdout.splitlines()
    assert [line[:90] for line in lines if not re.fullmatch(r"[PR]:\d+:-*#", line)] == []
    assert len(lines) == count


def test_a_line_of_a_descriptor_without_its_end_is_shown_at_once(ready: Notebook) -> None:
    subshell = create(ready)
    cell = ready.submit("for n in range(3): os.write(1, f' {n} of 3'.encode()); said.wait(); said.clear()")
    for number in range(3):
        cell.wait_for_text(f"{number} of 3")
        subshell.run("said.set()")
    assert cell.wait().stdout == " 0 of 3 1 of 3 2 of 3"


# --- the end

ENDS = {
    "exit": "print('the last words'); exit()",
    "exit in an awaiting cell": "import asyncio; await asyncio.sleep(0); print('the last words'); exit()",
    "shutdown": "print('the last words')",
}


@pytest.mark.parametrize("code", ENDS.values(), ids=ENDS)
def test_nothing_is_lost_when_the_kernel_ends(code: str, fresh_notebook: Notebook) -> None:
    cell = fresh_notebook.run(code)
    if "exit()" not in code:
        fresh_notebook.request("shutdown_request", {"restart": False}, channel="control").wait()
    cell.wait_for_text("the last words", 10)
    assert fresh_notebook.wait_exit() == 0


#: Delays what the control channel does between the reply and idle.
SLOW_TO_FLUSH = """\
import time
streams = get_ipython().kernel.streams
def flush(flush=streams.flush):
    time.sleep(1)
    flush()
    {}
streams.flush = flush"""
LAST_CELLS = {
    "none runs": "pass",
    "one that sleeps": "print('the last', flush=True); time.sleep(100)",
    "one that waits": "print('the last', flush=True); await asyncio.sleep(100)",
    "one that prints": "while True: print('the last', flush=True); time.sleep(0.01)",
}
ASKED = [(name, False) for name in LAST_CELLS] + [("none runs", True), ("one that waits", True)]


@pytest.mark.parametrize(("name", "restart"), ASKED)
def test_idle_of_a_shutdown_comes_before_the_end(name: str, restart: bool, fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import asyncio\n" + SLOW_TO_FLUSH.format("1 / 0" if restart else ""))
    last = fresh_notebook.submit(LAST_CELLS[name])
    last.wait() if name == "none runs" else last.wait_for_text("the last")
    asked = fresh_notebook.request("shutdown_request", {"restart": restart}, channel="control").wait()
    assert (asked.reply["restart"], asked.states) == (restart, ["busy", "idle"])
    assert last.wait().states == ["busy", "idle"]
    assert fresh_notebook.wait_exit() == 0
