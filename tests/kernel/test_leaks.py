"""A coroutine that nobody awaited: told once, under the right cell, wherever it was when it went away."""

from __future__ import annotations

import pytest

from tests.kernel.client import INTERRUPTS, Notebook
from tests.kernel.leaks import Story, ok

HOLDER = "class Job: pass\njob = Job()"
VIEW = '{"application/vnd.jupyter.widget-view+json": {"model_id": comm.comm_id}, "text/plain": "widget"}'
LIBRARY = """\
_code = "async def inner(): pass\\ndef make(): inner()\\ndef hold(): return inner()"
library = types.ModuleType("library"); exec(compile(_code, "/usr/lib/library.py", "exec"), vars(library))"""

LOOP = "loop = asyncio.get_event_loop(); go, done = threading.Event(), threading.Event()"
#: What the loop waits for, and its end.
END = "go.set(); loop.call_soon_threadsafe(done.set); done.wait();"
# Cells, and what their receipts say in the end.
NAMELESS = """\
class Api:
    async def __call__(self): ...
    @property
    async def size(self): ...
api, table = Api(), {"f": f}"""
LEAKS: dict[str, tuple[list[str], list[list[str]]]] = {
    "the last expression": (["f(1)", "1"], [["f 1"], []]),
    "the last expression, silenced": (["pass\nf(1);"], [["f 2"]]),
    "a statement": (["f(1)\n2"], [["f 1"]]),
    "a function given to a pool": (["1\nThreadPoolExecutor(1).submit(f).result();"], [["f 2"]]),
    "a function that is called elsewhere, given to a pool": (
        ["async def p(): ...", "p()\np();", "1\nThreadPoolExecutor(1).submit(p).result();"],
        [[], ["p 1", "p 2"], ["p 2"]],
    ),
    "a function that a library's decorator wraps": (
        ["@functools.singledispatch\nasync def w(x): ...", "1\nw(1);"],
        [[], ["w 2"]],
    ),
    "a function given to a thread": (
        ["async def g(): ...", "t = threading.Thread(target=g); t.start(); t.join()"],
        [[], ["g 1"]],
    ),
    "a function given to a timer": (
        [
            "async def h(): ...",
            "await asyncio.sleep(0)\nasyncio.get_running_loop().call_soon(h)\nawait asyncio.sleep(.01)",
        ],
        [[], ["h 2"]],
    ),
    "a function given to `map`": (["async def m(x): ...", "list(map(m, [1, 2]));"], [[], ["m 1 (2 times)"]]),
    "a thread's result, shown": (
        ["async def s(x=0): ...", "s(1);", "await asyncio.to_thread(s)", "1"],
        [[], ["s 1"], ["s 1"], []],
    ),
    "another name for it": (["g = f", "1\ng();"], [[], ["g 2"]]),
    "another name, of the same cell": (["g = f\ng();"], [["g 2"]]),
    "a partial": (["p = functools.partial(f, 1)", "1\np();"], [[], ["p 2"]]),
    "an item of a table": ([NAMELESS, "1\ntable['f'](1);"], [[], ["table['f'] 2"]]),
    "each of a table": ([NAMELESS, "for one in table.values():\n    one(1)"], [[], ["one 2"]]),
    "each of a table, in a list": ([NAMELESS, "[g(1) for g in table.values()];"], [[], ["g 1"]]),
    "an object that is called": ([NAMELESS, "1\napi();"], [[], ["api 2"]]),
    "a property that is printed": ([NAMELESS, "print(api.size)"], [[], ["api.size 1"]]),
    "several of one line": (["for n in range(3): f(n)"], [["f 1 (3 times)"]]),
    "several lines": (["f(1)\nf(2)\n2"], [["f 1", "f 2"]]),
    "overwritten in its cell": (["x = f(1)\nx = f(2)\nx = 3"], [["f 1", "f 2"]]),
    "deleted in its cell": (["x = f(1)\ndel x"], [["f 1"]]),
    "assigned to a name of the kernel's": (["_ = f(1)", "1"], [["f 1"], []]),
    "a loop's variable that is the kernel's": (["for _ in [f(1)]: pass", "1"], [["f 1"], []]),
    "an awaiting cell": (["f(1)\nawait asyncio.sleep(0)\nf(3);"], [["f 1", "f 3"]]),
    "an async function": (["async def main():\n    f(1)\nawait main()"], [["f 2"]]),
    "a function": (["def main():\n    f(1)", "main()"], [[], ["f 2 of 0"]]),
    "a method": (
        ["class A:\n    async def m(self): ...\n    def call(self): self.m()", "A().call()"],
        [[], ["self.m 3 of 0"]],
    ),
    "a lambda": (["go = lambda: f(1) and None\ngo()"], [["f 1"]]),
    "a local coroutine function": (
        ["def main():\n    async def inner(): ...\n    inner()\nmain()"],
        [["inner 3"]],
    ),
    "printed": (["print(f(1))"], [["f 1"]]),
    "formatted": (["text = f'{f(1)}'"], [["f 1"]]),
    "asyncio's own, created by the user's line": (["pass\nasyncio.sleep(1);"], [["asyncio.sleep 2"]]),
    "asyncio's own, in an async function": (
        ["async def main():\n    asyncio.sleep(1)\nawait main()"],
        [["asyncio.sleep 2"]],
    ),
    "given to one that is not awaited": (["asyncio.wait_for(f(1), 1);"], [["asyncio.wait_for 1", "f 1"]]),
    "an attribute": ([HOLDER, "job.step = f(1)", "job.step = None"], [[], [], ["f 1 of 1"]]),
    "an attribute of what is deleted": ([HOLDER + "\njob.step = f(1)", "del job"], [[], ["f 3 of 0"]]),
    "a closure": (
        ["def make():\n    c = f(1)\n    return lambda: c\nkept = make()", "del kept", "1"],
        [[], ["f 2 of 0"], []],
    ),
    "a default argument": (["def g(c=f(1)): ...", "del g"], [[], ["f 1 of 0"]]),
    "a generator": (
        ["def g():\n    c = f(1)\n    yield\nit = g(); next(it)", "it = None"],
        [[], ["f 2 of 0"]],
    ),
    "a queue": (
        ["import queue; q = queue.Queue(); q.put(f(1))", "q.get() is None"],
        [[], ["f 1 of 0"]],
    ),
    "a cycle": (
        [HOLDER + "\njob.job = job; job.step = f(1)\ndel job", "gc.collect();"],
        [[], ["f 3 of 0"]],
    ),
    "a cell that raises": (["f(1)\nraise ValueError"], [["f 1"]]),
    "a line before the one that fails": (["f(1)\nawait asyncio.gather(f(2), 1 / 0)"], [["f 1"]]),
    "a statement before the one that fails": (["x = 1\nf(1); x.y"], [["f 2"]]),
    "a block that fails": (
        [
            "with open(__name__) as x:\n    f(1)",
            "with f.x:\n    pass\nf(1)",
            "for x in [1]:\n    f(1)\n    x.y",
        ],
        [[], [], ["f 2"]],
    ),
    "a callback while a later cell runs": (
        [LOOP, "async def f1(): ...\nloop.call_soon(go.wait); loop.call_soon(f1);", END],
        [[], ["f1 2"], []],
    ),
    "a timer while a later cell runs": (
        [LOOP, "async def f2(value): ...\nloop.call_soon(go.wait); loop.call_later(0, f2, 1);", END],
        [[], ["f2 2"], []],
    ),
    "the end of a task while a later cell runs": (
        [
            LOOP,
            "async def f3(t): ...\nloop.call_soon(go.wait)\nloop.create_task(f(1)).add_done_callback(f3)",
            END,
        ],
        [[], ["f3 3"], []],
    ),
    "a failed cell's frame": (
        ["def g():\n    c = f(1)\n    raise ValueError\ng()", "1", "2"],
        [["f 2"], [], []],
    ),
    "frames of failed cells in a row": (
        ["def g():\n    c = f(1)\n    raise ValueError\ng()", "g()", "g()", "1"],
        [["f 2"], ["f 2 of 0"], ["f 2 of 0"], []],
    ),
    "a failed async cell's frame": (
        [
            "async def g():\n    c = f(1)\n    await asyncio.sleep(0)\n    raise ValueError\nawait g()",
            "1",
            "2",
        ],
        [["f 2"], [], []],
    ),
    "an error that is caught": (
        ["def g():\n    c = f(1)\n    raise ValueError\ntry: g()\nexcept ValueError: pass"],
        [["f 2"]],
    ),
    "a thread": (["def g():\n    f(1)\nt = threading.Thread(target=g); t.start(); t.join()"], [["f 2"]]),
    "a thread, when its cell is over": (
        [
            "def g():\n    go.wait(); f(1)\n"
            "go = threading.Event(); t = threading.Thread(target=g); t.start()",
            "go.set(); t.join()",
        ],
        [["f 2"], []],
    ),
    "a thread pool": (
        ["def g():\n    f(1)\nwith ThreadPoolExecutor(1) as pool: pool.submit(g).result()"],
        [["f 2"]],
    ),
    "a thread pool of an earlier cell": (
        [
            "pool = ThreadPoolExecutor(1); pool.submit(int).result()",
            "pool.submit(lambda: f(1) and 1).result()",
        ],
        [[], ["f 1"]],
    ),
    "asyncio.to_thread": (["await asyncio.to_thread(lambda: f(1) and 1)"], [["f 1"]]),
    "a callback": (
        ["asyncio.get_running_loop().call_soon(lambda: f(1) and 1); await asyncio.sleep(.05)"],
        [["f 1"]],
    ),
    "a task, when its cell is over": (
        [
            "go, over = threading.Event(), threading.Event()\n"
            "async def work():\n"
            "    while not go.is_set(): await asyncio.sleep(.01)\n"
            "    f(1)\n"
            "    over.set()\n"
            "t = asyncio.create_task(work())",
            "go.set(); over.wait(); f(2);",
            "await t",
        ],
        [["f 4"], ["f 1"], []],
    ),
    "a task, again and again": (
        [
            "async def work():\n    for n in range(20):\n        f(1); await asyncio.sleep(.02)\n"
            "t = asyncio.create_task(work())",
            "await t",
        ],
        [["f 3 (20 times)"], []],
    ),
    "a name of a later cell, removed by a task during a third": (
        [
            "go, over = threading.Event(), threading.Event()\n"
            "async def work():\n"
            "    while not go.is_set(): await asyncio.sleep(.01)\n"
            "    del globals()['job']; over.set()\n"
            "t = asyncio.create_task(work())",
            HOLDER + "\njob.step = f(1)",
            "go.set(); over.wait();",
        ],
        # The third cell still knew the name when it began.
        [[], [], ["f 3 of 1"]],
    ),
}

# A module whose coroutine functions no cell's text defines.
PAGES = """\
_code = "class Page:\\n" + "".join(
    f"    async def {name}(self): ...\\n" for name in ("arrive", "depart", "linger", "hide")
)
pages = types.ModuleType("pages"); exec(compile(_code, "/usr/lib/pages.py", "exec"), vars(pages))"""
# What could not be foreseen: methods of objects that come to be in the cell itself.
UNFORESEEN: dict[str, tuple[list[str], list[list[str]]]] = {
    "a statement": (["page = pages.Page()\npage.arrive()\n1"], [["page.arrive 2"]]),
    "the last expression": (["page = pages.Page()\npage.depart()"], [["page.depart 2"]]),
    "a function's": (
        ["def visit(page):\n    page.arrive()", "visit(pages.Page())"],
        [[], ["page.arrive 2 of 0"]],
    ),
    "kept by the object": (
        ["page = pages.Page()\npage.kept = page.linger()", "page.kept = None"],
        [[], ["page.linger 2 of 0"]],
    ),
    "one of two lines": (
        ["page = pages.Page()\npage.kept = page.hide()\npage.kept = page.hide()", "page.kept = None"],
        [["Page.hide"], ["Page.hide"]],
    ),
}


@pytest.fixture
def story(notebook: Notebook) -> Story:
    return Story(notebook)


@pytest.mark.parametrize(("codes", "told"), LEAKS.values(), ids=LEAKS)
def test_a_leak_is_told_once_under_the_right_cell(
    codes: list[str], told: list[list[str]], story: Story
) -> None:
    story.run(*codes)
    assert story.told() == told
    assert story.open == []


@pytest.mark.parametrize(("codes", "told"), UNFORESEEN.values(), ids=UNFORESEEN)
def test_a_leak_that_could_not_be_foreseen_is_told_with_the_line_that_calls_such_a_thing(
    codes: list[str], told: list[list[str]], story: Story
) -> None:
    ok(story.notebook.run(PAGES))
    story.run(*codes)
    assert story.told() == told
    assert story.open == []


def test_what_is_out_of_reach_stays_open_and_is_listed_until_reset(story: Story) -> None:
    story.run(HOLDER + "\njob.step = f(1)", "def make():\n    c = f(1)\n    return lambda: c\nkept = make()")
    assert story.open == ["f(), line 3", "f(), line 2"]
    assert story.told() == [[], []]
    ok(story.run("%reset -f"))
    assert story.open == []


def test_a_kept_one_is_awaited_with_its_arguments_wherever_it_is(story: Story) -> None:
    story.run("x = f(1); a = [f(2)]; b = {'k': (f(3), f(4))}; c = {f(5)}", "y = x; a.append(x)")
    result = story.run("y is x is a[1], await x, await a[0], await asyncio.gather(*b['k'])").result
    assert result == "(True, 1, 2, [3, 4])"
    assert story.told() == [[], [], []]


# Each says that it waits when it does: Stop must not come while it says so.
STOPPED = {
    "sync": """\
f(1)
def g():
    c = f(3)
    threading.Thread(target=say).start()
    time.sleep(60)
def say():
    while (there := sys._current_frames()[main]).f_code.co_name != "g" or there.f_lineno != 5: time.sleep(.01)
    print("waits")
import sys; main = threading.get_ident(); kept = f(6)
g()""",
    "async": """\
f(1)
async def g():
    c = f(3)
    asyncio.get_running_loop().call_soon(print, "waits")
    await asyncio.sleep(60)
kept = f(6)
await g()""",
}


@pytest.mark.parametrize("how", INTERRUPTS)
@pytest.mark.parametrize("code", STOPPED.values(), ids=STOPPED)
def test_a_cell_that_is_stopped_tells_its_leaks(code: str, how: str, story: Story) -> None:
    cell = story.add(story.notebook.submit(code))
    cell.wait_for_text("waits")
    story.notebook.interrupt(how)
    assert cell.wait().error == ("KeyboardInterrupt", "")
    story.run("1", "await kept")
    # The third line's is in the frame, which the next cell lets go of.
    assert story.told() == [["f 1", "f 3"], [], []]
    assert story.open == []


def test_a_widget_s_callback_leaks_under_the_cell_that_displayed_the_widget(story: Story) -> None:
    made = story.run("""\
from comm import create_comm
def handle(message): f(message["content"]["data"])
comm = create_comm(target_name="somewhere"); comm.on_msg(handle)
comm.comm_id""")
    assert made.result is not None
    shown = story.run(f"display({VIEW}, raw=True)")
    story.run("2")
    message = {"comm_id": made.result.strip("'"), "data": {}}
    events = [story.notebook.request("comm_msg", message).wait_idle() for _ in range(5)]
    shown.wait_for(lambda cell: " 5 times" in cell.receipt, "all five")
    assert story.told() == [[], ["f 2 of 0 (5 times)"], []]
    assert not [m for event in events for m in event.messages if m["msg_type"] != "status"]
    ids = {c["transient"]["display_id"] for t, c in shown.outputs if "receipt" in str(c.get("transient"))}
    assert len(ids) == 1, "one receipt, however often it happens"


def test_a_callback_that_leaks_while_the_widget_s_own_cell_runs(story: Story) -> None:
    code = """\
from comm import create_comm
def handle(message): f(); heard.set()
comm = create_comm(target_name="somewhere"); comm.on_msg(handle)
heard = threading.Event(); print(comm.comm_id, flush=True)
heard.wait();"""
    cell = story.add(story.notebook.submit(code))
    cell.wait_for_text("\n")
    story.notebook.request("comm_msg", {"comm_id": cell.stdout.strip(), "data": {}}).wait_idle()
    assert cell.wait().status == "ok"
    assert story.told() == [["f 2"]]


def test_a_library_s_coroutine_is_python_s_business(story: Story) -> None:
    story.run(LIBRARY)
    for _ in range(2):
        cell = ok(story.notebook.run("library.make()"))
        assert "/usr/lib/library.py:2: RuntimeWarning: coroutine 'inner' was never awaited" in cell.stderr
        ok(
            story.notebook.run(
                "import warnings; __warningregistry__ = {}; vars(library).pop('__warningregistry__')"
            )
        )
    there = ok(story.notebook.run("pass\nlibrary.hold()\n1"))
    assert ":2: RuntimeWarning: coroutine 'inner' was never awaited" in there.stderr
    assert "/usr/lib/library.py:2: " not in there.stderr, "it names the line that let go"
    assert "namespace_kernel" not in there.stderr
    assert story.told() == [[]]
