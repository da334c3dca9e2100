"""Which names a cell's code assigns, as far as its text tells."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache

from namespace_kernel.base.syntax import tree_of

#: Bodies of these are run later, by whoever calls.
_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
#: No text without one of these assigns anything.
_BINDING = re.compile(r"=|\b(?:for|as)\b")
#: Bodies of these are run now; that of a `for` perhaps not once.
_AROUND = (ast.For, ast.AsyncFor, ast.With, ast.AsyncWith)


def plainly_assigned(source: str) -> frozenset[str]:
    """The names that the top-level statements of `source` assign on purpose.

    `_ = x`, `import x as _`, and not `for _ in …` or `a, _ = …`, where something must stand, nor `_ = f()`,
    which throws away what a call returns.
    """
    statements = [one for one in tree_of(source).body if not _throws_away(one)]
    return frozenset(name for statement in statements for name in _names(statement))


def _throws_away(statement: ast.stmt) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id="_" | "__" | "___")], value=value):
            return _calls(value)
    return False


def _calls(value: ast.expr) -> bool:
    """Whether it is there for what it does: a call, or several."""
    match value:
        case ast.Call() | ast.Await():
            return True
        case ast.Tuple(elts=values) | ast.List(elts=values):
            return bool(values) and all(map(_calls, values))
        case ast.ListComp(elt=each) | ast.SetComp(elt=each):
            return _calls(each)
    return False


@lru_cache(maxsize=256)
def assigned(source: str) -> frozenset[str]:
    """All names that the top-level code of `source` may bind or delete."""
    found: set[str] = set()
    waiting: list[ast.AST] = [*tree_of(source).body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.stmt):
            found.update(_names(node))
        if not isinstance(node, _LATER):
            waiting.extend(ast.iter_child_nodes(node))
    return frozenset(found)


@lru_cache(maxsize=256)
def surely_bound(source: str) -> frozenset[str]:
    """The names that statements of `source` assign if it comes to its end, whichever way it goes."""
    found: set[str] = set()
    waiting: list[ast.AST] = [*tree_of(source).body] if _BINDING.search(source) else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Assign):
            waiting += node.targets
        elif isinstance(node, (ast.Tuple, ast.List)):
            waiting += node.elts
        elif isinstance(node, ast.Starred):
            waiting.append(node.value)
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)) and node.value is not None:
            waiting.append(node.target)
        elif isinstance(node, _AROUND):
            waiting += [*_targets_beside(node), *node.body]
    return frozenset(found)


def _names(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
            yield name
        case ast.AugAssign(target=ast.Name(id=name)):
            yield name
        case ast.ImportFrom(module=str(module), names=aliases) if module.partition(".")[0] == "IPython":
            # `from IPython import get_ipython` asks for what is there already.
            yield from (alias.asname for alias in aliases if alias.asname and alias.asname != alias.name)
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name


def by_products(source: str) -> frozenset[str]:
    """The names that `source` binds by `with … as` and `for`, and in no other way."""
    nodes = [*ast.walk(tree_of(source))]
    beside = {
        id(name): name.id
        for node in nodes
        for target in _targets_beside(node)
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }
    others = {
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in beside
    }
    return frozenset(beside.values()) - others


def _targets_beside(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.With | ast.AsyncWith):
        return [item.optional_vars for item in node.items if item.optional_vars is not None]
    return [node.target] if isinstance(node, ast.For | ast.AsyncFor) else []
