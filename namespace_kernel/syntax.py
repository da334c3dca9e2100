"""Syntax trees of cells, for whoever looks at code before it runs. Thread: any."""

from __future__ import annotations

import ast
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: What compiling arbitrary text may raise.
COMPILE_ERRORS = (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError)

#: For those that libraries' threads disturb, which hold no lock of ours.
_ATTEMPTS = 20

#: Reentrant, for collecting garbage runs code of anyone's.
_lock = threading.RLock()


def parse(source: str, filename: str = "<unknown>", mode: str = "exec", flags: int = 0) -> Any:
    """`ast.parse` that also works while other threads parse.

    Python before 3.11.8 counts the depth of a tree for all threads at once, and raises `SystemError` ("AST
    constructor recursion depth mismatch") if another parses meanwhile (CPython issue 106905).
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return _parse(source, filename, mode, flags)
        except SystemError:
            continue
    return _parse(source, filename, mode, flags)


def _parse(source: str, filename: str, mode: str, flags: int) -> Any:
    with _lock:
        return compile(source, filename, mode, flags | ast.PyCF_ONLY_AST, dont_inherit=True)


def tree_of(source: str) -> ast.Module:
    """The syntax tree of `source`, empty if it has none. Warns of nothing."""
    try:
        with no_warnings():
            tree: ast.Module = parse(source)
            return tree
    except COMPILE_ERRORS:
        return ast.Module([], [])


@contextmanager
def no_warnings() -> Iterator[None]:
    """For code that the engine compiles again, and then shows them.

    One thread at a time: of two `catch_warnings` that overlap, the second leaves the first one's filters.
    """
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
