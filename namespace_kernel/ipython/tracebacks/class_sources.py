"""The source of a cell's class, for `inspect.getsource` and all that asks it.

A function knows its file. A class knows its module alone, and `__main__` has no file in a notebook: there
Python gives up. So the file is looked for: where the class's own methods are from, or else the newest
cell that defines a class of that name. Python finds the line in it by itself.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Iterable, Iterator
from types import CodeType
from typing import Any

from namespace_kernel.base.patching import Patch


class ClassSources:
    """Stands in for `inspect.getfile`. `cell_files` tells the cells' file names, in their order.

    Thread: any.
    """

    def __init__(self, cell_files: Callable[[], Iterable[str]]) -> None:
        self._cell_files = cell_files
        self.patches = (Patch(inspect, "getfile", self._looking_further),)

    def _looking_further(self, original: Callable[[object], str]) -> Callable[[object], str]:
        def getfile(object: Any) -> str:
            try:
                return original(object)
            except OSError:  # a class of `__main__`, and of no file
                file = self._file_of(object) if inspect.isclass(object) else None
                if file is None:
                    raise
            return file

        return getfile

    def _file_of(self, kind: type) -> str | None:
        name, line = kind.__qualname__, vars(kind).get("__firstlineno__")
        methods = {code.co_filename: None for code in _codes_of(kind)}
        for file in (*methods, *reversed(list(self._cell_files()))):
            source = "".join(linecache.getlines(file))
            if f"class {kind.__name__}" in source and _defines(source, name, line):
                return file
        return None


def _codes_of(kind: type) -> Iterator[CodeType]:
    """The code of the functions in the body of `kind`."""
    for value in list(vars(kind).values()):
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        if inspect.isfunction(value) and not value.__code__.co_filename.startswith("<"):
            yield value.__code__


def _defines(source: str, name: str, line: int | None) -> bool:
    """Whether `source` defines a class with that qualified name; from Python 3.13 on, at that line."""
    try:
        classes = list(_classes_in(ast.parse(source), ""))
    except SyntaxError:
        return False
    return any(found == name and line in (None, begins) for found, begins in classes)


def _classes_in(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, ast.ClassDef):
            first = child.decorator_list[0] if child.decorator_list else child
            yield f"{prefix}{child.name}", first.lineno
            inner = f"{prefix}{child.name}."
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = f"{prefix}{child.name}.<locals>."
        yield from _classes_in(child, inner)
