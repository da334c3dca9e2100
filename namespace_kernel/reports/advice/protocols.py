"""`await`, `for` and `with` where the other kind was meant: the values are async, or they are not."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

from namespace_kernel.base.safe_facts import attribute_of_class

from .code import Code
from .mistake import Mistake, is_coroutine
from .step import MISSING, Step, last_name

_NOT_AWAITABLE = re.compile(r"object (\S+) can't be used in 'await'|'(\S+)' object can't be awaited")
_NOT_ITERABLE = re.compile(r"'(\S+)' object is not iterable")
_NOT_ASYNC_ITERABLE = re.compile(r"'async for' requires an object with __aiter__ method, got (\S+)")
_NO_CONTEXT = re.compile(r"'(\S+)' object does not support the (asynchronous )?context manager protocol")
_NO_ITERATOR = re.compile(r"'(\S+)' object is not an (?:async )?iterator")
_NOT_CALLABLE = re.compile(r"'(\S+)' object is not callable")
_NO_COROUTINE = re.compile(r"a coroutine was expected, got|coroutine or an awaitable is required")

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def wrong_await(mistake: Mistake) -> str | None:
    """`await f`, `await len(x)`, `await [f(), g()]`, `await pool.submit(g)`."""
    found, step = _NOT_AWAITABLE.search(mistake.words), mistake.step
    if type(mistake.error) is not TypeError or not found or step is None or not mistake.is_the_steps_own:
        return None
    if not isinstance(step.node, ast.Await):
        return None
    operand, kind = step.node.value, found[1] or found[2]
    code, text, value = step.code, step.code.text(operand), step.value_of(operand)
    if step.is_async(operand):
        return f"`{text}` is a function. Call it: `await {step.called(operand)}`"
    if step.is_async(operand, inspect.CO_ASYNC_GENERATOR):
        return f"`{text}` is an async generator function. Use `async for x in {step.called(operand)}`"
    if step.function_of(operand) is not None:
        return f"`{text}` is a function without `async`. Use `{step.called(operand)}`"
    if kind == "async_generator":
        return f"`{text}` is an async generator. Use `async for x in {text}`"
    if kind in ("list", "tuple", "set", "generator"):
        if isinstance(operand, ast.List | ast.Tuple | ast.Set) and operand.elts:
            elements = ", ".join(map(code.text, operand.elts))
            return f"`await` takes one thing. Use `await asyncio.gather({elements})`"
        if kind == "generator" or (type(value) in (list, tuple, set) and any(map(is_awaitable, value))):
            return f"`await` takes one thing. Use `await asyncio.gather(*{text})`"
    if kind == "Future":
        return f"`{text}` is a future of a thread pool. Use `await asyncio.wrap_future({text})`"
    if isinstance(operand, ast.Call) and _methods_of(step, operand, kind) & {"__aenter__"}:
        return f"`{text}` is to be entered. Use `async with {text} as x:`"
    if kind in ("functools.partial", "function", "method", "builtin_function_or_method", "type"):
        return None  # whether it is to be called, and what that gives, is not known
    return f"`{text}` gives `{kind}`, which cannot be awaited. Use `{text}`"


def wrong_for(mistake: Mistake) -> str | None:
    """`for` over what is async, and `async for` over what is not."""
    step = mistake.step
    if type(mistake.error) is not TypeError or step is None or not isinstance(step.node, ast.expr):
        return None
    node, code = step.node, step.code
    if found := _NOT_ASYNC_ITERABLE.search(mistake.words):
        return _async_for(step, node, found[1]) if mistake.is_the_steps_own else None
    if found := _NO_ITERATOR.search(mistake.words):
        return _wrong_next(step, node, found[1])
    found = _NOT_ITERABLE.search(mistake.words)
    iterable = found and _async_iterable(step, node, found[1])
    if found is None or iterable is None:
        return None
    text = code.text(iterable) if isinstance(iterable, ast.Call) else step.code.text(iterable)
    if step.is_async(iterable, inspect.CO_ASYNC_GENERATOR):
        text = step.called(iterable)
    around = code.parent(iterable)
    if isinstance(around, ast.For):
        use = f"async for {code.text(around.target)} in {text}"
    elif isinstance(around, ast.comprehension) and (whole := code.parent(around)) is not None:
        head = f"for {code.text(around.target)} in {code.text(iterable)}"
        new = f"async for {code.text(around.target)} in {text}"
        use = code.text(whole).replace(head, new)
        if isinstance(whole, ast.GeneratorExp):
            use = f"[{use.removeprefix('(').removesuffix(')')}]"
    elif (
        isinstance(node, ast.Call) and last_name(node) in ("list", "set", "tuple") and node.args == [iterable]
    ):
        listed = f"[x async for x in {text}]"
        use = listed if last_name(node) == "list" else f"{last_name(node)}({listed})"
    else:
        use = code.with_text(node, iterable, f"[x async for x in {text}]")
    return _in_async_def(f"`{code.text(iterable)}` is async. Use `{use}`", code, iterable)


def _wrong_next(step: Step, node: ast.expr, kind: str) -> str | None:
    """`next(ticks())`, `anext(ticks)`"""
    call = node.value if isinstance(node, ast.Await) else node
    if not isinstance(call, ast.Call) or last_name(call) not in ("next", "anext") or not call.args:
        return None
    first, *others = map(step.code.text, call.args)
    said = f"`{first}` is async. Use"
    if step.is_async(call.args[0], inspect.CO_ASYNC_GENERATOR):
        said, first = f"`{first}` is a function. Call it:", step.called(call.args[0])
    elif kind != "async_generator" or last_name(call) != "next":
        return None
    use = f"await anext({', '.join([first, *others])})"
    return _in_async_def(f"{said} `{use}`", step.code, node)


def _async_iterable(step: Step, node: ast.expr, kind: str) -> ast.expr | None:
    """The part of `node` that can only be gone through by `async for`."""
    statement = step.statement
    if isinstance(getattr(node, "ctx", None), ast.Store) and isinstance(statement, ast.Assign):
        node = statement.value
    parts: list[ast.expr] = [node, *(node.args if isinstance(node, ast.Call) else ())]
    if isinstance(node, ast.Starred):
        parts = [node.value]
    for part in parts:
        if step.is_async(part, inspect.CO_ASYNC_GENERATOR):
            return part
        is_call = kind == "async_generator" and isinstance(part, ast.Call)
        if is_call and step.is_async(part.func, inspect.CO_ASYNC_GENERATOR):  # type: ignore[attr-defined]
            return part
        value = step.value_of(part)
        named = type(value).__name__ == kind
        if value is not MISSING and named and attribute_of_class(type(value), "__aiter__") is not None:
            return part
        if isinstance(part, ast.Call) and part is node and "__aiter__" in _methods_of(step, part, kind):
            return part
    return None


def _async_for(step: Step, node: ast.expr, kind: str) -> str | None:
    code = step.code
    around, text = code.parent(node), code.text(node)
    if not isinstance(around, ast.AsyncFor | ast.comprehension):
        return None
    whole = code.parent(around) if isinstance(around, ast.comprehension) else None
    target = code.text(around.target)
    head = "" if whole is not None else f"for {target} in "
    if step.is_async(node, inspect.CO_ASYNC_GENERATOR):
        return f"`{text}` is a function. Call it: `async {head or 'for x in '}{step.called(node)}`"
    if kind == "coroutine":
        text, said = f"await {text}", f"`{text}` is a coroutine"
    else:
        said = f"`{text}` is not async: it is a `{kind}`"
    if whole is None:
        return f"{said}. Use `{head}{text}`"
    old = f"async for {target} in {code.text(node)}"
    return f"{said}. Use `{code.text(whole).replace(old, f'for {target} in {text}')}`"


def wrong_with(mistake: Mistake) -> str | None:
    """`with` for an async context manager, and the reverse."""
    found, step = _NO_CONTEXT.search(mistake.words), mistake.step
    if not isinstance(mistake.error, TypeError | AttributeError) or not found or step is None:
        return None
    statement = step.statement
    if not isinstance(statement, ast.With | ast.AsyncWith):
        return None
    item = next((one for one in statement.items if one.context_expr is step.node), None)
    item = statement.items[0] if item is None and len(statement.items) == 1 else item
    if item is None:
        return None
    methods = _methods_of(step, item.context_expr, found[1])
    text, head = (
        step.code.text(item.context_expr),
        ast.unparse(item.optional_vars) if item.optional_vars else "",
    )
    is_class = found[1] == "type" and isinstance(step.value_of(item.context_expr), type)
    head = f"with {text}{'()' if is_class else ''}" + (f" as {head}" if head else "") + ":"
    if is_class and methods & {"__aenter__", "__enter__"}:
        head = head if "__enter__" in methods and not found[2] else f"async {head}"
        return f"`{text}` is a class. Make an object of it: `{head}`"
    if not found[2] and "__aenter__" in methods:
        said = f"`{text}` is an async context manager. Use `async {head}`"
        return _in_async_def(said, step.code, statement)
    if found[2] and "__enter__" in methods:
        return f"`{text}` is not async. Use `{head}`"
    return None


def function_for_coroutine(mistake: Mistake) -> str | None:
    """`asyncio.create_task(f)`, `asyncio.gather(f, [g()])`: a function where its coroutine belongs."""
    step = mistake.step
    if not isinstance(mistake.error, TypeError | ValueError) or step is None:
        return None
    call = step.node.value if isinstance(step.node, ast.Await) else step.node
    if not isinstance(call, ast.Call):
        return None
    # Since Python 3.12 `wait_for` awaits what it was given, whatever that is.
    is_waiting = last_name(call) == "wait_for" and _NOT_AWAITABLE.search(mistake.words)
    if is_waiting or _NO_COROUTINE.search(mistake.words):
        for argument in call.args:
            if step.is_async(argument):
                text = step.code.text(argument)
                new = [step.called(one) if step.is_async(one) else step.code.text(one) for one in call.args]
                options = [f"{one.arg}={step.code.text(one.value)}" for one in call.keywords]
                use = f"{step.code.text(call.func)}({', '.join(new + options)})"
                awaits = isinstance(step.node, ast.Await) or isinstance(step.code.parent(call), ast.Await)
                return f"`{text}` is a function. Call it: `{'await ' if awaits else ''}{use}`"
        if len(call.args) == 1 and mistake.words.endswith(", got None"):
            return _has_run(step, call)
    is_list = len(call.args) == 1 and (
        isinstance(call.args[0], ast.List | ast.ListComp) or type(step.value_of(call.args[0])) is list
    )
    if last_name(call) == "gather" and is_list:
        return f"`gather` takes no list. Use `{step.code.text(call.func)}(*{step.code.text(call.args[0])})`"
    if last_name(call) == "wait" and call.args and "Passing coroutines is forbidden" in mistake.words:
        return f"`asyncio.wait` takes tasks. Use `await asyncio.gather(*{step.code.text(call.args[0])})`"
    return None


def called_too_early(mistake: Mistake) -> str | None:
    """`asyncio.to_thread(time.sleep(1))`, `loop.run_in_executor(None, read("x"))`"""
    step = mistake.step
    if type(mistake.error) is not TypeError or not _NOT_CALLABLE.search(mistake.words) or step is None:
        return None
    call = step.node.value if isinstance(step.node, ast.Await) else step.node
    place = {"to_thread": 0, "run_in_executor": 1}.get(last_name(call)) if call is not None else None
    if not isinstance(call, ast.Call) or place is None or len(call.args) != place + 1:
        return None
    given, code = call.args[place], step.code
    if not isinstance(given, ast.Call) or given.keywords:
        return None
    if step.is_async(given.func):
        return f"`{code.call(given)}` is async and needs no thread. Use `await {code.text(given)}`"
    arguments = ", ".join(map(code.text, [*call.args[:place], given.func, *given.args]))
    said = f"`{code.call(given)}` runs before `{last_name(call)}` does, which takes the function itself"
    return f"{said}. Use `await {code.text(call.func)}({arguments})`"


def _has_run(step: Step, call: ast.Call) -> str | None:
    """`asyncio.create_task(print("x"))`"""
    given, code = call.args[0], step.code
    if (
        not isinstance(given, ast.Call)
        or given.keywords
        or any(isinstance(one, ast.Starred) for one in given.args)
    ):
        return None
    arguments = ", ".join(map(code.text, [given.func, *given.args]))
    said = f"`{code.call(given)}` is not async. It has run already, and gave `None`"
    return f"{said}. Use `{code.text(call.func)}(asyncio.to_thread({arguments}))`"


def awaited_twice(mistake: Mistake) -> str | None:
    """`await c` for the second time."""
    step = mistake.step
    if "cannot reuse already awaited coroutine" not in mistake.words or step is None:
        return None
    node = step.node.value if isinstance(step.node, ast.Await) else None
    value = step.value_of(node)
    if not isinstance(node, ast.Name) or not is_coroutine(value):
        return None
    found = mistake.assignment(step, node.id, value.__name__)
    call = found[0].text(found[1].value or found[1]) if found is not None else f"{value.__name__}(...)"
    return f"`{node.id}` has been awaited already, and a coroutine runs once. Use `await {call}`"


def is_awaitable(value: object) -> bool:
    """Whether it is a coroutine, or its class says that it can be awaited."""
    return is_coroutine(value) or attribute_of_class(type(value), "__await__") is not None


def _methods_of(step: Step, node: ast.expr, kind: str) -> set[str]:
    """Which protocols the value of `node` has, whose class is called `kind`."""
    value = step.value_of(node)
    kinds = _classes_named(kind) if value is MISSING else [type(value)]
    if isinstance(node, ast.Call) and isinstance(called := step.value_of(node.func), type):
        kinds = [called]
    elif kind == "type" and isinstance(value, type):  # of the objects that one forgot to make
        kinds = [value]
    wanted = ("__aenter__", "__enter__", "__aiter__", "__iter__")
    found = [{name for name in wanted if attribute_of_class(one, name) is not None} for one in kinds]
    return set.intersection(*found) if found else set()


def _classes_named(name: str) -> list[type]:
    """All classes of that name, with their module or without, as Python writes them in its errors."""
    waiting: list[Any] = [object]
    seen, found = set(), []
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        waiting += type.__subclasses__(one)
        if name in (one.__name__, f"{one.__module__}.{one.__name__}"):
            found.append(one)
    return found


def _in_async_def(said: str, code: Code, node: ast.AST) -> str:
    """`said`, with what it needs in a function that cannot await."""
    scope = code.scope(node)
    if isinstance(scope, ast.FunctionDef):
        return f"{said}, make it `async def {scope.name}`, and call it with `await`"
    return said
