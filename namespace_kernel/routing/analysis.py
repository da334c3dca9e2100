"""What a cell's code needs: does it await, does it use the running loop?

Awaiting is decided by compiling, never by looking at the text (the text only says when compiling
can be skipped). Using the loop without awaiting is decided on the syntax tree's top-level code.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from ..syntax import COMPILE_ERRORS, compile_ahead, tree_of

#: What needs a running loop though nobody awaits, and works in ipykernel's cells: by package and name.
_NEEDS_LOOP = frozenset(
    ("asyncio", name)
    for name in (
        "create_task",
        "ensure_future",
        "get_running_loop",
        "current_task",
        "all_tasks",
        "gather",
        "shield",
    )
) | {("aiohttp", name) for name in ("ClientSession", "TCPConnector", "UnixConnector")}
#: What starts a loop of its own, and refuses to where one is running.
_RUNS_LOOP = frozenset((("asyncio", "run"), ("asyncio", "Runner")))
_PACKAGES = frozenset(package for package, _ in _NEEDS_LOOP)
_WORDS = frozenset(name for _, name in _NEEDS_LOOP)
_RUNS_LOOP_METHODS = frozenset(("run_until_complete", "run_forever"))

_IDENTIFIER = re.compile(r"[^\W\d]\w*")

_AWAITING = (ast.Await, ast.AsyncFor, ast.AsyncWith)

Lookup = Callable[[str], Any]
Origin = tuple[str, str]


def awaits(source: str) -> bool:
    """Whether `source` compiles, with top-level await allowed, to a coroutine code object."""
    if "await" not in source and "async" not in source:
        return False
    try:
        code = compile_ahead(source, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        # Parsed, but not compiled ("'return' outside function"): what stands before it may still run.
        return any(isinstance(node, _AWAITING) for node in top_level(tree_of(source)))
    except COMPILE_ERRORS:  # the engine shows it, routing does not care
        return False
    return bool(code.co_flags & inspect.CO_COROUTINE)


def uses_running_loop(source: str, lookup: Lookup) -> bool:
    """Whether the top-level code of `source` calls for the running loop, and runs no loop itself.

    `lookup` gives the value of a global name, or `None`.
    """
    # Cheaper than parsing, and enough for nearly every cell: is any of them mentioned, under any name?
    words = set(_IDENTIFIER.findall(source))
    if not words & _WORDS and not any(_origin(lookup(word)) in _NEEDS_LOOP for word in words):
        return False
    nodes = list(top_level(tree_of(source)))
    imports = _imports(nodes)
    calls = {_called(node.func, imports, lookup) for node in nodes if isinstance(node, ast.Call)}
    runs = any(isinstance(node, ast.Attribute) and node.attr in _RUNS_LOOP_METHODS for node in nodes)
    return bool(calls & _NEEDS_LOOP) and not calls & _RUNS_LOOP and not runs


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


def _imports(nodes: list[ast.AST]) -> dict[str, Origin]:
    """What the cell itself imports from the packages in question: local name → where it comes from.

    The name is "" for a module.
    """
    names: dict[str, Origin] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                package, _, inner = alias.name.partition(".")
                if package in _PACKAGES and not (inner and alias.asname):
                    names[alias.asname or package] = (package, "")
        elif isinstance(node, ast.ImportFrom) and node.module in _PACKAGES:
            for alias in node.names:
                if alias.name == "*":
                    every = _NEEDS_LOOP | _RUNS_LOOP
                    names.update({origin[1]: origin for origin in every if origin[0] == node.module})
                else:
                    names[alias.asname or alias.name] = (node.module, alias.name)
    return names


def _called(func: ast.expr, imports: dict[str, Origin], lookup: Lookup) -> Origin | None:
    """Where the function or class that is called comes from, `None` if from elsewhere."""
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        base = func.value.id
        package = imports[base] if base in imports else _module(lookup(base))
        return (package[0], func.attr) if package is not None and package[1] == "" else None
    if isinstance(func, ast.Name):
        return imports[func.id] if func.id in imports else _origin(lookup(func.id))
    return None


def _module(value: Any) -> Origin | None:
    return (value.__name__, "") if isinstance(value, ModuleType) and value.__name__ in _PACKAGES else None


def _origin(value: Any) -> Origin | None:
    """The package and name of a function or class, `None` if it has none, however strange it is."""
    try:
        return str(value.__module__).partition(".")[0].removeprefix("_"), str(value.__name__)
    except Exception:
        return None
