"""Loops: one runs where none may, none runs where one must, or something belongs to another."""

from __future__ import annotations

import ast
import asyncio
import gc
import re
import threading
from collections import deque
from traceback import walk_tb
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from namespace_kernel.base.cell import Context
from namespace_kernel.base.safe_facts import attribute_of_class

from .mistake import Mistake, ran_in_thread
from .step import MISSING, Step, last_name

#: Errors that say that no event loop is running: module and name. Libraries have theirs.
_NO_LOOP_ERRORS = {("anyio", "NoEventLoopError"), ("sniffio", "AsyncLibraryNotFoundError")}
_NO_LOOP_WORDS = re.compile(
    r"no (running|current) (event|asyncio) ?loop|no (event|asyncio) loop (is )?running"
    r"|(requires?|needs?|without|not in|(out|in)side( of)?|within) an? (running|current|active) "
    r"(event|asyncio)"
    r"|(event|asyncio) loop (is not|isn't|must be) running",
    re.IGNORECASE,
)
#: What says that a loop is running, by the name of the error's class.
_LOOP_RUNS = {
    "RuntimeError": re.compile(
        r"cannot be called from a running event loop|event loop is already running"
        r"|while another loop is running|in the same thread as an async event loop"
        r"|Already running asyncio in this thread"
    ),
    "Error": re.compile(r"Playwright Sync API inside the asyncio loop"),
    "SynchronousOnlyOperation": re.compile(r"from an async context"),
}
_OTHER_LOOP = re.compile(r"is bound to a different event loop|attached to a different loop|loop is closed")
_OTHER_THREAD = re.compile(r"SQLite objects .* created in thread id (\d+) and this is thread id (\d+)")
_RUNNERS = ("run", "run_until_complete")
#: Why the loop runs around a cell: what to say of it, by the route's reason.
_WHY = {
    "it awaits": ("this cell uses `await`, so a loop is running", "a cell without `await`"),
    "its directive or tag says so": (
        "this cell is to run on the loop",
        "a cell of its own, without `%%async`",
    ),
    "it uses the running loop": ("this cell uses the running loop", "a cell of its own"),
}
_ELSE = ("a loop is running around this cell", "a cell that begins with `%%sync`")
#: How many objects are looked at for the loop that something belongs to.
_REACH = 3000
_NOT_HELD = (ModuleType, type, FunctionType, BuiltinFunctionType, CodeType, FrameType)


def loop_runs(mistake: Mistake) -> str | None:
    """`asyncio.run()` and whatever else refuses to work where a loop runs."""
    if not any(
        kind.__name__ in _LOOP_RUNS and _LOOP_RUNS[kind.__name__].search(mistake.words)
        for kind in type(mistake.error).__mro__
    ):
        return None
    step = mistake.step
    if step is None:
        return None
    outermost, inside = (
        mistake.steps[0],
        isinstance(step.code.scope(step.node or step.code.tree), ast.FunctionDef),
    )
    of_cell = mistake.on_loop and outermost.frame.f_code.co_name in ("<module>", "<cell line: 1>")
    of_cell = mistake.on_loop and (
        of_cell or outermost.code.scope(outermost.node or outermost.code.tree) is None
    )
    why, elsewhere = _WHY.get(mistake.route.reason, _ELSE) if mistake.route is not None else _ELSE
    said = why if of_cell else "a loop is running here"
    given = _given_to_runner(step)
    if given is not None and not inside:
        move = f", or move the call to {elsewhere}" if of_cell else ""
        return f"{said}: write `await {given}`{move}"
    call = outermost.node
    if of_cell and isinstance(call, ast.Call):
        return f"{said}: move `{outermost.code.call(call)}` to {elsewhere}"
    if of_cell:
        return f"{said}: move line {outermost.frame.f_lineno} to {elsewhere}" if inside else None
    return None


def _given_to_runner(step: Step) -> str | None:
    """What `asyncio.run` or `run_until_complete` is given, if that is what the step calls."""
    call = step.node
    if not isinstance(call, ast.Call) or last_name(call) not in _RUNNERS or not call.args:
        return None
    function = step.value_of(call.func)
    own = getattr(function, "__module__", "asyncio") if function is not MISSING else "asyncio"
    return step.code.text(call.args[0]) if str(own).startswith("asyncio") else None


def other_loop(mistake: Mistake) -> str | None:
    """A queue, lock, future, session or client that belongs to a loop which is not running here."""
    if type(mistake.error) is not RuntimeError or not _OTHER_LOOP.search(mistake.words):
        return None
    frames = [frame for frame, _ in walk_tb(mistake.error.__traceback__)]
    culprit = frames[-1].f_locals.get("self", MISSING) if frames else MISSING
    runner = next((step for step in mistake.steps if _given_to_runner(step)), None)
    for step in reversed(mistake.steps):
        for name in _names_in(step):
            value = step.value_of(name)
            if value is MISSING or isinstance(value, ModuleType | type | FunctionType):
                continue
            for loop in _loops_of(value):
                if loop.is_closed() and loop is value:
                    return _closed_itself(mistake, name, runner)
                if loop.is_closed():
                    return _of_closed_loop(mistake, step, name, runner, loop)
                if loop is mistake.loop and runner is not None and value is not culprit:
                    return (
                        f"`{name.id}` belongs to the loop of cells with `await`; `asyncio.run()` has one of "
                        f"its own. Use `await {_given_to_runner(runner)}` in place of `{runner.text}`"
                    )
    return None


def _closed_itself(mistake: Mistake, name: ast.Name, runner: Step | None) -> str:
    given = None if runner is None else _given_to_runner(runner)
    if given is None:
        return f"`{name.id}` is closed. `asyncio.new_event_loop()` makes another one"
    return f"`{name.id}` is closed. Use `{f'await {given}' if mistake.on_loop else f'asyncio.run({given})'}`"


def _of_closed_loop(mistake: Mistake, step: Step, name: ast.Name, runner: Step | None, loop: object) -> str:
    found = mistake.assignment(step, name.id)
    made = f" (made in {mistake.where(*found)})" if found else ""
    own = any(one is loop for one in list(mistake.steps[0].frame.f_globals.values()))
    whose = "a loop that is closed" if own else "the loop of an `asyncio.run()` that is over"
    said = f"`{name.id}`{made} belongs to {whose}"
    if runner is not None:
        return f"{said}. Make it anew in what `{runner.text}` runs"
    text = found[0].text(found[1]) if found else ""
    if found and "\n" not in text and found[1].value and _is_known(mistake, found[1].value):
        return f"{said}. Make it anew in a cell with `await`: `{text}`"
    return f"{said}. Make it anew in a cell with `await`"


def _is_known(mistake: Mistake, node: ast.expr) -> bool:
    """Whether all names in `node` are there at the top level."""
    step = mistake.steps[0]
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return all(name in step.frame.f_globals or name in step.frame.f_builtins for name in names)


def _names_in(step: Step) -> list[ast.Name]:
    nodes = [step.node] if step.node is not None else []
    if step.statement is not None and not isinstance(step.statement, ast.FunctionDef | ast.AsyncFunctionDef):
        nodes.append(step.statement)
    names = [one for node in nodes for one in ast.walk(node) if isinstance(one, ast.Name)]
    return list({one.id: one for one in reversed(names)}.values())[::-1]


def _loops_of(value: object) -> list[Any]:
    """The event loops that can be reached from `value`."""
    waiting, seen, found = deque([value]), {id(value)}, []
    while waiting and len(seen) < _REACH:
        one = waiting.popleft()
        if any(base is asyncio.AbstractEventLoop for base in type.mro(type(one))):
            found.append(one)
            continue
        for held in gc.get_referents(one):
            named = type(held) is dict and "__builtins__" in held
            if id(held) not in seen and not named and not isinstance(held, _NOT_HELD):
                seen.add(id(held))
                waiting.append(held)
    return found


def waits_for_itself(mistake: Mistake) -> str | None:
    """`asyncio.run_coroutine_threadsafe(f(), loop).result(5)` on the loop's own thread."""
    step = mistake.step
    call = None if step is None else step.node
    if not isinstance(mistake.error, TimeoutError) or not mistake.on_loop or step is None:
        return None
    if (
        not isinstance(call, ast.Call)
        or last_name(call) != "result"
        or not isinstance(call.func, ast.Attribute)
    ):
        return None
    given: ast.expr | None = call.func.value
    if isinstance(given, ast.Name):
        found = mistake.assignment(step, given.id, "run_coroutine_threadsafe")
        code, given = (found[0], found[1].value) if found is not None else (step.code, None)
    else:
        code = step.code
    if not isinstance(given, ast.Call) or last_name(given) != "run_coroutine_threadsafe" or not given.args:
        return None
    return f"the loop waits for itself: this is its own thread. Use `await {code.text(given.args[0])}`"


def no_loop(mistake: Mistake) -> str | None:
    """Code that looks for a loop where none is running: in a plain cell, or in a thread."""
    if not misses_loop(mistake.error):
        return None
    timeout = mistake.step.node if mistake.step is not None else None
    if isinstance(timeout, ast.Call) and last_name(timeout) in ("timeout", "timeout_at"):
        item = mistake.step and mistake.step.code.parent(timeout)
        if mistake.step and isinstance(item, ast.withitem) and isinstance(mistake.step.statement, ast.With):
            text = mistake.step.code.text(timeout)
            return f"`{text}` is an async context manager. Use `async with {text}:`"
    if not ran_in_thread(mistake.error.__traceback__):
        if mistake.route is not None and mistake.route.context is Context.MAIN:
            return "This cell runs where no event loop is running. Put %%async on its first line."
        return None
    step = mistake.step
    said = "no event loop runs in this thread"
    if step is None or step.statement is None:
        return f"{said}. Run coroutines there with `asyncio.run(...)`"
    for call in ast.walk(step.statement):
        wanted = (*_RUNNERS, "create_task", "ensure_future")
        if isinstance(call, ast.Call) and last_name(call) in wanted and call.args:
            return f"{said}. Use `asyncio.run({step.code.text(call.args[0])})`"
    return f"{said}. Run coroutines there with `asyncio.run(...)`"


def misses_loop(error: BaseException | None) -> bool:
    """Whether `error`, or what it came from, says that no event loop is running."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for kind in type(error).__mro__:
            if (str(kind.__module__).partition(".")[0], kind.__name__) in _NO_LOOP_ERRORS:
                return True
        words = error.args[0] if isinstance(error, RuntimeError) and error.args else ""
        if type(words) is str and _NO_LOOP_WORDS.search(words):
            return True
        error = error.__cause__ or error.__context__
    return False


def other_thread(mistake: Mistake) -> str | None:
    """A database that a task uses on the home thread of the kernel's loop, and somebody else on main."""
    found = _OTHER_THREAD.search(mistake.words)
    home = getattr(mistake.loop, "home", None)
    if found is None or {int(found[1]), int(found[2])} != {threading.main_thread().ident, home}:
        return None
    return (
        "while a plain cell runs, a task runs on another thread. Open the database with "
        "`check_same_thread=False`, or keep the task on the main thread: "
        "`asyncio.create_task(namespace_kernel.on_main(...))`"
    )


def cancelled(mistake: Mistake) -> str | None:
    """A task that was cancelled is awaited: who did it, where that is known, and how to start it again."""
    step = mistake.step
    if not isinstance(mistake.error, asyncio.CancelledError):
        return None
    step = next((one for one in reversed(mistake.steps) if isinstance(one.node, ast.Await)), None)
    node = step.node.value if step is not None and isinstance(step.node, ast.Await) else None
    task: Any = MISSING if step is None else step.value_of(node)
    if not isinstance(node, ast.Name) or task is MISSING or not _is_future(task) or not task.cancelled():
        return None
    assert step is not None
    said = f"`{node.id}` was cancelled{_by_whom(mistake, step, node.id, task)}"
    found = mistake.assignment(step, node.id)
    if found is None or not isinstance(found[1].value, ast.Call):
        return f"{said}. Start it again to get its result"
    text = found[0].text(found[1])
    return f"{said}. Start it again: `{text}`" if "\n" not in text else f"{said}. Start it again"


def _is_future(value: Any) -> bool:
    return attribute_of_class(type(value), "_asyncio_future_blocking") is not None


def _by_whom(mistake: Mistake, step: Step, name: str, task: Any) -> str:
    """The only line of the cells that can have cancelled `task`, which has that name."""
    found = set()
    for code in mistake.all_code("cancel"):
        for call in ast.walk(code.tree):
            if not isinstance(call, ast.Call) or last_name(call) != "cancel":
                continue
            owner = call.func.value if isinstance(call.func, ast.Attribute) else None
            value = step.value_of(owner)
            if value is MISSING or value is task:  # another name may have been bound to it
                found.add((code.text(call), mistake.where(code, call)))
    text, where = found.pop() if len(found) == 1 else ("", "")
    return f" by `{text}` ({where})" if text == f"{name}.cancel()" else ""
