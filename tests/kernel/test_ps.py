"""`%ps`, `%tasks` and `%stop`: what runs, who started it, where it stands, and how it ends."""

from __future__ import annotations

import contextlib
import html
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook
from tests.kernel.test_subshells import create, delete

PREPARE = """\
import asyncio, multiprocessing, os, subprocess, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
loop = asyncio.get_event_loop()
gate = threading.Event()"""


@dataclass
class Row:
    what: str
    name: str
    cell: str
    age: str
    state: str
    where: str

    @property
    def number(self) -> str:
        return self.what.split()[1]


def rows_of(cell: Cell) -> list[Row]:
    """The table, read from its HTML as a page shows it; what it shows as text must agree."""
    assert cell.status == "ok", cell.text
    if not cell.displays:
        return []
    (data,) = cell.displays
    found = []
    for line in re.findall(r"<tr>(.*?)</tr>", data["text/html"], re.S):
        texts = [html.unescape(text) for text in re.findall(r"<td style=[^>]*>([^<]*)</td>", line)]
        if len(texts) == 6:
            found.append(Row(*texts))
            assert all(text in data["text/plain"] for text in texts)
    return found


def ps(notebook: Notebook, magic: str = "%ps") -> list[Row]:
    return rows_of(notebook.run(magic))


def one(notebook: Notebook, kind: str) -> Row:
    rows = [row for row in ps(notebook) if row.what.startswith(kind)]
    assert len(rows) == 1, rows
    return rows[0]


@pytest.fixture
def ready(notebook: Notebook) -> Iterator[Notebook]:
    """A kernel where nothing runs, before and after."""
    assert notebook.run(PREPARE).status == "ok"
    yield notebook
    if notebook.busy:
        notebook.interrupt("SIGINT")
    notebook.run("gate.set()")
    notebook.run("%tasks cancel all")
    for row in ps(notebook):
        if row.what.startswith("process"):
            notebook.run(f"%stop {row.what}")
    notebook.run(
        "import psutil\nfor p in psutil.Process().children(recursive=True): p.kill(); p.wait()\n"
        "for t in threading.enumerate():\n    if t.name.startswith('mine'): t.join(20)"
    )
    assert notebook.run("await asyncio.sleep(0)").status == "ok"


@contextlib.contextmanager
def another_client(notebook: Notebook) -> Iterator[None]:
    """What is sent meanwhile comes from another page."""
    session = notebook.client.session
    own, session.session = session.session, "another"
    try:
        yield
    finally:
        session.session = own


# --- what is listed


def test_nothing_runs(fresh_notebook: Notebook) -> None:
    assert fresh_notebook.run("%ps").stdout == "Nothing runs.\n"
    assert fresh_notebook.run("%tasks").stdout == "No task runs.\n"


RUNNING = {
    "a sleeping cell": ("print('ready', flush=True)\ntime.sleep(3600)", "time.sleep(3600)"),
    "a computing cell": ("print('ready', flush=True)\nwhile True:\n    pass", "while True:|pass"),
    "a waiting async cell": ("print('ready', flush=True)\nawait asyncio.sleep(3600)", "asyncio.sleep(3600)"),
    "an async cell that blocks": (
        "await asyncio.sleep(0); print('ready', flush=True)\ntime.sleep(3600)",
        "time.sleep(3600)",
    ),
}


@pytest.mark.parametrize("running", RUNNING)
def test_the_running_cell_is_listed_at_once_with_its_line_and_can_be_stopped(
    running: str, ready: Notebook
) -> None:
    code, where = RUNNING[running]
    cell = ready.submit(code).wait_for_text("ready")
    row = one(ready, "cell")
    while "print(" in row.where:  # what it printed is here already
        row = one(ready, "cell")
    assert not cell.done
    assert row.cell == f"In [{row.number}]"
    assert row.name == code.partition("\n")[0]
    assert row.state == ("async" if "await" in code else "main")
    assert re.search(r"line \d of In \[\d+\]: ", row.where)
    assert any(part in row.where for part in where.split("|"))
    assert re.fullmatch(r"\d+(\.\d)? s", row.age)
    assert ready.run(f"%stop {row.number}").status == "ok"
    assert cell.wait().error == ("KeyboardInterrupt", "")
    assert cell.count == int(row.number)
    assert ready.run("6 * 7").result == "42"


def test_the_list_comes_though_another_callback_blocks_the_user_loop(ready: Notebook) -> None:
    ready.run("entered = threading.Event()\ndef block(): entered.set(); gate.wait(30)")
    ready.run("loop.call_soon_threadsafe(block); entered.wait(30)")
    waiting = ready.submit("await asyncio.sleep(0); 'done'").wait_for_text("waiting for the user loop")
    row = one(ready, "cell")
    assert row.name == "await asyncio.sleep(0); 'done'"
    assert ready.run(f"%stop {row.number}").status == "ok"
    assert waiting.wait().error == ("KeyboardInterrupt", "")
    ready.run("gate.set()")


CALLED = {
    "soon": "loop.call_soon_threadsafe(busy)",
    "later": "loop.call_later(0.01, busy)",
    "with arguments": "import functools\nloop.call_soon_threadsafe(functools.partial(busy, 1, two=2), 3)",
    "by a future": "future = loop.create_future()\nfuture.add_done_callback(busy)\nfuture.set_result(1)",
    "by a descriptor": "loop.add_reader(ends[0], busy)\nos.write(ends[1], b'x')",
}


@pytest.mark.parametrize("called", CALLED)
def test_a_callback_that_keeps_the_loop_is_listed_named_and_ended(called: str, ready: Notebook) -> None:
    ready.run("""\
entered, ends = threading.Event(), os.pipe()
def busy(*args, **named):
    loop.remove_reader(ends[0]); entered.set()
    while True: pass""")
    number = ready.run(f"{CALLED[called]}\nentered.wait(30)").count
    row = one(ready, "callback")
    assert (row.name, row.cell, row.state, row.age) == ("busy()", f"In [{number}]", "runs", "")
    assert row.where == f"line 4 of In [{number - 1}]: while True: pass"
    waiting = ready.submit("await asyncio.sleep(0); 'done'").wait_for_text("which is busy at line 4 of")
    assert f"Stop ends the wait, `%stop {row.what}` the callback" in waiting.text
    assert ready.run(f"%stop {row.what}").status == "ok"
    assert waiting.wait().result == "'done'"
    assert [row for row in ps(ready) if row.what.startswith("callback")] == []
    assert f"no {row.what} runs; `%ps` lists what does" in ready.run(f"%stop {row.what}").text


def test_the_number_of_a_callback_that_is_over_ends_no_other(ready: Notebook) -> None:
    ready.run("def wait(): entered.set(); gate.wait(30)")
    begin = "gate.clear(); entered = threading.Event(); loop.call_soon_threadsafe(wait); entered.wait(30)"
    ready.run(begin)
    before = one(ready, "callback")
    ready.run("gate.set()")
    ready.run("await asyncio.sleep(0)")
    ready.run(begin)
    now = one(ready, "callback")
    assert f"no {before.what} runs" in ready.run(f"%stop {before.what}").text
    assert one(ready, "callback").what == now.what
    assert ready.run("gate.set()").status == "ok"


@pytest.mark.parametrize(
    ("called", "name", "end"),
    [
        ("gate.wait, 30", "Event.wait()", "gate.set()"),
        ("os.read, ends[0], 1", "read()", "os.write(ends[1], b'x')"),
    ],
)
def test_a_callback_without_code_of_the_user_s_is_listed_by_its_name(
    called: str, name: str, end: str, ready: Notebook
) -> None:
    ready.run("ends = os.pipe(); entered = threading.Event(); soon = loop.call_soon_threadsafe")
    ready.run(f"soon(entered.set); soon({called}); entered.wait(30)")
    row = one(ready, "callback")
    assert (row.name, row.where) == (name, "")
    assert ready.run(end).status == "ok"


def test_a_message_s_handler_that_keeps_the_loop_is_listed_as_the_user_s(ready: Notebook) -> None:
    ready.run("""\
from ipykernel.comm import Comm
entered = threading.Event()
def opened(comm, message):
    @comm.on_msg
    def handle(message): entered.set(); gate.wait(30)
get_ipython().kernel.comm_manager.register_target("target", opened)""")
    ready.request("comm_open", {"comm_id": "one", "target_name": "target", "data": {}}).wait_idle()
    ready.request("comm_msg", {"comm_id": "one", "data": {}})
    assert ready.run("entered.wait(30)").result == "True"
    assert one(ready, "callback").name == "handle()"
    assert ready.run("gate.set()").status == "ok"


def test_a_task_that_keeps_the_loop_is_named_to_who_waits_for_it(ready: Notebook) -> None:
    ready.run("entered = threading.Event()\nasync def block():\n    entered.set()\n    while True: pass")
    ready.run("future = asyncio.run_coroutine_threadsafe(block(), loop); entered.wait(30)")
    waiting = ready.submit("await asyncio.sleep(0); 'done'").wait_for_text("waiting for the user loop")
    task = one(ready, "task").what
    assert f"Stop ends the wait, `%stop {task}` the task" in waiting.text
    assert ready.run(f"%stop {task}").status == "ok"
    assert waiting.wait().result == "'done'"


def test_in_a_cell_with_more_lines_it_runs_in_order(ready: Notebook) -> None:
    first = ready.submit("print('ready', flush=True); gate.wait(30)").wait_for_text("ready")
    one_of_all = one(ready, "cell")
    assert one_of_all.name.startswith("print('ready'")
    second = ready.submit("%ps\n'two'")
    ready.ask("kernel_info_request")
    assert not second.done
    ready.interrupt("SIGINT")
    first.wait()
    second.wait()
    ready.run("gate.set()")
    following = ready.run("%ps\n'two'")
    assert (following.result, rows_of(following)) == ("'two'", [])


def test_it_overtakes_no_cell_that_was_sent_before_it(ready: Notebook, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    first = ready.submit(f"print('ready', flush=True); open({str(gate)!r}).read();")
    first.wait_for_text("ready")
    second = ready.submit(f"open({str(gate)!r}).read();")
    listing = ready.submit("%ps")
    last = ready.submit("'last'")
    for cell in (first, second):
        ready.ask("kernel_info_request")  # what came before is sorted by now
        assert not cell.done and not listing.done
        gate.write_text("go")  # until the cell reads
        cell.wait()
    listing.wait()
    last.wait()
    counts = [cell.count for cell in (first, second, listing, last)]
    assert counts == list(range(counts[0], counts[0] + 4)), "numbers in the order of the notebook"
    assert listing.stdout == "Nothing runs.\n"


def test_another_client_s_is_answered_at_once_whatever_waits(ready: Notebook) -> None:
    running = ready.submit("print('ready', flush=True); gate.wait(60)").wait_for_text("ready")
    waiting = ready.submit("1")
    with another_client(ready):
        listing = ready.run("%ps")
    assert not waiting.done
    (row,) = [row for row in rows_of(listing) if row.what.startswith("cell")]
    assert row.name.startswith("print('ready'")
    ready.interrupt("SIGINT")
    running.wait()
    waiting.wait()


def test_a_task_is_listed_with_its_cell_and_innermost_user_line(ready: Notebook) -> None:
    cell = ready.run("""\
lasting = loop.create_future()
async def inner():
    await asyncio.wait_for(lasting, 3600)
async def middle():
    await inner()
async def outer():
    await middle()
t = asyncio.create_task(outer()); await asyncio.sleep(0.01)""")
    rows = [row for row in ps(ready) if row.what.startswith("task") and row.name == "outer()"]
    assert len(rows) == 1
    assert rows[0].cell == f"In [{cell.count}]"
    assert rows[0].where == f"line 3 of In [{cell.count}]: await asyncio.wait_for(lasting, 3600)"
    assert rows[0].state == "waits"
    whole = ready.run("%ps -v")
    text = whole.displays[0]["text/plain"]
    for line in ("await middle()", "await inner()", "asyncio.wait_for"):
        assert line in text
    assert text.index("await middle()") < text.index("await inner()")
    assert "tasks.py" in text, "the library's frames, too"
    assert "<pre>" in whole.displays[0]["text/html"]
    assert [row.name for row in ps(ready, "%tasks") if row.name == "outer()"] == ["outer()"]


def test_a_thread_in_a_function_of_an_earlier_cell_is_listed_with_that_line(ready: Notebook) -> None:
    defined = ready.run("def work(seconds):\n    gate.wait(seconds)")
    cell = ready.run("threading.Thread(target=work, args=(30,), name='mine <1>').start()")
    row = one(ready, "thread")
    assert (row.name, row.cell, row.state) == ("mine <1>", f"In [{cell.count}]", "runs")
    assert row.where == f"line 2 of In [{defined.count}]: gate.wait(seconds)"


def test_jobs_of_a_pool_are_listed_with_what_they_wait_for(ready: Notebook) -> None:
    cell = ready.run(
        "def job():\n    gate.wait(30)\n"
        "pool = ThreadPoolExecutor(1); jobs = [pool.submit(job) for _ in range(2)]"
    )
    rows = [row for row in ps(ready) if row.what.startswith("job")]
    assert [(row.name, row.cell, row.state) for row in rows] == [
        ("job()", f"In [{cell.count}]", "runs"),
        ("job()", f"In [{cell.count}]", "waits"),
    ]
    assert rows[0].where == f"line 2 of In [{cell.count}]: gate.wait(30)"
    assert rows[1].where == ""
    refused = ready.run(f"%stop {rows[0].what}")
    assert refused.status == "error" and "ends by itself" in refused.text
    assert ready.run(f"%stop {rows[1].what}").status == "ok"
    assert ready.run("jobs[1].cancelled(), jobs[0].running()").result == "(True, True)"


CHILDREN = {
    "subprocess": "child = subprocess.Popen(['sleep', '3600'])",
    "asyncio": "child = await asyncio.create_subprocess_exec('sleep', '3600')",
    "multiprocessing": "context = multiprocessing.get_context('fork')\n"
    "child = context.Process(target=time.sleep, args=(3600,)); child.start()",
}


@pytest.mark.parametrize("child", CHILDREN.values(), ids=CHILDREN)
def test_a_child_process_is_listed_under_its_cell_and_ended(child: str, ready: Notebook) -> None:
    cell = ready.run(child)
    pid = ready.run("child.pid").result
    row = one(ready, "process")
    assert (row.number, row.cell) == (pid, f"In [{cell.count}]")
    assert ready.run(f"%stop process {pid}").status == "ok"
    waits = (
        "await child.wait()" if "await" in child else "child.wait()" if "Popen" in child else "child.join()"
    )
    assert ready.run(waits).status == "ok"
    assert [row for row in ps(ready) if row.what.startswith("process")] == []


def test_names_and_code_are_escaped(ready: Notebook) -> None:
    ready.run("async def f(): await asyncio.sleep(3600 if 1 < 2 & 3 else 0)")
    ready.run("t = asyncio.create_task(f()); await asyncio.sleep(0)")
    cell = ready.submit("print('<b>&amp;</b>', flush=True); time.sleep(3600)").wait_for_text("<b>")
    asked = ready.run("%ps -v")
    table = asked.displays[0]["text/html"]
    assert "<b>" not in table
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in table
    assert "1 &lt; 2 &amp; 3" in table
    ready.interrupt("SIGINT")
    cell.wait()


def test_thousands_of_tasks_make_a_list_of_bounded_length_and_are_cancelled_at_once(ready: Notebook) -> None:
    ready.run(
        "tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(5000)]; await asyncio.sleep(0)"
    )
    for magic in ("%ps", "%ps -v", "%tasks"):
        shown = ready.run(magic)
        rows = [row for row in rows_of(shown) if row.what.startswith("task")]
        assert len(rows) == 200
        assert "and 4800 more tasks" in shown.displays[0]["text/plain"].splitlines()
        assert "and 4800 more tasks" in shown.displays[0]["text/html"]
    assert ready.run(f"%tasks cancel {rows[0].number}").status == "ok"
    assert ready.run("await asyncio.sleep(0.01); sum(t.cancelled() for t in tasks)").result == "1"
    assert ready.run("%tasks cancel all").status == "ok"
    assert ready.run("await asyncio.wait(tasks); all(t.cancelled() for t in tasks)").result == "True"
    assert ready.run("%tasks").stdout == "No task runs.\n"


def test_the_message_for_tools_is_answered_whatever_runs(ready: Notebook) -> None:
    ready.run("t = asyncio.create_task(asyncio.sleep(3600)); await asyncio.sleep(0)")
    cell = ready.submit("print('ready', flush=True)\nwhile True: pass").wait_for_text("ready")
    reply = ready.ask("ps_request", channel="control")
    assert reply["status"] == "ok"
    kinds = {activity["kind"]: activity for activity in reply["activities"]}
    assert {"cell", "task"} <= set(kinds)
    for activity in reply["activities"]:
        assert set(activity) == {"kind", "number", "name", "cell", "since", "state", "line", "stack"}
    assert kinds["cell"]["cell"] == f"In [{kinds['cell']['number']}]"
    assert kinds["task"]["stack"]
    ready.interrupt("SIGINT")
    cell.wait()


# --- ending one


def test_a_task_is_cancelled_by_its_number(ready: Notebook) -> None:
    ready.run("async def f(): await asyncio.sleep(3600)")
    for magic in ("%stop task {}", "%tasks cancel {}", "%tasks cancel all"):
        ready.run("kept = asyncio.create_task(f()); await asyncio.sleep(0)")
        ended = ready.run(magic.format(ps(ready, "%tasks")[-1].number))
        assert ended.status == "ok", ended.text
        assert ready.run("await asyncio.wait([kept]); kept.cancelled()").result == "True"


BLOCKS = [
    *("while True: pass", "while True: time.sleep(.01)"),
    "await asyncio.sleep(.01)\n    sum(1 for _ in iter(int, 1))",
]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("magic", ["%stop task {}", "%tasks cancel all"])
def test_a_task_that_blocks_the_loop_is_ended(magic: str, block: str, ready: Notebook) -> None:
    blocks = f"""\
import asyncio, threading, time
began = threading.Event()
async def block():
    began.set()
    {block}
loop = asyncio.get_event_loop()
future = asyncio.run_coroutine_threadsafe(block(), loop)
began.wait()"""
    assert ready.run(blocks).status == "ok"
    assert ready.run(magic.format(ps(ready, "%tasks")[-1].number)).status == "ok"
    assert ready.run("await asyncio.sleep(0, 42)").result == "42"


def test_several_tasks_are_cancelled_and_a_wrong_number_is_said(ready: Notebook) -> None:
    ready.run("two = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(2)]; await asyncio.sleep(0)")
    numbers = " ".join(row.number for row in ps(ready, "%tasks"))
    said = ready.run(f"%tasks cancel {numbers} 999999")
    assert "no task 999999 runs; `%ps` lists what does" in said.text
    assert ready.run("await asyncio.wait(two); [t.cancelled() for t in two]").result == "[True, True]"


def test_a_thread_is_ended(ready: Notebook) -> None:
    ready.run("def work():\n    while True: time.sleep(.01)")
    ready.run("thread = threading.Thread(target=work, name='mine'); thread.start()")
    (row,) = (row for row in ps(ready) if row.name == "mine")
    assert ready.run(f"%stop thread {row.number}").status == "ok"
    assert ready.run("thread.join(20); thread.is_alive()").result == "False"


def test_a_subshell_s_cell_is_listed_and_stopped(ready: Notebook) -> None:
    subshell = create(ready)
    for code in ("while True: time.sleep(.01)", "await asyncio.sleep(3600)"):
        main = ready.submit("print('ready', flush=True); gate.wait(30); 'untouched'").wait_for_text("ready")
        beside = subshell.submit(f"print('ready', flush=True)\n{code}").wait_for_text("ready")
        rows = {row.name: row for row in ps(ready) if row.what.startswith("cell")}
        assert len(rows) == 2
        number = rows["print('ready', flush=True)"].number
        assert ready.run(f"%stop {number}").status == "ok"
        assert beside.wait().error == ("KeyboardInterrupt", "")
        assert not main.done
        assert subshell.run("gate.set()").status == "ok"
        assert main.wait().result == "'untouched'"
        ready.run("gate.clear()")
    delete(subshell)


def test_a_cell_can_ask_about_itself_and_stop_itself(ready: Notebook) -> None:
    cell = ready.run("'not last'\n%ps\n")
    assert rows_of(cell) == [], "a cell does not list itself"
    count = ready.run("'count'").count
    stopped = ready.run(f"x = 1\n%stop {count + 1}\ntime.sleep(3600)")
    assert stopped.error == ("KeyboardInterrupt", "")
    assert ready.run("x").result == "1"


WRONG = {
    "%ps -x": "`%ps -v` with whole stacks",
    "%tasks stop 3": "`%tasks cancel N` cancels one",
    "%tasks cancel": "`%tasks cancel N` cancels one",
    "%tasks cancel x": "`%tasks cancel N` cancels one",
    "%tasks cancel 999999": "no task 999999 runs; `%ps` lists what does",
    "%stop": "say what to stop, as `%ps` lists it",
    "%stop x": "say what to stop",
    "%stop ²": "say what to stop",
    '%stop "': "say what to stop",
    "%stop 1 2 3": "say what to stop",
    "%stop window 3": "say what to stop",
    "%stop -1": "say what to stop",
    "%stop 999999": "no cell 999999 runs; `%ps` lists what does",
    "%stop task 999999": "no task 999999 runs; `%ps` lists what does",
    "%stop callback 999999": "no callback 999999 runs; `%ps` lists what does",
    "%stop thread 999999": "no thread 999999 runs",
    "%stop job 999999": "no job 999999 runs",
    "%stop process 1": "no process 1 runs",
}


@pytest.mark.parametrize("magic", WRONG)
def test_a_wrong_argument_names_the_remedy(magic: str, ready: Notebook) -> None:
    cell = ready.run(magic)
    assert WRONG[magic] in cell.text
    assert "Traceback" not in cell.text


def test_a_stop_that_comes_too_late_says_so_and_hits_nothing(ready: Notebook) -> None:
    """`%stop` has found its cell; then that ends, the next one begins, and only now it is to be stopped."""
    prepared = ready.run("""\
found, begun, tried = threading.Event(), threading.Event(), threading.Event()
interrupts = get_ipython().kernel.interrupts
def stop_late(turn):
    found.set(); assert begun.wait(30)
    try: return type(interrupts).stop_turn(interrupts, turn)
    finally: tried.set()
interrupts.stop_turn = stop_late""")
    assert prepared.status == "ok"
    first = ready.submit("print('begins', flush=True); found.wait(30)").wait_for_text("begins")
    second = ready.submit("begun.set(); tried.wait(30)")
    with another_client(ready):
        stop = ready.run(f"%stop {number_of(first)}")
    assert (first.wait().result, second.wait().result) == ("True", "True")
    assert f"no cell {first.count} runs" in stop.text
    assert ready.run("del interrupts.stop_turn").status == "ok"


def test_stop_never_hits_another_cell_than_the_one_that_is_meant(ready: Notebook) -> None:
    """The cell that is meant ends by itself in that moment; the next one, sent with it, is not hit."""
    chance = random.Random(1)
    for _ in range(300):
        first = ready.submit(
            f"sum(range({chance.choice([10, 3_000, 30_000, 100_000])}))", stop_on_error=False
        )
        following = ready.submit("for _n in range(2000): pass\n6 * 7", stop_on_error=False)
        first.wait_started()
        number = number_of(first)
        with another_client(ready):
            stop = ready.run(f"%stop {number}")
        first.wait()
        following.wait()
        assert first.status == "ok" or first.error == ("KeyboardInterrupt", "")
        assert (following.status, following.result) == ("ok", "42"), following.text
        assert stop.status == "ok" or f"no cell {number} runs" in stop.text
    assert ready.run("'lives'").result == "'lives'"


def number_of(cell: Cell) -> Any:
    return next(m["content"]["execution_count"] for m in cell.messages if m["msg_type"] == "execute_input")


@pytest.mark.skipif(sys.version_info < (3, 14), reason="`python -m asyncio ps` is new in Python 3.14")
@pytest.mark.parametrize("view", ["ps", "pstree"])
def test_python_s_own_list_of_tasks_shows_those_of_cells(view: str, notebook: Notebook) -> None:
    notebook.run(PREPARE)
    notebook.run("""\
async def wait_long(): await asyncio.sleep(3600)
async def wait_for_both():
    async with asyncio.TaskGroup() as group:
        group.create_task(wait_long(), name="made in the loop")
        await asyncio.sleep(3600)
outer = asyncio.create_task(wait_for_both(), name="made in a cell")
await asyncio.sleep(0.01)""")
    command = [sys.executable, "-m", "asyncio", view, str(notebook.pid)]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=60)
    notebook.run("outer.cancel()")
    if seen.returncode:  # the system forbids a process to look into another
        assert re.search("ermission|ermitted|root", seen.stdout + seen.stderr), seen.stderr
        pytest.skip(seen.stderr)
    for name in ("made in the loop", "made in a cell", "wait_long", "wait_for_both"):
        assert name in seen.stdout
