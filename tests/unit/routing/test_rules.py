"""Where a cell without a directive goes: what awaits or uses the running loop, and what only looks so."""

from __future__ import annotations

import ast
import asyncio
import re
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from namespace_kernel import Cell, Context
from namespace_kernel.base.errors import NamespaceKernelError
from namespace_kernel.routing.router import Router

AWAITS = [
    "await f()",
    "x = await f()",
    "async with f() as g: pass",
    "async for x in f(): pass",
    "[x async for x in f()]",
    "[await x for x in y]",
    "{x: 1 async for x in f()}",
    "if x:\n    while y:\n        await f()",
    "print(await f())",
    "f'{await g()}'",
    "def f(x=await g()): pass",
    "@(await decorator())\ndef f(): pass",
    "try:\n    pass\nfinally:\n    await f()",
    "# a comment\n\nawait f()",
]
DOES_NOT_AWAIT = [
    "x = 1",
    "",
    "async def f():\n    await g()",
    "async def f():\n    async with g(): pass",
    "def f():\n    async def g():\n        await h()\n    return g",
    "class A:\n    async def f(self): await self",
    "'await f()'",
    "# await f()",
    "x = '''\nawait f()\n'''",
    "awaited = 1; asynchronous = 2",
    "f = lambda: (x async for x in y)",
    "import asyncio; asyncio.run(f())",
]
BROKEN = {
    "syntax error": "await f(",
    "await in a sync function": "def f():\n    await g()",
    "return": "x = 1\nreturn 1",
    "NUL": "await f()\0",
    "NUL with a task": "asyncio.create_task(f())\0",
    "open brackets": "await " + "(" * 5_000,
    "indentation": "async def f():\nawait g()",
    "tabs": "if x:\n\tawait f()\n        await g()",
}
IN_LOOP = [
    "import asyncio\nasyncio.create_task(f())",
    "import asyncio\ntask = asyncio.create_task(f())",
    "import asyncio\ntasks = [asyncio.create_task(f(x)) for x in range(3)]",
    "import asyncio\nasyncio.ensure_future(f())",
    "import asyncio\nloop = asyncio.get_running_loop()",
    "import asyncio\nfuture = asyncio.gather(f(), g())",
    "import asyncio\nasyncio.shield(f())",
    "import asyncio\nasyncio.all_tasks()",
    "import asyncio\nprint(asyncio.current_task())",
    "import asyncio as aio\naio.create_task(f())",
    "from asyncio import create_task\ncreate_task(f())",
    "from asyncio import create_task as spawn, sleep\nspawn(f())",
    "import asyncio, os\nif True:\n    for x in y:\n        asyncio.create_task(f())",
    "import asyncio\nclass A:\n    task = asyncio.create_task(f())",
    "import asyncio\ndef f(task=asyncio.create_task(g())): pass",
    "import asyncio\nwith x:\n    asyncio.create_task(f())",
    "import asyncio\nasync def f(): pass\nasyncio.create_task(f())",
    "import asyncio.subprocess\nasyncio.create_task(f())",
    "import asyncio.tasks as tasks\ntasks.create_task(f())",
    "from asyncio import *\ncreate_task(f())",
    "import asyncio\nx = lambda task=asyncio.create_task(f()): task",
]
# What libraries need that do not say so.
IN_LOOP += [
    "import adaptive\nrunner = adaptive.Runner(learner, goal=f)",
    "from adaptive import Runner\nRunner(learner, goal=f)",
    "from adaptive.runner import AsyncRunner as R\nR(learner)",
    "import panel as pn\npn.state.add_periodic_callback(f, 100)",
    "from panel import state\nstate.add_periodic_callback(f, 100)",
    "from apscheduler.schedulers.asyncio import AsyncIOScheduler\ns = AsyncIOScheduler()\ns.start()",
    "from apscheduler.schedulers.asyncio import AsyncIOScheduler\nAsyncIOScheduler().start()",
    "import apscheduler.schedulers.asyncio as a\ns = a.AsyncIOScheduler()\ns.add_job(f)\ns.start()",
]
NOT_IN_LOOP = [
    "from apscheduler.schedulers.background import BackgroundScheduler\ns = BackgroundScheduler()\ns.start()",
    "from apscheduler.schedulers.asyncio import AsyncIOScheduler\ns = AsyncIOScheduler()\ns.add_job(f)",
    "import adaptive\nadaptive.BlockingRunner(learner)",
    "import threading\nt = threading.Thread(target=f)\nt.start()",
    "import asyncio\ndef f(): return asyncio.create_task(g())",
    "import asyncio\nasync def f(): asyncio.create_task(g())",
    "import asyncio\nf = lambda: asyncio.create_task(g())",
    "import asyncio\nclass A:\n    def f(self): asyncio.create_task(g())",
    "import asyncio\nasync def main(): asyncio.create_task(f())\nasyncio.run(main())",
    "import asyncio\nasyncio.run(asyncio.gather(f()))",
    "import asyncio, asyncio.runners as r\nr.run(asyncio.gather(f()))",
    "import asyncio\nx = asyncio.ensure_future(f())\nasyncio.get_event_loop().run_until_complete(x)",
    "import asyncio\nloop = asyncio.new_event_loop()\nloop.create_task(f())\nloop.run_forever()",
    "import asyncio\nwith asyncio.Runner() as runner:\n    asyncio.all_tasks()",
    "from asyncio import run, gather\nrun(gather(f()))",
    "import asyncio\nasyncio.create_task",
    "import trio\ntrio.create_task(f())",
    "import numpy\nnumpy.gather(x)",
    "create_task(f())",
    "def create_task(x): pass\ncreate_task(1)",
    "import asyncio\nloop = asyncio.get_event_loop()",
    "import asyncio\nasyncio.sleep(1)",
    "'asyncio.create_task(f())'",
    "# asyncio.create_task(f())",
    "import asyncio\nasyncio.iscoroutinefunction('create_task')",
]


def context_of(code: str, **lookup: Any) -> Context:
    route = Router(lookup=lookup.get).route(Cell(textwrap.dedent(code), "cell"))
    assert route.error is None
    return route.context


@pytest.mark.parametrize("code", AWAITS)
def test_code_that_awaits_at_its_top_level_goes_to_the_loop(code: str) -> None:
    assert context_of(code) is Context.ASYNC


@pytest.mark.parametrize("code", DOES_NOT_AWAIT)
def test_code_that_only_mentions_await_does_not(code: str) -> None:
    assert context_of(code) is Context.MAIN


@pytest.mark.parametrize("code", BROKEN.values(), ids=BROKEN)
def test_code_that_does_not_compile_goes_where_its_error_is_shown(code: str) -> None:
    route = Router().route(Cell(code, "cell"))
    assert (route.context, route.source, route.error) == (Context.MAIN, code, None)


def test_what_stands_before_a_statement_that_does_not_compile_may_still_need_the_loop() -> None:
    assert context_of("await f()\nreturn 1") is Context.ASYNC


@pytest.mark.parametrize("code", ["x = 1\nawait f('\ud800')", "x\n%%async\n\udfff"], ids=ascii)
def test_half_a_character_is_an_error_that_says_where(code: str) -> None:
    route = Router().route(Cell(code, "cell"))
    assert isinstance(route.error, NamespaceKernelError)
    assert re.search(r"line [23] .*surrogate", str(route.error))
    assert route.context is Context.MAIN


@pytest.mark.parametrize("code", IN_LOOP)
def test_code_that_uses_the_running_loop_without_await_goes_there(code: str) -> None:
    assert context_of(code) is Context.ASYNC


@pytest.mark.parametrize("code", NOT_IN_LOOP)
def test_code_that_runs_a_loop_itself_or_only_defines_functions_does_not(code: str) -> None:
    assert context_of(code) is Context.MAIN


EARLIER: dict[str, tuple[str, dict[str, Any], Context]] = {
    "import asyncio": ("asyncio.create_task(f())", {"asyncio": asyncio}, Context.ASYNC),
    "import asyncio as aio": ("aio.gather(f())", {"aio": asyncio}, Context.ASYNC),
    "from asyncio import gather": ("gather(f())", {"gather": asyncio.gather}, Context.ASYNC),
    "from asyncio import create_task as go": ("go(f())", {"go": asyncio.create_task}, Context.ASYNC),
    "import asyncio.tasks as t": ("t.create_task(f())", {"t": asyncio.tasks}, Context.ASYNC),
    "import asyncio.runners as r": (
        "r.run(asyncio.gather())",
        {"r": asyncio.runners, "asyncio": asyncio},
        Context.MAIN,
    ),
    "another module": ("asyncio.create_task(f())", {"asyncio": textwrap}, Context.MAIN),
    "a function of the user's": ("gather(f())", {"gather": lambda one: one}, Context.MAIN),
    "run": ("run(gather())", {"run": asyncio.run, "gather": asyncio.gather}, Context.MAIN),
    "nothing": ("asyncio.create_task(f())", {}, Context.MAIN),
}


@pytest.mark.parametrize("earlier", EARLIER)
def test_names_that_earlier_cells_bound_count(earlier: str) -> None:
    code, namespace, expected = EARLIER[earlier]
    assert context_of(code, **namespace) is expected


class Hostile:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    __hash__ = None  # type: ignore[assignment]


class Nameless:
    __name__ = ["not", "a", "string"]


@pytest.mark.parametrize("value", [Hostile(), Nameless(), None, 3], ids=lambda value: type(value).__name__)
def test_a_strange_object_that_is_called_is_no_obstacle(value: Any) -> None:
    assert context_of("gather = thing()", thing=value) is Context.MAIN
    assert context_of("thing.gather()", thing=value) is Context.MAIN


DEEP: dict[str, Callable[[int], str]] = {
    "a sum": lambda depth: "x = " + " + ".join(["1"] * depth),
    "calls in a row": lambda depth: "x" + ".f()" * depth,
    "elif": lambda depth: "if x: pass\n" + "elif y: pass\n" * depth,
}


@pytest.mark.parametrize("depth", [300, 1_500, 20_000])
@pytest.mark.parametrize("make", DEEP.values(), ids=DEEP)
def test_deeply_nested_code_is_routed_like_any_other(make: Callable[[int], str], depth: int) -> None:
    for begin in ("", "import asyncio\nasyncio.create_task(f())\n", "await f()\n"):
        code = begin + make(depth)
        route = Router().route(Cell(code, "cell"))
        assert route.error is None
        is_parsed = True  # Python 3.15 parses more than it compiles
        try:
            ast.parse(code)
        except (RecursionError, MemoryError, SyntaxError):
            is_parsed = False
        assert route.context is (Context.ASYNC if is_parsed and begin else Context.MAIN)


def test_a_megabyte_is_no_problem() -> None:
    lines = "x = 'await asyncio.create_task'\n" * 35_000
    assert context_of(lines) is Context.MAIN
    assert context_of(lines + "await f()") is Context.ASYNC


def test_warnings_are_left_to_the_engine() -> None:
    assert context_of("await f(1 is 1)") is Context.ASYNC  # a warning here would be an error
    assert context_of("x = '\\d'; import asyncio; asyncio.create_task(1 is 1)") is Context.ASYNC


def test_magics_are_seen_as_what_they_are_transformed_to() -> None:
    router = Router(lambda code: code.replace("!ls", "await system('ls')"))
    route = router.route(Cell("!ls", "cell"))
    assert (route.context, route.source) == (Context.ASYNC, "await system('ls')")


def test_a_transformer_that_fails_makes_a_cell_that_fails() -> None:
    def transform(code: str) -> str:
        raise IndexError("a transformer of the user's")

    route = Router(transform).route(Cell("x", "cell"))
    assert isinstance(route.error, IndexError)
    assert (route.context, route.source) == (Context.MAIN, "x")


def test_with_autoawait_off_nothing_goes_to_the_loop_by_itself() -> None:
    router = Router(may_await=lambda: False)
    for code in ("await f()", "import asyncio; asyncio.create_task(f())"):
        assert router.route(Cell(code, "cell")).context is Context.MAIN
    assert router.route(Cell("%%async\nawait f()", "cell")).context is Context.ASYNC


def test_the_cell_s_own_future_does_not_change_ours() -> None:
    assert context_of("from __future__ import annotations\nawait f()") is Context.ASYNC


@pytest.mark.parametrize(
    ("code", "context"),
    [
        ("x = 1", Context.ASYNC),
        ("print(asyncio.get_event_loop())", Context.ASYNC),
        ("def main(): asyncio.run(f())", Context.ASYNC),
        ("import asyncio\nasyncio.run(f())", Context.MAIN),
        ("import asyncio\nwith asyncio.Runner() as runner: runner.run(f())", Context.MAIN),
        ("loop.run_until_complete(f())", Context.MAIN),
        ("%%sync\nx = 1", Context.MAIN),
    ],
)
def test_plain_cells_have_the_loop_around_them_where_that_is_asked_for(code: str, context: Context) -> None:
    router = Router(plain_on_loop=lambda: True)
    assert router.route(Cell(code, "cell")).context is context
    assert router.route(Cell(code, "cell", background=True)).context is Context.MAIN
    assert router.route(Cell(code, "cell", lane_id="subshell")).context is Context.MAIN
    assert Router().route(Cell(code, "cell")).context is Context.MAIN
