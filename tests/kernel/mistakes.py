"""Mistakes that people make with async code in notebooks: what the traceback ends with, and what it asks for.

`python -m tests.kernel.mistakes` writes the page of the documentation that shows them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"

SETUP = """\
import asyncio, threading, time
from concurrent.futures import ThreadPoolExecutor

async def get(key="a"):
    return {"a": 1}

async def ticks():
    yield 1

class Api:
    async def load(self):
        return [1, 2]

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        pass

api = Api()
pool = ThreadPoolExecutor(1)"""


@dataclass(frozen=True)
class Mistake:
    """One mistake. `cells` are run, and the last one goes wrong.

    `error` is the error's class and text; `…` stands for what differs from run to run. `line` is what the
    traceback ends with. `fix` is the cell that follows the advice, and works. `group` is a heading of the
    page.
    """

    group: str
    name: str
    cells: tuple[str, ...]
    error: str
    line: str
    fix: str
    result: str | None = None

    @property
    def advised(self) -> list[str]:
        """The code that the line shows, the latest first."""
        code = re.findall("`([^`]*)`", self.line)[::-1]
        return [one.removesuffix(":").removesuffix("...)") for one in code if set(one) & set("(=%")]


def _of(group: str, *mistakes: tuple[str, tuple[str, ...], str, str, str, str | None]) -> list[Mistake]:
    return [Mistake(group, *one) for one in mistakes]


MISTAKES = [
    *_of(
        "A coroutine where its result was meant",
        (
            "an item of a coroutine",
            ('r = get()\nr["a"]',),
            "TypeError: 'coroutine' object is not subscriptable",
            "`r` is a coroutine: `get()` was called without `await` (line 1). Use `r = await get()`",
            'r = await get()\nr["a"]',
            "1",
        ),
        (
            "an item of a coroutine from an earlier cell",
            ("later = get()", 'later["a"]'),
            "TypeError: 'coroutine' object is not subscriptable",
            "`later` is a coroutine: `get()` was called without `await` (line 1 of In [N]). "
            "Use `later = await get()`",
            'later = await get()\nlater["a"]',
            "1",
        ),
        (
            "arithmetic with a coroutine",
            ("x = asyncio.sleep(0, 41)\nx + 1",),
            "TypeError: unsupported operand type(s) for +: 'coroutine' and 'int'",
            "`x` is a coroutine: `asyncio.sleep(0, 41)` was called without `await` (line 1). "
            "Use `x = await asyncio.sleep(0, 41)`",
            "x = await asyncio.sleep(0, 41)\nx + 1",
            "42",
        ),
        (
            "a loop over a coroutine",
            ("for one in api.load():\n    print(one)",),
            "TypeError: 'coroutine' object is not iterable",
            "`api.load()` was called without `await`. Use `for one in await api.load()`",
            "for one in await api.load():\n    print(one)",
            None,
        ),
        (
            "an item of what a call returns",
            ('get()["a"]',),
            "TypeError: 'coroutine' object is not subscriptable",
            '`get()` was called without `await`. Use `(await get())["a"]`',
            '(await get())["a"]',
            "1",
        ),
        (
            "an object that is called",
            ("class Step:\n    async def __call__(self):\n        return 1\n\nstep = Step()\nstep() + 1",),
            "TypeError: unsupported operand type(s) for +: 'coroutine' and 'int'",
            "`step()` was called without `await`. Use `await step() + 1`",
            "await step() + 1",
            "2",
        ),
        (
            "an item of an object that waits for it",
            (
                "class Table:\n    async def __getitem__(self, key):\n        return key\n\n"
                "table = Table()\ntable[1] + 1",
            ),
            "TypeError: unsupported operand type(s) for +: 'coroutine' and 'int'",
            "`table[1]` is a coroutine. Use `await table[1] + 1`",
            "await table[1] + 1",
            "2",
        ),
        (
            "an argument, called like something else",
            ("r = await get()", "r = get()\nd = await r", 'def value(r): return r["a"]\n\nvalue(get())'),
            "TypeError: 'coroutine' object is not subscriptable",
            "`r` is a coroutine: `get()` was called without `await` (line 3). Use `value(await get())`",
            "value(await get())",
            "1",
        ),
        (
            "a list of coroutines as a value",
            ("sizes = [asyncio.sleep(0, n) for n in range(3)]\nsum(sizes)",),
            "TypeError: unsupported operand type(s) for +: 'int' and 'coroutine'",
            "`sizes` holds coroutines. Use `sum(await asyncio.gather(*sizes))`",
            "sum(await asyncio.gather(*sizes))",
            "3",
        ),
        (
            "the length of a coroutine",
            ("len(api.load())",),
            "TypeError: object of type 'coroutine' has no len()",
            "`api.load()` was called without `await`. Use `len(await api.load())`",
            "len(await api.load())",
            "2",
        ),
        (
            "an attribute of a coroutine",
            ("reply = get()\nreply.keys()",),
            "AttributeError: 'coroutine' object has no attribute 'keys'",
            "`reply` is a coroutine: `get()` was called without `await` (line 1). Use `reply = await get()`",
            "reply = await get()\nlist(reply.keys())",
            "['a']",
        ),
        (
            "two names for a coroutine",
            ("first, second = api.load()",),
            "TypeError: cannot unpack non-iterable coroutine object",
            "`api.load()` was called without `await`. Use `first, second = await api.load()`",
            "first, second = await api.load()\nsecond",
            "2",
        ),
        (
            "a coroutine as an argument",
            ("def first(values):\n    return values[0]\nfirst(api.load())",),
            "TypeError: 'coroutine' object is not subscriptable",
            "`values` is a coroutine: `api.load()` was called without `await` (line 3). "
            "Use `first(await api.load())`",
            "first(await api.load())",
            "1",
        ),
        (
            "a coroutine in a plain function",
            ('def read():\n    r = get()\n    return r["a"]\nread()',),
            "TypeError: 'coroutine' object is not subscriptable",
            "`r` is a coroutine: `get()` was called without `await` (line 2). "
            "Use `r = await get()`, make it `async def read`, and call it with `await`",
            'async def read():\n    r = await get()\n    return r["a"]\nawait read()',
            "1",
        ),
        (
            "the sum of coroutines",
            ("sum(asyncio.sleep(0, n) for n in range(3))",),
            "TypeError: unsupported operand type(s) for +: 'int' and 'coroutine'",
            "`asyncio.sleep(0, n)` was called without `await`. "
            "Use `sum([await asyncio.sleep(0, n) for n in range(3)])`",
            "sum([await asyncio.sleep(0, n) for n in range(3)])",
            "3",
        ),
        (
            "a comprehension over a coroutine",
            ("[n + 1 for n in api.load()]",),
            "TypeError: 'coroutine' object is not iterable",
            "`api.load()` was called without `await`. Use `[n + 1 for n in await api.load()]`",
            "[n + 1 for n in await api.load()]",
            "[2, 3]",
        ),
        (
            "two coroutines",
            ("api.load() + api.load()",),
            "TypeError: unsupported operand type(s) for +: 'coroutine' and 'coroutine'",
            "`api.load()` was called without `await`. Use `await api.load() + await api.load()`",
            "await api.load() + await api.load()",
            "[1, 2, 1, 2]",
        ),
        (
            "a name bound on the way",
            ('(reply := get())["a"]',),
            "TypeError: 'coroutine' object is not subscriptable",
            "`reply` is a coroutine: `get()` was called without `await` (line 1). "
            "Use `(reply := await get())`",
            '(reply := await get())["a"]',
            "1",
        ),
        (
            "a coroutine in a format",
            ('f"{asyncio.sleep(0, 2):.1f}"',),
            "TypeError: unsupported format string passed to coroutine.__format__",
            '`asyncio.sleep(0, 2)` was called without `await`. Use `f"{await asyncio.sleep(0, 2):.1f}"`',
            'f"{await asyncio.sleep(0, 2):.1f}"',
            "'2.0'",
        ),
        (
            "a function that returns a coroutine",
            ("def read():\n    return get()\nread()['a']",),
            "TypeError: 'coroutine' object is not subscriptable",
            "`read()` gives a coroutine. Use `(await read())['a']`",
            "(await read())['a']",
            "1",
        ),
        (
            "a property that is async",
            ("class Page:\n    @property\n    async def size(self): return 3\npage = Page()\npage.size + 1",),
            "TypeError: unsupported operand type(s) for +: 'coroutine' and 'int'",
            "`page.size` is a coroutine. Use `await page.size + 1`",
            "await page.size + 1",
            "4",
        ),
        (
            "an item of a task",
            ('task = asyncio.create_task(get())\ntask["a"]',),
            "TypeError: '_asyncio.Task' object is not subscriptable",
            '`task` is a task. Use `(await task)["a"]`',
            '(await task)["a"]',
            "1",
        ),
        (
            "the result of a task that is not done",
            ("nap = asyncio.create_task(asyncio.sleep(.3, 7))\nnap.result()",),
            "InvalidStateError: Result is not set.",
            "`nap` is not done yet. Use `await nap`",
            "await nap",
            "7",
        ),
        (
            "a coroutine awaited twice",
            ("once = get()\nawait once\nawait once",),
            "RuntimeError: cannot reuse already awaited coroutine",
            "`once` has been awaited already, and a coroutine runs once. Use `await get()`",
            "await get()",
            "{'a': 1}",
        ),
    ),
    *_of(
        "`await` on something else",
        (
            "a function that is not called",
            ("await get",),
            "TypeError: object function can't be used in 'await' expression",
            "`get` is a function. Call it: `await get()`",
            "await get()",
            "{'a': 1}",
        ),
        (
            "a method that is not called",
            ("await api.load",),
            "TypeError: object method can't be used in 'await' expression",
            "`api.load` is a function. Call it: `await api.load()`",
            "await api.load()",
            "[1, 2]",
        ),
        (
            "a function that needs arguments",
            ("await asyncio.sleep",),
            "TypeError: object function can't be used in 'await' expression",
            "`asyncio.sleep` is a function. Call it: `await asyncio.sleep(...)`",
            "await asyncio.sleep(0)",
            None,
        ),
        (
            "a value that is there",
            ("await len([1])",),
            "TypeError: object int can't be used in 'await' expression",
            "`len([1])` gives `int`, which cannot be awaited. Use `len([1])`",
            "len([1])",
            "1",
        ),
        (
            "a function that is not async",
            ("def plain():\n    return 5\nawait plain",),
            "TypeError: object function can't be used in 'await' expression",
            "`plain` is a function without `async`. Use `plain()`",
            "plain()",
            "5",
        ),
        (
            "a list of coroutines",
            ("await [get(), api.load()]",),
            "TypeError: object list can't be used in 'await' expression",
            "`await` takes one thing. Use `await asyncio.gather(get(), api.load())`",
            "await asyncio.gather(get(), api.load())",
            "[{'a': 1}, [1, 2]]",
        ),
        (
            "a name for a list of coroutines",
            ("jobs = [asyncio.sleep(0, n) for n in range(3)]\nawait jobs",),
            "TypeError: object list can't be used in 'await' expression",
            "`await` takes one thing. Use `await asyncio.gather(*jobs)`",
            "await asyncio.gather(*jobs)",
            "[0, 1, 2]",
        ),
        (
            "a list given to `gather`",
            ("both = [asyncio.sleep(0, n) for n in range(2)]\nawait asyncio.gather(both)",),
            "TypeError: …",
            "`gather` takes no list. Use `asyncio.gather(*both)`",
            "await asyncio.gather(*both)",
            "[0, 1]",
        ),
        (
            "a job of a thread pool",
            ("await pool.submit(time.sleep, 0)",),
            "TypeError: object Future can't be used in 'await' expression",
            "`pool.submit(time.sleep, 0)` is a future of a thread pool. "
            "Use `await asyncio.wrap_future(pool.submit(time.sleep, 0))`",
            "await asyncio.wrap_future(pool.submit(time.sleep, 0))",
            None,
        ),
        (
            "a function given to `create_task`",
            ("asyncio.create_task(get)",),
            "TypeError: a coroutine was expected, got <function get at …>",
            "`get` is a function. Call it: `asyncio.create_task(get())`",
            "await asyncio.create_task(get())",
            "{'a': 1}",
        ),
        (
            "a function given to `wait_for`",
            ("await asyncio.wait_for(get, 5)",),
            "TypeError: …",
            "`get` is a function. Call it: `await asyncio.wait_for(get(), 5)`",
            "await asyncio.wait_for(get(), 5)",
            "{'a': 1}",
        ),
        (
            "a call that has run given to `create_task`",
            ("asyncio.create_task(time.sleep(0))",),
            "TypeError: a coroutine was expected, got None",
            "`time.sleep(0)` is not async. It has run already, and gave `None`. "
            "Use `asyncio.create_task(asyncio.to_thread(time.sleep, 0))`",
            "await asyncio.create_task(asyncio.to_thread(time.sleep, 0))",
            None,
        ),
        (
            "a call that has run given to `to_thread`",
            ('await asyncio.to_thread(len("abc"))',),
            "TypeError: 'int' object is not callable",
            '`len("abc")` runs before `to_thread` does, which takes the function itself. '
            'Use `await asyncio.to_thread(len, "abc")`',
            'await asyncio.to_thread(len, "abc")',
            "3",
        ),
        (
            "a coroutine given to `to_thread`",
            ("await asyncio.to_thread(get())",),
            "TypeError: 'coroutine' object is not callable",
            "`get()` is async and needs no thread. Use `await get()`",
            "await get()",
            "{'a': 1}",
        ),
        (
            "a function given to `asyncio.run`",
            ("asyncio.run(get)",),
            "ValueError: a coroutine was expected, got <function get at …>",
            "`get` is a function. Call it: `asyncio.run(get())`",
            "asyncio.run(get())",
            "{'a': 1}",
        ),
        (
            "coroutines given to `asyncio.wait`",
            ("await asyncio.wait([get()])",),
            "TypeError: Passing coroutines is forbidden, use tasks explicitly.",
            "`asyncio.wait` takes tasks. Use `await asyncio.gather(*[get()])`",
            "await asyncio.gather(*[get()])",
            "[{'a': 1}]",
        ),
        (
            "`await` in a plain function",
            ("def read():\n    return await get()",),
            "SyntaxError: 'await' outside async function",
            "`await` needs an `async def`. Write `async def read` in line 1, and call it by `await read()`",
            "async def read():\n    return await get()\nawait read()",
            "{'a': 1}",
        ),
        (
            "`await` in a class",
            ("class Config:\n    values = await get()",),
            "SyntaxError: 'await' outside function",
            "The body of a class cannot use `await`. Put it above `class Config`",
            "given = await get()\nclass Config:\n    values = given\nConfig.values",
            "{'a': 1}",
        ),
        (
            "`return` in a cell",
            ("reply = await get()\nreturn reply",),
            "SyntaxError: 'return' outside function",
            "A cell has no `return`. It shows the value of its last line: `reply`",
            "reply = await get()\nreply",
            "{'a': 1}",
        ),
        (
            "`async with` in a plain function",
            ("def enter(api):\n    async with api: pass",),
            "SyntaxError: 'async with' outside async function",
            "`async with` needs an `async def`. Write `async def enter` in line 1, "
            "and call it by `await enter(...)`",
            "async def enter(api):\n    async with api: pass\nawait enter(api)",
            None,
        ),
    ),
    *_of(
        "`for` and `with` of the other kind",
        (
            "`for` over an async generator",
            ("for one in ticks():\n    print(one)",),
            "TypeError: 'async_generator' object is not iterable",
            "`ticks()` is async. Use `async for one in ticks()`",
            "async for one in ticks():\n    print(one)",
            None,
        ),
        (
            "a list of an async generator",
            ("list(ticks())",),
            "TypeError: 'async_generator' object is not iterable",
            "`ticks()` is async. Use `[x async for x in ticks()]`",
            "[x async for x in ticks()]",
            "[1]",
        ),
        (
            "a comprehension over an async generator",
            ("[one + 1 for one in ticks()]",),
            "TypeError: 'async_generator' object is not iterable",
            "`ticks()` is async. Use `[one + 1 async for one in ticks()]`",
            "[one + 1 async for one in ticks()]",
            "[2]",
        ),
        (
            "a function that takes no async generator",
            ("list(enumerate(ticks()))",),
            "TypeError: 'async_generator' object is not iterable",
            "`ticks()` is async. Use `enumerate([x async for x in ticks()])`",
            "list(enumerate([x async for x in ticks()]))",
            "[(0, 1)]",
        ),
        (
            "`next` of an async generator",
            ("next(ticks())",),
            "TypeError: 'async_generator' object is not an iterator",
            "`ticks()` is async. Use `await anext(ticks())`",
            "await anext(ticks())",
            "1",
        ),
        (
            "`anext` of a function",
            ("await anext(ticks)",),
            "TypeError: 'function' object is not an async iterator",
            "`ticks` is a function. Call it: `await anext(ticks())`",
            "await anext(ticks())",
            "1",
        ),
        (
            "`async with` a class",
            ("async with Api as one:\n    print(await one.load())",),
            "TypeError: 'type' object does not support the asynchronous context manager protocol",
            "`Api` is a class. Make an object of it: `async with Api() as one:`",
            "async with Api() as one: pass",
            None,
        ),
        (
            "`with` a class",
            ("with ThreadPoolExecutor as threads:\n    print(threads)",),
            "TypeError: 'type' object does not support the context manager protocol",
            "`ThreadPoolExecutor` is a class. Make an object of it: `with ThreadPoolExecutor() as threads:`",
            "with ThreadPoolExecutor() as threads: pass",
            None,
        ),
        (
            "`async for` over a list",
            ("async for one in [1, 2]:\n    print(one)",),
            "TypeError: 'async for' requires an object with __aiter__ method, got list",
            "`[1, 2]` is not async: it is a `list`. Use `for one in [1, 2]`",
            "for one in [1, 2]:\n    print(one)",
            None,
        ),
        (
            "`async for` over a coroutine",
            ("async for one in api.load():\n    print(one)",),
            "TypeError: 'async for' requires an object with __aiter__ method, got coroutine",
            "`api.load()` is a coroutine. Use `for one in await api.load()`",
            "for one in await api.load():\n    print(one)",
            None,
        ),
        (
            "`with` for an async context manager",
            ("with Api() as one:\n    print(await one.load())",),
            "TypeError: 'Api' object does not support the context manager protocol",
            "`Api()` is an async context manager. Use `async with Api() as one:`",
            "async with Api() as one:\n    print(await one.load())",
            None,
        ),
        (
            "`with` for an async lock",
            ("lock = asyncio.Lock()\nwith lock: pass",),
            "TypeError: 'Lock' object does not support the context manager protocol",
            "`lock` is an async context manager. Use `async with lock:`",
            "async with lock: pass",
            None,
        ),
        (
            "`with` for a timeout",
            ("with asyncio.timeout(5): pass",),
            "RuntimeError: no running event loop",
            "`asyncio.timeout(5)` is an async context manager. Use `async with asyncio.timeout(5):`",
            "async with asyncio.timeout(5): pass",
            None,
        ),
        (
            "`async with` for a file",
            ('async with open("/dev/null") as file:\n    pass',),
            "TypeError: '_io.TextIOWrapper' object does not support the "
            "asynchronous context manager protocol",
            '`open("/dev/null")` is not async. Use `with open("/dev/null") as file:`',
            'with open("/dev/null") as file:\n    pass',
            None,
        ),
    ),
    *_of(
        "Loops",
        (
            "`asyncio.run` in a cell that awaits",
            ("await asyncio.sleep(0)\nasyncio.run(get())",),
            "RuntimeError: asyncio.run() cannot be called from a running event loop",
            "this cell uses `await`, so a loop is running: write `await get()`, "
            "or move the call to a cell without `await`",
            "await asyncio.sleep(0)\nawait get()",
            "{'a': 1}",
        ),
        (
            "the call in a cell of its own",
            ("await asyncio.sleep(0)\nr = asyncio.run(get())",),
            "RuntimeError: asyncio.run() cannot be called from a running event loop",
            "this cell uses `await`, so a loop is running: write `await get()`, "
            "or move the call to a cell without `await`",
            "asyncio.run(get())",
            "{'a': 1}",
        ),
        (
            "`run_until_complete` in a cell that awaits",
            ("await asyncio.sleep(0)\nasyncio.get_event_loop().run_until_complete(get())",),
            "RuntimeError: This event loop is already running",
            "this cell uses `await`, so a loop is running: write `await get()`, "
            "or move the call to a cell without `await`",
            "await asyncio.sleep(0)\nawait get()",
            "{'a': 1}",
        ),
        (
            "a function that calls `asyncio.run`, in a cell that awaits",
            ("def fetch():\n    return asyncio.run(get())", "await asyncio.sleep(0)\nfetch()"),
            "RuntimeError: asyncio.run() cannot be called from a running event loop",
            "this cell uses `await`, so a loop is running: move `fetch()` to a cell without `await`",
            "fetch()",
            "{'a': 1}",
        ),
        (
            "a loop that is closed",
            ("loop = asyncio.new_event_loop()\nloop.close()", "loop.run_until_complete(get())"),
            "RuntimeError: Event loop is closed",
            "`loop` is closed. Use `asyncio.run(get())`",
            "asyncio.run(get())",
            "{'a': 1}",
        ),
        (
            "a queue of `asyncio.run`",
            (
                "queue = asyncio.Queue()\nasync def use():\n"
                "    taker = asyncio.create_task(queue.get())\n"
                "    await asyncio.sleep(0)\n    await queue.put(1)\n    await taker\nasyncio.run(use())",
                "await queue.get()",
            ),
            "RuntimeError: <Queue at …> is bound to a different event loop",
            "`queue` (made in line 1 of In [N]) belongs to the loop of an `asyncio.run()` that is over. "
            "Make it anew in a cell with `await`: `queue = asyncio.Queue()`",
            "queue = asyncio.Queue()\nawait queue.put(2)\nawait queue.get()",
            "2",
        ),
        (
            "a lock of `asyncio.run`",
            (
                "gate = asyncio.Lock()\nasync def hold():\n    async with gate: await asyncio.sleep(0)\n"
                "async def both():\n    await asyncio.gather(hold(), hold())\nasyncio.run(both())",
                "async with gate: await hold()",
            ),
            "RuntimeError: <asyncio.locks.Lock object at …> is bound to a different event loop",
            "`gate` (made in line 1 of In [N]) belongs to the loop of an `asyncio.run()` that is over. "
            "Make it anew in a cell with `await`: `gate = asyncio.Lock()`",
            "gate = asyncio.Lock()\nawait asyncio.sleep(0)\nawait both()",
            None,
        ),
        (
            "a connection of `asyncio.run`",
            (
                "async def connect():\n"
                "    server = await asyncio.start_server(lambda reader, writer: None, '127.0.0.1', 0)\n"
                "    host = server.sockets[0].getsockname()\n"
                "    return await asyncio.open_connection(*host)\n"
                "reader, writer = asyncio.run(connect())",
                "await asyncio.sleep(0)\nwriter.close()",
            ),
            "RuntimeError: Event loop is closed",
            "`writer` belongs to the loop of an `asyncio.run()` that is over. "
            "Make it anew in a cell with `await`",
            "reader, writer = await connect()\nwriter.close()",
            None,
        ),
        (
            "a task awaited in `asyncio.run`",
            (
                "task = asyncio.create_task(asyncio.sleep(30))",
                "async def main():\n    await task\nasyncio.run(main())",
            ),
            "RuntimeError: Task … got Future … attached to a different loop",
            "`task` belongs to the loop of cells with `await`; `asyncio.run()` has one of its own. "
            "Use `await main()` in place of `asyncio.run(main())`",
            "task.cancel()\ntask = asyncio.create_task(asyncio.sleep(0))\nawait main()",
            None,
        ),
        (
            "the loop's own thread waits for it",
            (
                "await asyncio.sleep(0)\nloop = asyncio.get_running_loop()\n"
                "asyncio.run_coroutine_threadsafe(get(), loop).result(timeout=0.1)",
            ),
            "TimeoutError: ",
            "the loop waits for itself: this is its own thread. Use `await get()`",
            "await get()",
            "{'a': 1}",
        ),
        (
            "a database that two threads use",
            (
                "import sqlite3, namespace_kernel\n"
                "data = sqlite3.connect(':memory:')\n"
                "async def poll():\n"
                "    await asyncio.sleep(.01)\n"
                "    return data.execute('select 42').fetchone()[0]",
                "poller = asyncio.create_task(poll())\nawait asyncio.sleep(0)",
                "time.sleep(.1)",
                "await poller",
            ),
            "ProgrammingError: SQLite objects created in a thread can only be used in that same thread. …",
            "while a plain cell runs, a task runs on another thread. Open the database with "
            "`check_same_thread=False`, or keep the task on the main thread: "
            "`asyncio.create_task(namespace_kernel.on_main(...))`",
            "data = sqlite3.connect(':memory:', check_same_thread=False)\n"
            "poller = asyncio.create_task(poll())\nawait poller",
            "42",
        ),
        (
            "a task made in a thread",
            ("def work():\n    asyncio.create_task(get())\nawait asyncio.to_thread(work)",),
            "RuntimeError: no running event loop",
            "no event loop runs in this thread. Use `asyncio.run(get())`",
            "def work():\n    return asyncio.run(get())\nawait asyncio.to_thread(work)",
            "{'a': 1}",
        ),
        (
            "the loop of a thread",
            (
                "def work():\n    asyncio.get_event_loop().run_until_complete(get())\n"
                "thread = threading.Thread(target=work); thread.start(); thread.join()",
            ),
            "RuntimeError: There is no current event loop in thread …",
            "no event loop runs in this thread. Use `asyncio.run(get())`",
            "def work():\n    asyncio.run(get())\n"
            "thread = threading.Thread(target=work); thread.start(); thread.join()",
            None,
        ),
        (
            "a helper that needs a running loop",
            ("def helper():\n    return asyncio.get_running_loop()\nhelper()",),
            "RuntimeError: no running event loop",
            "This cell runs where no event loop is running. Put %%async on its first line.",
            "%%async\nhelper().is_running()",
            "True",
        ),
        (
            "a task that was cancelled",
            ("slow = asyncio.create_task(get())\nslow.cancel()", "await slow"),
            "CancelledError: ",
            "`slow` was cancelled by `slow.cancel()` (line 2 of In [N]). "
            "Start it again: `slow = asyncio.create_task(get())`",
            "slow = asyncio.create_task(get())\nawait slow",
            "{'a': 1}",
        ),
    ),
    *_of(
        "Directives",
        (
            "a directive below the first line",
            ("x = 1\n%%async\ny = 2",),
            "UsageError: Line magic function `%%async` not found.",
            "`%%async` belongs on the first line of the cell. Here it stands on line 2",
            "%%async\nx = 1\ny = 2",
            None,
        ),
        (
            "a directive that is misspelt",
            ("%%asinc\nx = 1",),
            "UsageError: Cell magic `%%asinc` not found.",
            "Did you mean `%%async`?",
            "%%async\nx = 1",
            None,
        ),
        (
            "another that is misspelt",
            ("%%isolate\nx = 1",),
            "UsageError: Cell magic `%%isolate` not found.",
            "Did you mean `%%isolated`?",
            "%%isolated\nx = 1",
            None,
        ),
        (
            "a directive with one percent sign",
            ("%background\nx = 1",),
            "UsageError: Line magic function `%background` not found…",
            "A directive has two percent signs: `%%background`, on the first line of the cell",
            "%%background\nx = 1",
            None,
        ),
    ),
]


def page() -> str:
    """The page of the documentation."""
    parts = [_HEAD.format(setup=SETUP)]
    group = ""
    for one in MISTAKES:
        if one.group != group:
            group = one.group
            parts.append(f"## {group}\n")
        cells = "\n\n".join(
            ("# a cell before\n" if number < len(one.cells) - 1 else "") + cell
            for number, cell in enumerate(one.cells)
        )
        parts.append(
            f"### {one.name[0].upper()}{one.name[1:]}\n" if one.name[0].isalpha() else f"### {one.name}\n"
        )
        parts.append(f"```python\n{cells}\n```\n")
        parts.append(f"```text\n{one.error}\n{one.line.replace('In [N]', 'In [3]')}\n```\n")
        parts.append(f"This works:\n\n```python\n{one.fix}\n```\n")
    return "\n".join(parts)


_HEAD = """\
# Errors that teach

Where the kernel is certain, a traceback ends with one line that says what to do. The line is made from your
code: you can copy it. This page shows the mistakes it knows. Search it for the text of your error.

All examples use these names:

```python
{setup}
```

The tests of the kernel run each mistake, compare the line, and run the cell that the line asks for.
"""


if __name__ == "__main__":
    PAGE.write_text(page())
