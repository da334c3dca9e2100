"""A coroutine where its result was meant: `r["a"]`, `x + 1`, `for … in load()`."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

from .code import Code
from .mistake import Mistake, is_coroutine
from .step import Step

#: Where "a coroutine" is wanted, it is something else that was given.
_NAMED = re.compile(r"(?<!\ba )\b(coroutine|DeferredCoroutine)\b")
_IS_COROUTINE = re.compile(r"'coroutine' object (is not subscriptable|is not callable|has no attribute)")
_TASK = re.compile(r"'(_asyncio\.)?Task'")
#: So many items of a list tell what is in it.
_LOOKED_AT = 1000
_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Await)


def coroutine_as_value(mistake: Mistake) -> str | None:
    """A `TypeError` or the like that names a coroutine, and an expression that is one."""
    if not isinstance(mistake.error, TypeError | AttributeError) or not _NAMED.search(mistake.words):
        return None
    step = mistake.step
    node = None if step is None else _failing(step)
    if step is None or node is None:
        return None
    whole = step.statement if isinstance(getattr(step.node, "ctx", None), ast.Store) else node
    for part in _parts(node):
        value = step.value_of(part)
        if is_coroutine(value):
            return _of_value(mistake, step, part, value)
        if isinstance(part, ast.Name) and _holds_coroutines(value):
            use = step.code.with_text(whole or node, part, f"await asyncio.gather(*{part.id})")
            return _sentence(f"`{part.id}` holds coroutines", use, step.code, part)
        if step.gives_coroutine(part):
            if isinstance(part, ast.Call):
                said, parts = f"`{step.code.call(part)}` was called without `await`", _beside(step, part)
            else:
                said, parts = f"`{step.code.text(part)}` is a coroutine", [part]
            return _sentence(said, _awaiting(step.code, whole or node, *parts), step.code, part)
    operand = getattr(node, "func", getattr(node, "value", None))
    if isinstance(operand, ast.Call) and _IS_COROUTINE.match(mistake.words):
        said = f"`{step.code.call(operand)}` gives a coroutine"
        return _sentence(said, _awaiting(step.code, whole or node, operand), step.code, operand)
    return None


def _holds_coroutines(value: object) -> bool:
    """Whether it is a list or the like of coroutines alone, as far as one looks."""
    if type(value) not in (list, tuple, set):
        return False
    items = list(islice(cast("list[object]", value), _LOOKED_AT))
    return bool(items) and all(is_coroutine(item) for item in items)


def task_as_value(mistake: Mistake) -> str | None:
    """`task["a"]`, `task + 1`, and `task.result()` of one that is not done."""
    step = mistake.step
    if step is None or step.node is None:
        return None
    call = step.node
    if isinstance(mistake.error, asyncio.InvalidStateError):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "result":
            owner = call.func.value
            if isinstance(step.value_of(owner), asyncio.Future):
                text = step.code.text(owner)
                return _sentence(f"`{text}` is not done yet", f"await {text}", step.code, owner)
        return None
    if not isinstance(mistake.error, TypeError) or not _TASK.search(mistake.words):
        return None
    for part in _parts(step.node):
        if isinstance(part, ast.Name) and isinstance(step.value_of(part), asyncio.Task):
            return _sentence(f"`{part.id}` is a task", _awaiting(step.code, step.node, part), step.code, part)
    return None


def _beside(step: Step, call: ast.Call) -> list[ast.expr]:
    """`call`, and the others of its kind in the same expression: `get() + get()`."""
    around = step.code.parent(call)
    others = [] if around is None else list(ast.iter_child_nodes(around))
    found: list[ast.expr] = [one for one in others if isinstance(one, ast.Call) and step.gives_coroutine(one)]
    return found if call in found else [call]


def _failing(step: Step) -> ast.AST | None:
    """What was being computed; for a target that is unpacked into, what is assigned."""
    node, statement = step.node, step.statement
    if isinstance(node, ast.JoinedStr | ast.FormattedValue | ast.Constant):  # `f"{get():.2f}"`
        around = [one for one in step.code.outwards(node) if isinstance(one, ast.JoinedStr)]
        node = around[-1] if around else node
    if isinstance(getattr(node, "ctx", None), ast.Store):
        if isinstance(node, ast.Subscript | ast.Attribute):
            return node
        return getattr(statement, "value", getattr(statement, "iter", None))
    if isinstance(statement, ast.With) and node is statement:
        return statement.items[0].context_expr
    return node


def _parts(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions in `node` that are computed with it, itself first; not what it awaits."""
    waiting = [node]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, ast.expr):
            yield one
        computed = ast.iter_child_nodes(one.value if isinstance(one, ast.Await) else one)
        waiting += [child for child in computed if not isinstance(child, _INNER)]


def _of_value(mistake: Mistake, step: Step, part: ast.expr, value: Any) -> str:
    name, called = step.code.text(part), str(value.__name__)
    origin = mistake.assignment(step, part.id, called) if isinstance(part, ast.Name) else None
    if origin is not None:
        code, assign = origin
        assert isinstance(assign.value, ast.Call)
        use = code.with_await(assign, assign.value)
        use = f"({use})" if isinstance(assign, ast.NamedExpr) else use
        mistake.tell(code, assign.value)
        where, call = mistake.where(code, assign), code.call(assign.value)
        said = f"`{name}` is a coroutine: `{call}` was called without `await` ({where})"
        return _sentence(said, use, code, assign)
    for caller in reversed(mistake.steps[:-1]):  # an argument
        for call_node in _parts(caller.node) if caller.node is not None else ():
            if isinstance(call_node, ast.Call) and caller.calls(call_node, called):
                where, call = mistake.where(caller.code, call_node), caller.code.call(call_node)
                said = f"`{name}` is a coroutine: `{call}` was called without `await` ({where})"
                assert isinstance(caller.node, ast.expr)
                use = _awaiting(caller.code, caller.node, *_beside(caller, call_node))
                return _sentence(said, use, caller.code, call_node)
    assert step.node is not None
    return _sentence(f"`{name}` is a coroutine", _awaiting(step.code, step.node, part), step.code, part)


def _awaiting(code: Code, node: ast.AST, call: ast.expr, *others: ast.expr) -> str:
    """The source of `node`, in which `call` is awaited; of a `for`, its head."""
    around, generator = code.parent(node), code.scope(call)
    # One that awaits is of another kind.
    if isinstance(generator, ast.GeneratorExp) and node is not generator.generators[0].iter:
        with_list = f"[{code.with_await(generator, call).removeprefix('(').removesuffix(')')}]"
        argument = isinstance(one := code.parent(generator), ast.Call) and one.args == [generator]
        return code.text(node).replace(code.text(generator), f"({with_list})" if argument else with_list)
    if isinstance(around, ast.For) and around.iter is node:
        return f"for {code.text(around.target)} in {code.with_await(node, call, *others)}"
    if isinstance(around, ast.comprehension) and around.iter is node:
        node = code.parent(around) or node
    return code.with_await(node, call, *others)


def _sentence(said: str, use: str, code: Code, node: ast.AST) -> str:
    """`said`, and what to write; in which kind of function, if it is in one."""
    scope = next((one for one in code.scopes(node) if not isinstance(one, ast.GeneratorExp)), None)
    if isinstance(scope, ast.Lambda | ast.ClassDef) or "\n" in use or not use:
        return said
    if isinstance(scope, ast.FunctionDef):
        return f"{said}. Use `{use}`, make it `async def {scope.name}`, and call it with `await`"
    return f"{said}. Use `{use}`"
