"""Syntax trees of cells, for whoever looks at code before it runs. Thread: any."""

from __future__ import annotations

import ast
import contextlib
import operator
import re
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType
from typing import Any

from namespace_kernel.base.threads import RLock

from .threads import FREE_THREADED

#: What compiling arbitrary text may raise.
COMPILE_ERRORS = (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError)

#: For those that libraries' threads disturb, which hold no lock of ours.
_ATTEMPTS = 20

#: Reentrant, for collecting garbage runs code of anyone's.
_lock = RLock()
#: Python's own for the filters of warnings: without the interpreter's lock, three steps in C are three.
_filters_lock: Any = getattr(warnings, "_lock", None) if FREE_THREADED else None


#: The name of what is compiled to be looked at, and a filter of warnings that concerns nothing else.
_AHEAD = "<code that is looked at before it runs>"
_UNSEEN = ("ignore", None, Warning, re.compile(re.escape(_AHEAD)), 0)


def parse(source: str, filename: str = "<unknown>", mode: str = "exec", flags: int = 0) -> Any:
    """`ast.parse` that also works while other threads parse."""
    return _again(_compile, source, filename, mode, flags | ast.PyCF_ONLY_AST)


def compile_ahead(source: str, flags: int) -> Any:
    """Compile code of a cell to look at it. Warns of nothing: the engine compiles it again, and tells."""
    return _again(_compile_ahead, source, flags)


def tree_of(source: str) -> ast.Module:
    """The syntax tree of `source`, empty if it has none. Warns of nothing."""
    try:
        tree: ast.Module = compile_ahead(source, ast.PyCF_ONLY_AST)
        return tree
    except COMPILE_ERRORS:
        return ast.Module([], [])


def nested(code: CodeType) -> Iterator[CodeType]:
    """`code` and all code objects within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)


def last_name_of(expression: ast.AST) -> str:
    """`load` of `load` and of `api.load`, and "" of what has no name."""
    if isinstance(expression, ast.Name):
        return expression.id
    return expression.attr if isinstance(expression, ast.Attribute) else ""


def _again(compiles: Callable[..., Any], *args: Any) -> Any:
    """Python before 3.11.8 counts the depth of a tree for all threads at once, and raises `SystemError` ("AST
    constructor recursion depth mismatch") if another parses meanwhile (CPython issue 106905).
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return compiles(*args)
        except SystemError:
            continue
    return compiles(*args)


def _compile(source: str, filename: str, mode: str, flags: int) -> Any:
    with _lock:
        return compile(source, filename, mode, flags, dont_inherit=True)


def _compile_ahead(source: str, flags: int) -> Any:
    """Not with `catch_warnings`: that makes each module forget what it has warned of, and loses what another
    thread does to the filters. One more filter is there for one call; the three steps are one call into C,
    between which no other thread runs.
    """
    with _lock, _filters_lock or contextlib.nullcontext():
        filters: Any = warnings.filters
        more = [_UNSEEN, *filters]
        run: Any = operator.call
        steps: Any = (
            partial(setattr, warnings, "filters", more),
            partial(compile, source, _AHEAD, "exec", flags, dont_inherit=True),
            partial(setattr, warnings, "filters", filters),
        )
        try:
            _, compiled, _ = map(run, steps)
            return compiled
        finally:
            if warnings.filters is more:  # it could not be compiled
                warnings.filters = filters
