"""What a cell's code needs: does it await, does it use the running loop?

Awaiting is decided by compiling, never by looking at the text (the text only says when compiling
can be skipped). Using the loop without awaiting is decided on the syntax tree's top-level code.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

#: What needs a running loop though nobody awaits, and works in ipykernel's cells.
_NEEDS_LOOP = frozenset(
    ("create_task", "ensure_future", "get_running_loop", "current_task", "all_tasks", "gather", "shield")
)
#: What starts a loop of its own, and refuses to where one is running.
_RUNS_LOOP = frozenset(("run", "Runner"))
_RUNS_LOOP_METHODS = frozenset(("run_until_complete", "run_forever"))

#: What compiling arbitrary text may raise; the engine shows it, routing does not care.
_COMPILE_ERRORS = (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError)

_IDENTIFIER = re.compile(r"[^\W\d]\w*")

_AWAITING = (ast.Await, ast.AsyncFor, ast.AsyncWith)

Lookup = Callable[[str], Any]


def awaits(source: str) -> bool:
    """Whether `source` compiles, with top-level await allowed, to a coroutine code object."""
    if "await" not in source and "async" not in source:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the engine compiles again, and shows them
            code = compile(source, "<route>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError:
        # Parsed, but not compiled ("'return' outside function"): what stands before it may still run.
        return any(isinstance(node, _AWAITING) for node in top_level(_parse(source)))
    except _COMPILE_ERRORS:
        return False
    return bool(code.co_flags & inspect.CO_COROUTINE)


def uses_running_loop(source: str, lookup: Lookup) -> bool:
    """Whether the top-level code of `source` calls for the running loop, and runs no loop itself.

    `lookup` gives the value of a global name, or `None`.
    """
    # Cheaper than parsing, and enough for nearly every cell: is any of them mentioned, under any name?
    words = set(_IDENTIFIER.findall(source))
    if not words & _NEEDS_LOOP and not any(_name_of(lookup(word)) in _NEEDS_LOOP for word in words):
        return False
    nodes = list(top_level(_parse(source)))
    imports = _imports(nodes)
    calls = {_asyncio_name(node.func, imports, lookup) for node in nodes if isinstance(node, ast.Call)}
    runs = any(isinstance(node, ast.Attribute) and node.attr in _RUNS_LOOP_METHODS for node in nodes)
    return bool(calls & _NEEDS_LOOP) and not calls & _RUNS_LOOP and not runs


def _parse(source: str) -> ast.Module:
    """The syntax tree of `source`, empty if it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except _COMPILE_ERRORS:
        return ast.Module([], [])


def top_level(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the cell runs: everything but the bodies of functions."""
    waiting = [tree]
    while waiting:  # no recursion: a cell may nest deeper than Python's stack
        node = waiting.pop()
        for field, value in ast.iter_fields(node):
            if field == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield child
                    waiting.append(child)


def _imports(nodes: list[ast.AST]) -> dict[str, str]:
    """What the cell itself imports from asyncio: local name → "" for the module, or the name in it."""
    names = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "asyncio" or (alias.name.startswith("asyncio.") and not alias.asname):
                    names[alias.asname or "asyncio"] = ""
        elif isinstance(node, ast.ImportFrom) and node.module == "asyncio":
            for alias in node.names:
                star = alias.name == "*"
                names.update(
                    {n: n for n in _NEEDS_LOOP | _RUNS_LOOP}
                    if star
                    else {alias.asname or alias.name: alias.name}
                )
    return names


def _asyncio_name(func: ast.expr, imports: dict[str, str], lookup: Lookup) -> str | None:
    """The name in asyncio that `func` stands for, or `None` if it is something else."""
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        base = func.value.id
        is_module = imports[base] == "" if base in imports else lookup(base) is asyncio
        return func.attr if is_module else None
    if isinstance(func, ast.Name):
        if func.id in imports:
            return imports[func.id] or None
        return _name_of(lookup(func.id))
    return None


def _name_of(value: Any) -> str | None:
    """The name of a function or class of asyncio, `None` for anything else, however strange."""
    try:
        module, name = value.__module__, value.__name__
        return str(name) if str(module).partition(".")[0] in ("asyncio", "_asyncio") else None
    except Exception:
        return None
