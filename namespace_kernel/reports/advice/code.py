"""Code that an error came from: its tree, and how a part of it is written, also with an `await`."""

from __future__ import annotations

import ast
import copy
import linecache
from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeAlias

from namespace_kernel.base.syntax import tree_of

#: A longer call is shown without its arguments.
_LONGEST = 60

Scope: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef | ast.GeneratorExp
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.GeneratorExp)


class Code:
    """The source of one file: its tree, and who is whose parent."""

    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.source = "".join(linecache.getlines(filename))
        self.tree = tree_of(self.source)

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def outwards(self, node: ast.AST | None) -> Iterator[ast.AST]:
        """What is around `node`, innermost first."""
        while node is not None and (node := self._parents.get(node)) is not None:
            yield node

    def parent(self, node: ast.AST) -> ast.AST | None:
        """What is directly around `node`."""
        return self._parents.get(node)

    def scope(self, node: ast.AST) -> Scope | None:
        """The function, class or generator that `node` is in; `None` at the top level."""
        return next(self.scopes(node), None)

    def scopes(self, node: ast.AST) -> Iterator[Scope]:
        """All that `node` is in, innermost first."""
        return (one for one in self.outwards(node) if isinstance(one, _SCOPES))

    def at(self, place: tuple[int | None, ...]) -> ast.AST | None:
        """The innermost expression of exactly that extent, or the smallest node around it."""
        line, end_line, column, end_column = place
        if None in place:
            return None
        around: list[tuple[int, int, ast.AST]] = []
        for depth, node in enumerate(ast.walk(self.tree)):
            start = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
            end = getattr(node, "end_lineno", 0) or 0, getattr(node, "end_col_offset", 0) or 0
            if (line, column) >= start and (end_line, end_column) <= end:
                around.append(((end[0] - start[0]) * 10_000 + end[1] - start[1], -depth, node))
        return min(around, key=lambda entry: entry[:2])[2] if around else None

    def text(self, node: ast.AST) -> str:
        """The source of `node`, in one line."""
        found = ast.get_source_segment(self.source, node) or ""
        return found if found and "\n" not in found else ast.unparse(node)

    def call(self, node: ast.Call) -> str:
        """The source of a call, without its arguments if it is long."""
        text = self.text(node)
        return text if len(text) <= _LONGEST else f"{self.text(node.func)}(...)"

    def with_await(self, node: ast.AST, *calls: ast.expr) -> str:
        """The source of `node`, in which `calls` are awaited. None of them is in another."""
        text = self.text(node)
        for call in sorted(calls, key=lambda one: (one.lineno, one.col_offset), reverse=True):
            start = self._start(node, call)
            if start is None:
                return self._unparsed(node, calls)
            end = start + len(self.text(call))
            awaited = f"await {text[start:end]}"
            text = f"{text[:start]}{f'({awaited})' if self._is_tight(call) else awaited}{text[end:]}"
        return text

    def _start(self, node: ast.AST, part: ast.expr) -> int | None:
        """Where `part` begins in the text of `node`; `None` if that is not known."""
        whole, segment = self.text(node), self.text(part)
        if whole != ast.get_source_segment(self.source, node) or node.lineno != part.lineno:  # type: ignore[attr-defined]
            return None
        line = self.source.splitlines()[part.lineno - 1].encode()
        start = len(line[node.col_offset : part.col_offset].decode())  # type: ignore[attr-defined]
        if whole.startswith(segment, start):
            return start
        return None if whole.count(segment) != 1 else whole.index(segment)  # as in a f-string, before 3.12

    def _unparsed(self, node: ast.AST, calls: tuple[ast.expr, ...]) -> str:
        copies: dict[int, Any] = {}
        whole = copy.deepcopy(node, copies)
        awaited = {id(copies[id(call)]) for call in calls}

        class Awaiting(ast.NodeTransformer):
            def visit(self, one: Any) -> Any:
                new: Any = self.generic_visit(one)
                return ast.Await(new) if id(one) in awaited else new

        return ast.unparse(Awaiting().visit(whole))

    def _is_tight(self, call: ast.expr) -> bool:
        """Whether what is around it binds closer than `await`."""
        around = self.parent(call)
        if isinstance(around, ast.Attribute | ast.Subscript):
            return around.value is call
        return isinstance(around, ast.Call) and around.func is call

    def with_text(self, node: ast.AST, part: ast.expr, text: str) -> str:
        """The source of `node`, in which `text` stands in the place of `part`."""
        whole, start = self.text(node), self._start(node, part)
        return text if start is None else f"{whole[:start]}{text}{whole[start + len(self.text(part)) :]}"
