"""Coroutines of which nothing is to be told: they are kept, begun, or somebody else's to await."""

from __future__ import annotations

import sys

import pytest

from tests.kernel.client import Notebook
from tests.kernel.leaks import Story, ok

# Nothing to tell: they are awaitable still, were awaited, or the code of them began.
SILENT: dict[str, list[str]] = {
    "kept": ["x = f(1)", "1"],
    "kept and overwritten by the next cell": ["x = f(1)", "x = 5"],
    "kept and deleted by the next cell": ["x = f(1)", "del x"],
    "kept in containers": [
        "a = [f(1)]; b = {'k': f(2)}; c = (f(3),); d = {f(4)}; e = {'k': [(f(5), {f(6)})]}",
        "[await a[0], await b['k'], await c[0], await d.pop(), await e['k'][0][0], await e['k'][0][1].pop()]",
    ],
    "kept in containers that are dropped": ["a = [f(1), (f(2), {'k': f(3)})]", "a = None"],
    "appended to a list of an earlier cell": ["a = []", "a.append(f(1))", "await a[0]"],
    "kept and awaited in a failed cell": ["x = f(1)\nraise ValueError", "await x"],
    "given to what did not come to be called": [
        "await asyncio.gather(f(1), 1 / 0)",
        "x = [asyncio.create_task(f(1)), asyncio.create_task(g())]",
        "def g(): raise ValueError",
        "await asyncio.wait_for(f(1), timeout=g())",
        "def h(): return asyncio.gather(\n    f(1),\n    g(),\n)\nawait h()",
        "for one in (f(1), 1 / 0): await one",
        "async with asyncio.timeout(g()) as x, asyncio.timeout(f(1)): pass",
        "asyncio.run(asyncio.wait_for(f(1), 1 / 0))",
    ],
    "asyncio's own, kept": ["x = [asyncio.sleep(0, 4)]", "await x[0]"],
    "the last result, awaited later": ["x = f(1); None", "await x", "await f(2)"],
    "begun by hand and dropped": [
        "@types.coroutine\ndef suspend():\n    yield\n"
        "async def h():\n    try: await suspend()\n    finally: print('finally')\n"
        "c = h(); c.send(None); del c",
        "c = h(); c.send(None)",
        "c = 1",
    ],
    "closed by hand": ["c = f(1); c.close()"],
    "an async generator that is left": [
        "async def g():\n    try: yield 1; yield 2\n    finally: print('finally')\n"
        "async for x in g(): break\nawait asyncio.sleep(0)"
    ],
    "an async generator that is begun and dropped": [
        "async def g():\n    try: yield 1; yield 2\n    finally: print('finally')\nit = g(); await anext(it)",
        "del it\nawait asyncio.sleep(0)",
        "it = g(); await anext(it)",
        "it = 5",
    ],
    "an async generator that is not begun": ["async def g(): yield 1\ng();", "it = g()", "del it"],
}
if sys.version_info < (3, 13):  # from then on Python itself warns of these
    SILENT["an async generator's own awaitables"] = [
        "async def g(): yield 1\nit = g(); it.__anext__();",
        "it.aclose();",
    ]
SERVER = """\
async def handle(reader, writer):
    writer.write(await reader.readline()); await writer.drain(); writer.close(); await writer.wait_closed()
async def talk():
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"1\\n"); line = await reader.readline(); writer.close(); await writer.wait_closed()
    return int(line)"""
# Code that makes coroutines somebody owns, as an expression of an async function `one`.
OWNED = {
    "awaited": "await f(1)",
    "a task": "await asyncio.create_task(f(1))",
    "a future of it": "await asyncio.ensure_future(f(1))",
    "a partial that starts a task": "await functools.partial(asyncio.create_task, f(1))()",
    "gather": "(await asyncio.gather(f(0), f(1)))[1]",
    "wait_for": "await asyncio.wait_for(f(1), 9)",
    "shield": "await asyncio.shield(f(1))",
    "as_completed": "[await one for one in asyncio.as_completed([f(1)])][0]",
    "a task group": "await in_group(1)",
    "anyio's task group": "await in_anyio(1)",
    "a thread's": "await asyncio.to_thread(asyncio.run, f(1))",
    "threadsafe": "await threadsafe(f(1))",
    "an object that is awaited later": "await later(Box(f(1)))",
    "a queue": "await through_queue(f(1))",
    "a server": "await talk()",
    "a generator": "[x async for x in count(f(1))][0]",
    "a context manager": "await in_context(f(1))",
}
OWNERS = (
    SERVER
    + """
import anyio, contextlib
class Box:
    def __init__(self, coroutine): self.coroutine = coroutine
async def later(box):
    await asyncio.sleep(0)
    return await box.coroutine
async def threadsafe(coroutine):
    future = asyncio.run_coroutine_threadsafe(coroutine, asyncio.get_running_loop())
    return await asyncio.wrap_future(future)
async def in_group(n):
    async with asyncio.TaskGroup() as group: task = group.create_task(f(n))
    return task.result()
async def in_anyio(n):
    results = []
    async def run(): results.append(await f(n))
    async with anyio.create_task_group() as group: group.start_soon(run)
    return results[0]
async def through_queue(coroutine):
    queue = asyncio.Queue(); queue.put_nowait(coroutine)
    await asyncio.sleep(0)
    return await (await queue.get())
async def count(coroutine):
    yield await coroutine
@contextlib.asynccontextmanager
async def manager(coroutine):
    yield await coroutine
async def in_context(coroutine):
    async with manager(coroutine) as value: return value"""
)
#: Calls of coroutine functions that give 1, in many ways.
SIMPLE = [
    "f(1)",
    "in_group(1)",
    "in_anyio(1)",
    "later(Box(f(1)))",
    "through_queue(f(1))",
    "in_context(f(1))",
    "asyncio.sleep(0, 1)",
    "asyncio.wait_for(f(1), 9)",
    "talk()",
]
# Plain cells, also in several.
PLAIN = {
    "asyncio.run": ["asyncio.run(f(1))"],
    "run_until_complete": ["asyncio.get_event_loop().run_until_complete(f(1))"],
    "run_until_complete of a loop of its own": [
        "loop = asyncio.new_event_loop(); result = loop.run_until_complete(f(1)); loop.close(); result"
    ],
    "a runner": ["with asyncio.Runner() as runner: result = runner.run(f(1))\nresult"],
    "anyio.run": ["import anyio; anyio.run(f, 1)"],
    "another thread": [
        "result = []; t = threading.Thread(target=lambda: result.append(asyncio.run(f(1))))",
        "t.start(); t.join()",
        "result[0]",
    ],
    "threadsafe from a plain cell": [
        "asyncio.run_coroutine_threadsafe(f(1), asyncio.get_event_loop()).result()"
    ],
    "a task of a helper": ["def start(): return asyncio.create_task(f(1))\nt = start()", "await t"],
    "created here, started there": ["c = f(1)", "t = asyncio.create_task(c)", "await t"],
    "an attribute, started later": [
        "class Box: pass\nbox = Box(); box.c = f(1)",
        "t = asyncio.create_task(box.c); del box",
        "await t",
    ],
    "a partial, called later": [
        "start = functools.partial(asyncio.create_task, f(1))",
        "t = start()",
        "await t",
    ],
    "a callback that starts a task": [
        "c = f(1); tasks = []\nloop = asyncio.get_event_loop()\n"
        "loop.call_later(.05, lambda c=c: tasks.append(loop.create_task(c)))\nc = None",
        "while not tasks: await asyncio.sleep(.01)\nawait tasks[0]",
    ],
    "a task that is cancelled before it begins": [
        "t = asyncio.create_task(f(1)); t.cancel()",
        "await asyncio.wait([t]); int(t.cancelled())",
    ],
    "a background task that goes on": [
        "async def work():\n    for n in range(50): await f(n); await asyncio.sleep(0)\n    return 1\n"
        "t = asyncio.create_task(work())",
        "f; time.sleep(.05)",
        "await t",
    ],
}


@pytest.fixture
def story(notebook: Notebook) -> Story:
    return Story(notebook)


@pytest.mark.parametrize("codes", SILENT.values(), ids=SILENT)
def test_nothing_is_told_of_what_is_not_lost(codes: list[str], story: Story) -> None:
    story.run(*codes)
    assert story.told() == [[] for _ in codes]
    assert story.open == []


@pytest.mark.parametrize(
    "name", [name for name, codes in SILENT.items() if any("finally" in code for code in codes)]
)
def test_finally_runs_and_its_output_is_the_cell_s_that_lets_go(name: str, story: Story) -> None:
    story.run(*SILENT[name])
    dropping = [
        cell
        for cell, code in zip(story.cells, SILENT[name], strict=True)
        if code.startswith(("del", "c = 1", "it = 5")) or "del c" in code or "break" in code
    ]
    for cell in dropping:
        cell.wait_for_text("finally")
    assert sum(cell.stdout.count("finally") for cell in story.cells) == len(dropping)
    assert not [m for m in story.notebook.strays if m["msg_type"] == "stream"]


@pytest.mark.parametrize("expression", OWNED.values(), ids=OWNED)
def test_nothing_is_told_of_what_others_await(expression: str, story: Story) -> None:
    ok(story.run(OWNERS, f"async def one(): return {expression}"))
    assert ok(story.run("await one()")).result == "1"
    assert ok(story.run("t = asyncio.create_task(one())", "await t")).result == "1"
    assert ok(story.run("asyncio.run(one())")).result == "1"
    assert story.told() == [[] for _ in story.cells]
    assert not any(cell.stderr for cell in story.cells)


@pytest.mark.parametrize("codes", PLAIN.values(), ids=PLAIN)
def test_nothing_is_told_of_what_plain_cells_run(codes: list[str], story: Story) -> None:
    assert ok(story.run(*codes)).result == "1"
    assert story.told() == [[] for _ in codes]
    assert not any(cell.stderr for cell in story.cells)


def test_nothing_is_told_in_five_hundred_mixed_rounds(story: Story) -> None:
    ways = ", ".join(f"lambda: {call}" for call in SIMPLE)
    ok(story.run(OWNERS, f"ways = [{ways}]; import itertools"))
    ok(story.run("kept = [way() for way, _ in zip(itertools.cycle(ways), range(100))]", "total = 0"))
    ok(story.run("for c in kept: total += await c"))
    ok(
        story.run(
            "tasks = [asyncio.ensure_future(way()) for way, _ in zip(itertools.cycle(ways), range(100))]"
        )
    )
    ok(story.run("total += sum(asyncio.run(way()) for way, _ in zip(itertools.cycle(ways), range(100)))"))
    ok(story.run("total += sum(await asyncio.gather(*tasks))"))
    ok(story.run("for way, _ in zip(itertools.cycle(ways), range(200)): total += await way(); gc.collect(0)"))
    assert ok(story.run("total")).result == "500"
    assert story.told() == [[] for _ in story.cells]
    assert not any(cell.stderr for cell in story.cells)
    assert story.open == []


NOTED = "import sys; sys.get_coroutine_origin_tracking_depth()"
# Cells after the setup, and whether Python notes in the last one who creates coroutines.
COSTS: dict[str, tuple[list[str], int]] = {
    "all awaited": ([f"for n in range(9): await f(n)\n{NOTED}"], 0),
    "all awaited by functions": (["async def g(): await f()", f"asyncio.run(g())\n{NOTED}"], 0),
    "handed over": (
        [f"t = asyncio.create_task(f()); await asyncio.gather(t, *[f() for n in range(9)])\n{NOTED}"],
        0,
    ),
    "kept": ([f"x = f()\n{NOTED}"], 1),
    "kept by an earlier cell": (["x = f()", f"await x\n{NOTED}"], 0),
    "kept by a function": (["def g(): return f()", f"await g()\n{NOTED}"], 1),
    "kept by a function that is gone": (["def g(): return f()", "%reset -f", NOTED], 0),
}


@pytest.mark.parametrize(("codes", "noted"), COSTS.values(), ids=COSTS)
def test_cells_that_leave_no_coroutine_pay_nothing_for_those_that_do(
    codes: list[str], noted: int, story: Story
) -> None:
    assert ok(story.run(*codes)).result == str(noted)
