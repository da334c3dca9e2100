"""The cell receipt: one display under a cell that left something behind, brought up to date in place."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from tests.kernel.cells import DISPLAY_TYPES, Cell, is_receipt
from tests.kernel.client import INTERRUPTS, Notebook
from tests.kernel.leaks import ok

SETUP = """\
import asyncio, os, signal, subprocess, threading, time
from concurrent.futures import ThreadPoolExecutor
go = threading.Event()
async def f(*args): ...
async def work():
    while not go.is_set(): await asyncio.sleep(.01)"""
# For each kind, a cell that leaves that behind and what its receipt says about it.
KINDS = {
    "leaks": ("f();", "line 1: `f()` was called without `await`, so it did not run. Use `await f()`"),
    "tasks": ("t = asyncio.create_task(work())", "1 task still ran when the cell ended: `work()`, line 1"),
    "threads": (
        "t = threading.Thread(target=go.wait, name='waiter'); t.start()",
        "1 thread still ran when the cell ended: `waiter`, line 1",
    ),
    "engine_names": (
        "_ = 'mine'",
        "`_` is reserved for the last result; your value was discarded",
    ),
}
JOB = (
    "pool = ThreadPoolExecutor(1); j = pool.submit(go.wait)",
    "1 job still ran when the cell ended: `Event.wait()`, line 1",
)
each_kind = pytest.mark.parametrize(("code", "sentence"), KINDS.values(), ids=KINDS)
ASSIGNED = {
    "assignment": "_ = 5",
    "assignment with others": "x = _ = 5",
    "import": "import os as _",
    "import from": "from os import path as _",
    "function": "def _(): ...",
    "async function": "async def _(): ...",
    "class": "class _: ...",
    "augmented assignment": "_ = 1\n_ += 1",
    "a function": "_ = asyncio.sleep",
    "a list": "_ = [1, int(2)]",
    "annotated assignment": "_: int = 3",
    "awaiting cell": "await asyncio.sleep(0)\n_ = 5",
}
USED = {
    "for": "for _ in range(3): pass",
    "unpacking": "a, _ = 1, 2",
    "with": "import contextlib\nwith contextlib.nullcontext(1) as _: pass",
    "comprehension": "x = [_ for _ in range(3)]",
    "delete": "del _",
    "annotation alone": "_: int",
    "in a function": "def use():\n    _ = 5\nuse()",
    "read": "x = _",
    "IPython's own": "from IPython import get_ipython",
}
CLEAN = {
    "a result": "x = 1\nx",
    "an error": "1 / 0",
    "awaiting": "await asyncio.sleep(0)",
    "a task that is done": "await asyncio.create_task(f())",
    "a task that is cancelled": "t = asyncio.create_task(f()); await asyncio.sleep(0); t.cancel()",
    "a thread that is done": "t = threading.Thread(target=int); t.start(); t.join()",
    "an idle pool": "pool = ThreadPoolExecutor(2); pool.submit(int).result()",
    "an idle pool of asyncio's": "await asyncio.to_thread(int)",
    "a default executor": "await asyncio.get_running_loop().run_in_executor(None, int)",
    "tqdm's monitor": "from tqdm import tqdm\nfor n in tqdm(range(3)): pass",
    "a server that listens": "s = await asyncio.start_server(lambda r, w: None, '127.0.0.1', 0)",
    "an async generator": "async def g():\n    yield 1\nasync for x in g(): break",
    "a magic": "%pwd",
    "a command": "!true",
    "a syntax error": "x ==",
}


@pytest.fixture
def prepared(notebook: Notebook) -> Iterator[Notebook]:
    ok(notebook.run(SETUP))
    yield notebook
    ok(notebook.run("go.set()"))


class Fragment(HTMLParser):
    """The tags and the visible text of HTML."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.open: list[str] = []
        self.code: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "code" in self.open:
            self.code.append(data)


def shown(cell: Cell) -> list[tuple[str, str]]:
    """By which messages and under which ids the receipt was shown."""
    found = [
        (kind, content) for kind, content in cell.outputs if kind in DISPLAY_TYPES and is_receipt(content)
    ]
    return [(kind, content["transient"]["display_id"]) for kind, content in found]


def fragment(cell: Cell) -> Fragment:
    return Fragment(cell.receipts[-1]["text/html"])


@each_kind
def test_each_kind_is_one_line_after_all_other_output(code: str, sentence: str, prepared: Notebook) -> None:
    cell = ok(prepared.run(f"print('printed')\n{code}".replace("\n", ";", 1)))
    assert cell.receipt == sentence
    assert set(cell.receipts[0]) == {"text/plain", "text/html"}
    assert [kind for kind, _ in cell.outputs] == ["stream", "display_data"]
    assert cell.states[-1] == "idle"
    assert [m["msg_type"] for m in cell.messages][-2:] == ["display_data", "status"], (
        "before the cell is done"
    )


@each_kind
def test_each_kind_can_be_switched_off_and_on_again(
    code: str, sentence: str, prepared: Notebook, request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.id
    ok(prepared.run(f"%config NamespaceKernel.report_{kind} = False"))
    silenced = ok(prepared.run(code))
    ok(prepared.run(f"%config NamespaceKernel.report_{kind} = True"))
    assert ok(prepared.run(code)).receipt == sentence
    assert silenced.receipts == []


@each_kind
def test_a_silent_cell_has_none(code: str, sentence: str, prepared: Notebook) -> None:
    assert prepared.run(code, silent=True).receipts == []


def test_a_job_of_a_pool_is_told_and_its_end(prepared: Notebook) -> None:
    cell = ok(prepared.run(JOB[0]))
    assert cell.receipt == JOB[1]
    ok(prepared.run("go.set()"))
    cell.wait_for(lambda c: c.receipt == "1 job ended after the cell: `Event.wait()`, line 1", "the end")


@pytest.mark.parametrize("code", CLEAN.values(), ids=CLEAN)
def test_a_clean_cell_has_none(code: str, prepared: Notebook) -> None:
    cell = prepared.run(code)
    ok(prepared.run("await asyncio.sleep(.01)"))
    assert cell.receipts == []


def test_everything_is_in_one_display_that_is_updated_in_place(prepared: Notebook) -> None:
    code = "\n".join(
        [*(code for code, _ in KINDS.values()), "ts = [asyncio.create_task(work()) for n in range(7)]"]
    )
    cell = ok(prepared.run(code))
    lines = cell.receipt.splitlines()
    assert lines[0].startswith("line 1: `f()` was called without `await`")
    tasks = "`work()`, line 2; `work()` (7 times), line 5"
    assert lines[1] == f"8 tasks still ran when the cell ended: {tasks}"
    assert lines[2:] == ["1 thread still ran when the cell ended: `waiter`, line 3", KINDS["engine_names"][1]]
    ok(prepared.run("go.set()"))
    cell.wait_for(
        lambda c: "8 tasks ended after" in c.receipt and "1 thread ended after" in c.receipt, "the ends"
    )
    assert cell.receipt.splitlines()[0] == lines[0], "what is over is still said"
    kinds, ids = zip(*shown(cell), strict=True)
    assert set(ids) == {ids[0]}
    assert kinds == ("display_data", *["update_display_data"] * (len(kinds) - 1))
    other = ok(prepared.run("f();"))
    assert shown(other)[0][1] != ids[0]


def test_some_of_several_tasks_end(prepared: Notebook) -> None:
    ok(prepared.run("first = asyncio.Event()"))
    cell = ok(prepared.run("a = asyncio.create_task(first.wait()); b = asyncio.create_task(work())"))
    assert cell.receipt == "2 tasks still ran when the cell ended: `Event.wait()`, line 1; `work()`, line 1"
    ok(prepared.run("first.set(); await a"))
    cell.wait_for(lambda c: c.receipt.endswith("`work()`, line 1. 1 has ended since"), "the end of one")


def test_what_ends_is_told_though_the_main_thread_is_busy(prepared: Notebook) -> None:
    cell = ok(prepared.run(KINDS["tasks"][0]))
    busy = prepared.submit("go.set(); threading.Event().wait()")
    cell.wait_for(lambda c: c.receipt == "1 task ended after the cell: `work()`, line 1", "the end")
    assert not busy.done
    prepared.interrupt("SIGINT")
    busy.wait()


def test_the_html_folds_out_to_the_code_and_what_to_do(prepared: Notebook) -> None:
    for code, sentence in (KINDS["tasks"], KINDS["threads"], JOB):
        seen = fragment(ok(prepared.run(code)))
        assert seen.tags[:2] == ["details", "summary"]
        assert re.findall("`([^`]*)`", sentence) == seen.code[: sentence.count("`") // 2]


def test_the_fold_holds_the_code_the_remedy_and_where_each_task_stands(prepared: Notebook) -> None:
    cell = ok(
        prepared.run("f('a line of code');\nt = asyncio.create_task(work()); await asyncio.sleep(.05)\n_ = 5")
    )
    source = html.unescape(re.sub("<[^>]*>", "", cell.receipts[-1]["text/html"]))
    assert source.startswith("1 call without await · 1 task still ran when the cell ended · _ is reserved")
    for part in (
        "line 1: f('a line of code') was called without await",
        "Tasks",
        "work()line 2at line 6 of In [",
        "%stop task",
        "_ is reserved for the last result; your value was discarded",
        "%ps lists what runs now",
        "Use await f('a line of code')",
    ):
        assert part in source


def test_names_and_code_are_escaped(prepared: Notebook) -> None:
    code = """\
t = asyncio.create_task(work(), name="<b>task</b>")
w = threading.Thread(target=go.wait, name="<b>&amp;thread</b>"); w.start()
f("<i>" < "&lt;");
async def nameless(): ...
nameless.__qualname__ = "<script>x</script>"
nameless() is nameless();"""
    cell = ok(prepared.run(code))
    assert "`<b>&amp;thread</b>`, line 2" in cell.receipt
    assert "`<script>x</script>()` was called without `await`" in cell.receipt
    seen = fragment(cell)
    assert set(seen.tags) == {"details", "summary", "table", "tr", "th", "td", "code"}
    assert "<b>&amp;thread</b>" in seen.code
    assert "<script>x</script>()" in seen.code
    assert 'f("<i>" < "&lt;")' in seen.code


@pytest.mark.parametrize("code", ASSIGNED.values(), ids=ASSIGNED)
def test_a_name_of_the_kernel_s_that_is_assigned_is_told(code: str, prepared: Notebook) -> None:
    assert ok(prepared.run(code)).receipt == KINDS["engine_names"][1]


@pytest.mark.parametrize("code", USED.values(), ids=USED)
def test_a_name_of_the_kernel_s_that_must_stand_there_is_not_told(code: str, prepared: Notebook) -> None:
    ok(prepared.run("'a result'"))
    assert ok(prepared.run(code)).receipts == []
    assert ok(prepared.run("_")).result == "'a result'"


def test_other_names_of_the_kernel_s(prepared: Notebook) -> None:
    # In a line of its own `exit = 3` is a call, for IPython.
    cell = ok(prepared.run("x = 1\nexit = 3\nIn = []\n_ = _exit_code = 4; y = f()"))
    assert cell.receipt.startswith("`In`, `_`, `_exit_code` and `exit` are reserved for the kernel;")
    assert (
        ok(prepared.run("type(exit).__name__, len(In) > 1, _exit_code")).result
        == "('ZMQExitAutocall', True, 0)"
    )


def test_gettext_s_underscore_is_left_alone(prepared: Notebook) -> None:
    ok(prepared.run("import gettext; gettext.install('x')"))
    assert ok(prepared.run("_('text')")).result == "'text'"
    cells = [prepared.run(code) for code in ("_ = 'mine'", "_ == 'mine'", "del _, __builtins__._", "7", "_")]
    assert [cell.receipts for cell in cells] == [[]] * 5
    assert [cell.result for cell in cells] == [None, "True", None, "7", "7"]


def test_a_failing_cell_has_its_receipt_after_the_error(prepared: Notebook) -> None:
    cell = prepared.run("; ".join(code for code, _ in KINDS.values()).replace(";;", ";") + "; 1/0")
    assert cell.error == ("ZeroDivisionError", "division by zero")
    assert cell.receipt.splitlines() == [sentence for _, sentence in KINDS.values()]
    assert [kind for kind, _ in cell.outputs] == ["error", "display_data"]


@pytest.mark.parametrize("how", INTERRUPTS)
@pytest.mark.parametrize("wait", ["threading.Event().wait()", "await asyncio.Event().wait()"])
def test_a_stopped_cell_has_its_receipt_without_the_tasks_that_stop_cancels(
    wait: str, how: str, prepared: Notebook
) -> None:
    stubborn = """\
async def stubborn():
    try: await asyncio.Event().wait()
    finally: await asyncio.sleep(.05)
t = asyncio.create_task(work()); s = asyncio.create_task(stubborn()); _ = 'mine'
"""
    cell = prepared.submit(
        f"{stubborn}w = threading.Thread(target=go.wait, name='waiter'); w.start(); print('waits')\n{wait}"
    )
    cell.wait_for_text("waits")
    prepared.interrupt(how)
    assert cell.wait().error == ("KeyboardInterrupt", "")
    told = ["1 thread still ran when the cell ended: `waiter`, line 5", KINDS["engine_names"][1]]
    assert cell.receipt.splitlines() == told, "what Stop cancels ends"


GET = "async def get(): return {'a': 1}\n"
TOLD_BY_THE_TRACEBACK = {
    "a subscript": 'get()["a"]',
    "an argument": "def first(values): return values[0]\nfirst(get())",
    "a loop": "for one in get(): print(one)",
    "a generator": "sum(get() for n in range(3))",
    "in another coroutine": 'async def outer(): return get()["a"]\nawait outer()',
    "a name of a function": 'def outer():\n    r = get()\n    return r["a"]\nouter()',
    "a list": "await [get(), get()]",
    "several lines": 'get(\n)[\n"a"\n]',
    "asyncio.run": "await asyncio.sleep(0)\nasyncio.run(get())",
    "asyncio.wait": "await asyncio.wait([get()])",
}


@pytest.mark.parametrize("code", TOLD_BY_THE_TRACEBACK.values(), ids=TOLD_BY_THE_TRACEBACK)
def test_what_the_traceback_tells_is_not_told_again(code: str, prepared: Notebook) -> None:
    ok(prepared.run(GET))
    cell = prepared.run(code)
    ok(prepared.run("import gc; gc.collect()"))
    assert "`await" in cell.traceback.rstrip().splitlines()[-1]
    assert cell.receipts == []


def test_another_call_is_told_beside_the_one_of_the_traceback(prepared: Notebook) -> None:
    cell = prepared.run(f'{GET}f();\nget();\nget()["a"]')
    assert cell.traceback.endswith('Use `(await get())["a"]`')
    assert [line.partition(",")[0] for line in cell.receipt.splitlines()] == [
        "line 2: `f()` was called without `await`",
        "line 3: `get()` was called without `await`",
    ]


SPOKE = """\
spoke, on = threading.Event(), threading.Event()
def say():
    print("begins ", end=""); spoke.set(); on.wait(); print("ends")
async def tell():
    print("begins ", end=""); spoke.set()
    while not on.is_set(): await asyncio.sleep(.01)
    print("ends")
async def heard():
    while not spoke.is_set(): await asyncio.sleep(.01)"""
PRINTS = {
    "a task of an awaiting cell": "t = asyncio.create_task(tell()); await heard()",
    "a task of a plain cell": "t = asyncio.get_event_loop().create_task(tell()); spoke.wait();",
    "a thread": "t = threading.Thread(target=say); t.start(); spoke.wait();",
    "a thread of an awaiting cell": "t = threading.Thread(target=say); t.start(); await heard()",
    "a job": "pool = ThreadPoolExecutor(1); j = pool.submit(say); spoke.wait();",
    "a job of an awaiting cell": "t = asyncio.create_task(asyncio.to_thread(say)); await heard()",
    "a task in the background": "%%background\nt = asyncio.create_task(tell()); await heard()",
}
END = "on.set()"
each_printer = pytest.mark.parametrize("code", PRINTS.values(), ids=PRINTS)


def texts(cell: Cell) -> list[str]:
    """What was printed and shown, in order; the texts of one stream in one."""
    found: list[str] = []
    for kind, content in cell.outputs:
        if kind == "stream" and found and found[-1].startswith("begins"):
            found[-1] += content["text"]
        elif kind != "update_display_data":
            found.append(content["text"] if kind == "stream" else content["data"]["text/plain"])
    return found


@each_printer
def test_it_does_not_come_between_the_lines_of_what_goes_on(code: str, prepared: Notebook) -> None:
    ok(prepared.run(SPOKE))
    cell = ok(prepared.run(code))
    ok(prepared.run(END))
    cell.wait_for(lambda c: "ended after the cell" in c.receipt, "the receipt")
    printed, receipt = texts(cell)
    assert printed == "begins ends\n"
    assert "ended after the cell" in receipt


@each_printer
def test_what_is_lost_is_told_at_once_all_the_same(code: str, prepared: Notebook) -> None:
    ok(prepared.run(SPOKE))
    cell = ok(prepared.run(f"{code}\nf();"))
    cell.wait_for(lambda c: "`f()` was called without `await`" in c.receipt, "the receipt")
    ok(prepared.run(END))


@each_printer
def test_a_client_that_looks_at_no_later_output_has_it_at_once(code: str, prepared: Notebook) -> None:
    if "background" in code:
        pytest.skip("nbclient sends the next cell when this one has ended")
    ok(prepared.run(SPOKE))
    cell = ok(prepared.run(code, metadata={}))  # as nbclient does
    assert "still ran when the cell ended" in cell.receipt
    ok(prepared.run(END))


def test_a_cell_that_prints_last_has_it_at_once(prepared: Notebook) -> None:
    for code in ("t = asyncio.create_task(work())", JOB[0], KINDS["threads"][0]):
        for last in ("; print('started')", "; await asyncio.sleep(0); print('started')"):
            cell = ok(prepared.run(code + last))
            assert "still ran when the cell ended" in cell.receipt
