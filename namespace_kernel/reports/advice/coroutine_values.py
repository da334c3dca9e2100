"""A coroutine where its result was meant: `r["a"]`, `x + 1`, `for … in load()`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from .mistake import Code, Mistake, Step, is_coroutine, last_name

_NAMED = re.compile(r"\b(coroutine|DeferredCoroutine)\b")
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
        if isinstance(part, ast.Call) and step.is_async(part.func):
            said = f"`{step.code.call(part)}` was called without `await`"
            return _sentence(said, _awaiting(step.code, whole or node, part), step.code, part)
    return None


def _failing(step: Step) -> ast.AST | None:
    """What was being computed; for a target that is unpacked into, what is assigned."""
    node, statement = step.node, step.statement
    if isinstance(getattr(node, "ctx", None), ast.Store):
        if isinstance(node, ast.Subscript | ast.Attribute):
            return node
        return getattr(statement, "value", getattr(statement, "iter", None))
    if isinstance(statement, ast.With) and node is statement:
        return statement.items[0].context_expr
    return node


def _parts(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions in `node` that are computed with it, itself first."""
    waiting = [node]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, ast.expr):
            yield one
        waiting += [child for child in ast.iter_child_nodes(one) if not isinstance(child, _INNER)]


def _of_value(mistake: Mistake, step: Step, part: ast.expr, value: Any) -> str:
    name, called = step.code.text(part), str(value.__name__)
    origin = mistake.assignment(part.id, called) if isinstance(part, ast.Name) else None
    if origin is not None:
        code, assign = origin
        assert isinstance(assign.value, ast.Call)
        where, call = mistake.where(code, assign), code.call(assign.value)
        said = f"`{name}` is a coroutine: `{call}` was called without `await` ({where})"
        return _sentence(said, code.with_await(assign, assign.value), code, assign)
    for caller in reversed(mistake.steps[:-1]):  # an argument
        for call_node in _parts(caller.node) if caller.node is not None else ():
            if isinstance(call_node, ast.Call) and last_name(call_node) == called:
                where, call = mistake.where(caller.code, call_node), caller.code.call(call_node)
                said = f"`{name}` is a coroutine: `{call}` was called without `await` ({where})"
                assert isinstance(caller.node, ast.expr)
                return _sentence(said, caller.code.with_await(caller.node, call_node), caller.code, call_node)
    return _sentence(f"`{name}` is a coroutine", f"await {name}", step.code, part)


def _awaiting(code: Code, node: ast.AST, call: ast.Call) -> str:
    """The source of `node`, in which `call` is awaited; of a `for`, its head."""
    around, generator = code.parent(node), code.scope(call)
    if isinstance(generator, ast.GeneratorExp):  # one that awaits is of another kind
        with_list = f"[{code.with_await(generator, call).removeprefix('(').removesuffix(')')}]"
        argument = isinstance(one := code.parent(generator), ast.Call) and one.args == [generator]
        return code.text(node).replace(code.text(generator), f"({with_list})" if argument else with_list)
    if isinstance(around, ast.For) and around.iter is node:
        return f"for {code.text(around.target)} in {code.with_await(node, call)}"
    return code.with_await(node, call)


def _sentence(said: str, use: str, code: Code, node: ast.AST) -> str:
    """`said`, and what to write; in which kind of function, if it is in one."""
    scope = next((one for one in code.scopes(node) if not isinstance(one, ast.GeneratorExp)), None)
    if isinstance(scope, ast.Lambda | ast.ClassDef) or "\n" in use or not use:
        return said
    if isinstance(scope, ast.FunctionDef):
        return f"{said}. Use `{use}`, make it `async def {scope.name}`, and call it with `await`"
    return f"{said}. Use `{use}`"
