"""Which names a cell's code plainly assigns: `_ = x`, `import x as _`, and not `for _ in …` or `a, _ = …`.

The latter use a name because something must stand there; the former mean it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator


def plainly_assigned(source: str) -> frozenset[str]:
    """The names that the top-level statements of `source` assign by name, on purpose."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    return frozenset(name for statement in tree.body for name in _names(statement))


def _names(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
            yield name
        case ast.AugAssign(target=ast.Name(id=name)):
            yield name
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
