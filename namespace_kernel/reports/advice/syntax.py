"""Cells that do not compile: `await` in a plain function, directives that are misspelt or not at the top."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable

from namespace_kernel.base.syntax import tree_of
from namespace_kernel.routing.directives import BACKGROUND, DIRECTIVES

_OUTSIDE = re.compile(
    r"'(await|async for|async with)' outside (async )?function"
    r"|(asynchronous comprehension) outside of an asynchronous function"
)
_NO_MAGIC = re.compile(r"(Cell|Line) magic(?: function)? `(%%?)(\w+)` not found")
_ALL = (*DIRECTIVES, BACKGROUND)


def wrong_syntax(error: SyntaxError, source: str) -> str | None:
    """A `return` at the end of a cell, or an `await` in a function that is not `async`."""
    if error.msg == "'return' outside function":
        body = tree_of(source).body
        last = body[-1] if body else None
        value = last.value if isinstance(last, ast.Return) else None
        text = None if value is None else ast.get_source_segment(source, value)
        if text and "\n" not in text:
            return f"A cell has no `return`. It shows the value of its last line: `{text}`"
    return await_in_def(error, source)


def await_in_def(error: SyntaxError, source: str) -> str | None:
    """`await` in a function that is not `async`, in a cell with that `source`."""
    found = _OUTSIDE.search(str(error.msg))
    if not found or error.lineno is None:
        return None
    what = found[1] or "async for"
    place = error.lineno, (error.offset or 1) - 1
    around = [
        node
        for node in ast.walk(tree_of(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef)
        and (node.lineno, node.col_offset) <= place <= (node.end_lineno or 0, node.end_col_offset or 0)
    ]
    if not around:
        return None
    scope = around[-1]
    if isinstance(scope, ast.FunctionDef):
        call = f"await {scope.name}({'...' if scope.args.args else ''})"
        return (
            f"`{what}` needs an `async def`. Write `async def {scope.name}` in line {scope.lineno}, "
            f"and call it by `{call}`"
        )
    if isinstance(scope, ast.Lambda):
        return f"A `lambda` cannot use `{what}`. Write an `async def` in its place"
    if isinstance(scope, ast.ClassDef):
        return f"The body of a class cannot use `{what}`. Put it above `class {scope.name}`"
    return None


def unknown_magic(words: str, source: str, cell_magics: Iterable[str]) -> str | None:
    """A directive that is misspelt, has one `%`, or stands below the first line."""
    found = _NO_MAGIC.search(words)
    if not found:
        return None
    name = found[3]
    if name.startswith("%"):
        name = name.lstrip("%")
    if name in _ALL:
        lines = source.splitlines()
        line = next((n for n, text in enumerate(lines, 1) if text.split()[:1] == [f"%%{name}"]), None)
        if line is not None:
            return f"`%%{name}` belongs on the first line of the cell. Here it stands on line {line}"
        return f"A directive has two percent signs: `%%{name}`, on the first line of the cell"
    close = difflib.get_close_matches(name, {*_ALL, *cell_magics}, 1, 0.7)
    if found[1] == "Cell" and close and close[0] in _ALL:
        return f"Did you mean `%%{close[0]}`?"
    return None
