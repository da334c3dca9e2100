"""What a cell's code needs: does it await, does it use the running loop?

Awaiting is decided by compiling, never by looking at the text (the text only says when compiling
can be skipped). Using the loop without awaiting is decided on the syntax tree's top-level code.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from namespace_kernel.base.syntax import COMPILE_ERRORS, compile_ahead, tree_of

from .needs_loop import NEEDS_LOOP, RUNS_LOOP, RUNS_LOOP_METHODS

_IDENTIFIER = re.compile(r"[^\W\d]\w*")

_AWAITING = (ast.Await, ast.AsyncFor, ast.AsyncWith)

#: The last parts of the names, by package.
_WORDS = {package: {name.rpartition(".")[2] for name in names} for package, names in NEEDS_LOOP.items()}
_RUN_WORDS = frozenset(name for names in RUNS_LOOP.values() for name in names)

#: How many calls and attributes in a row are looked at.
_LONGEST = 100

Lookup = Callable[[str], Any]
Origin = tuple[str, str]


def awaits(source: str) -> bool:
    """Whether `source` compiles, with top-level await allowed, to a coroutine code object."""
    if "await" not in source and "async" not in source:
        return False
    try:
        code = compile_ahead(source, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except COMPILE_ERRORS:
        # Parsed, but not compiled ("'return' outside function"): what stands before it may still run.
        # So may all of it, where it was too deep for the stack that is left here. What cannot be parsed has
        # no tree, and the engine shows it.
        return any(isinstance(node, _AWAITING) for node in top_level(tree_of(source)))
    return bool(code.co_flags & inspect.CO_COROUTINE)


def uses_running_loop(source: str, lookup: Lookup) -> bool:
    """Whether the top-level code of `source` calls for the running loop, and runs no loop itself.

    `lookup` gives the value of a global name, or `None`.
    """
    # Cheaper than parsing, and enough for nearly every cell: is any of them mentioned, under any name?
    words = set(_IDENTIFIER.findall(source))
    packages = [package for package in NEEDS_LOOP if package in sys.modules or package in words]
    mentioned = any(not _WORDS[package].isdisjoint(words) for package in packages)
    if not mentioned and not any(_is_in(_origin(lookup(word)), NEEDS_LOOP) for word in words):
        return False
    calls, runs = _calls(source, lookup)
    return not runs and any(_is_in(call, NEEDS_LOOP) for call in calls)


def runs_loop(source: str, lookup: Lookup) -> bool:
    """Whether the top-level code of `source` runs a loop of its own, which it can't where one is running."""
    words = set(_IDENTIFIER.findall(source))
    if not words & (_RUN_WORDS | RUNS_LOOP_METHODS):
        return False
    return _calls(source, lookup)[1]


def _calls(source: str, lookup: Lookup) -> tuple[list[Origin | None], bool]:
    """What the top-level code calls, and whether that runs a loop."""
    nodes = list(top_level(tree_of(source)))
    names = _imports(nodes)
    names.update(_made(nodes, names, lookup))
    calls = [_called(node.func, names, lookup) for node in nodes if isinstance(node, ast.Call)]
    runs = any(isinstance(node, ast.Attribute) and node.attr in RUNS_LOOP_METHODS for node in nodes)
    return calls, runs or any(_is_in(call, RUNS_LOOP) for call in calls)


def _is_in(origin: Origin | None, table: Mapping[str, frozenset[str]]) -> bool:
    return origin is not None and origin[1] in table.get(origin[0], ())


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

    The name is "" for the package. What a module of it has counts as if the package had it.
    """
    names: dict[str, Origin] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                package = alias.name.partition(".")[0]
                if package in NEEDS_LOOP:
                    names[alias.asname or package] = (package, "")
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            package = node.module.partition(".")[0]
            for alias in node.names if package in NEEDS_LOOP else ():
                if alias.name == "*":
                    every = NEEDS_LOOP[package] | RUNS_LOOP.get(package, frozenset())
                    names.update({name: (package, name) for name in every if "." not in name})
                else:
                    names[alias.asname or alias.name] = (package, alias.name)
    return names


def _made(nodes: list[ast.AST], names: dict[str, Origin], lookup: Lookup) -> dict[str, Origin]:
    """The names that the cell binds to what a class in question makes: their methods are the class's."""
    made: dict[str, Origin] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            origin = _called(node.value.func, names, lookup)
            for target in node.targets:
                if isinstance(target, ast.Name) and origin is not None:
                    made[target.id] = origin
    return made


def _called(func: ast.expr, names: dict[str, Origin], lookup: Lookup) -> Origin | None:
    """Where what is called comes from, `None` if from elsewhere."""
    attributes: list[str] = []
    for _ in range(_LONGEST):  # no recursion: see `top_level`
        if isinstance(func, ast.Attribute):
            attributes.append(func.attr)
            func = func.value
        elif isinstance(func, ast.Call):
            func = func.func  # a method of what it makes
        else:
            break
    if not isinstance(func, ast.Name):
        return None
    base = names[func.id] if func.id in names else _origin(lookup(func.id))
    if base is None:
        return None
    return base[0], ".".join(part for part in (base[1], *reversed(attributes)) if part)


def _origin(value: Any) -> Origin | None:
    """The package and name of a function or class, or of the class of anything else; `None` for others'."""
    kind = type(value)
    if kind is ModuleType:
        package = str(value.__name__).partition(".")[0]
        return (package, "") if package in NEEDS_LOOP else None
    try:
        known = value if issubclass(kind, (type, FunctionType, BuiltinFunctionType)) else kind
        package = str(known.__module__).partition(".")[0].removeprefix("_")
        return (package, str(known.__name__)) if package in NEEDS_LOOP else None
    except Exception:
        return None
