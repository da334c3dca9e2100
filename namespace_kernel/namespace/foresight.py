"""What a cell can bind, where its text tells it for certain.

Most code can reach any name: what it calls may write to `globals()`, and so may an operator or an
attribute of an object of the user's. But `x = 1` cannot. A cell that only computes with Python's own numbers
and strings, moves values from name to name and defines functions binds what stands there, and nothing else.
It runs no loop and waits for nobody. So whatever a task or a thread binds meanwhile comes before the cell or
after it: no code could tell.
"""

from __future__ import annotations

import ast
from types import NoneType

from namespace_kernel.base.cell import Namespace
from namespace_kernel.base.syntax import tree_of

#: Their operators, and what displays them, run no code of anyone's.
_PLAIN = frozenset((int, float, complex, str, bytes, bool, NoneType))

_OPERATIONS = (
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp),
    *(ast.JoinedStr, ast.FormattedValue),
)


def foreseen(source: str, live: Namespace) -> frozenset[str] | None:
    """The names that `source` can bind or delete in `live`, or `None` if its text does not tell.

    Thread: any, under the namespace's lock.
    """
    reader = _Reader(live)
    try:
        body = tree_of(source).body
        for statement in body:
            reader.read(statement)
    except Exception:  # also of a key's own code, or of a text too deep
        return None
    return frozenset(reader.plain) if body else None


class _Unforeseen(Exception):
    """Code may run that does not stand in the cell."""


class _Reader:
    """Follows a cell from statement to statement."""

    def __init__(self, live: Namespace) -> None:
        self._live = live
        #: The names that the cell has bound or deleted up to here; whether the value is a plain one.
        self.plain: dict[str, bool] = {}

    def read(self, statement: ast.stmt) -> None:
        """Take note of what `statement` binds. Raises `_Unforeseen`."""
        match statement:
            case ast.Pass():
                pass
            case ast.Assign(targets=targets, value=value):
                self._bind(targets, self._is_plain(value))
            case ast.AugAssign(target=ast.Name() as target, value=value):
                self._compute([target, value])
                self._bind([target], True)
            case ast.Delete(targets=targets):
                self._bind(targets, False)
            case (
                ast.FunctionDef(args=args, decorator_list=[])
                | ast.AsyncFunctionDef(args=args, decorator_list=[])
            ) if not _is_annotated(statement):
                self._compute([one for one in (*args.defaults, *args.kw_defaults) if one is not None])
                self.plain[statement.name] = False
            case ast.Expr(value=value):
                self._compute([value])  # it is displayed
            case _:
                raise _Unforeseen

    def _bind(self, targets: list[ast.expr], plain: bool) -> None:
        for target in targets:
            if not isinstance(target, ast.Name):
                raise _Unforeseen
            self.plain[target.id] = plain

    def _compute(self, operands: list[ast.expr]) -> None:
        if not all(map(self._is_plain, operands)):
            raise _Unforeseen

    def _is_plain(self, value: ast.expr) -> bool:
        """Whether `value` is plain; if not, it is only moved. Raises `_Unforeseen`."""
        match value:
            case ast.Constant():
                return True
            case ast.Name(id=name) if name in self.plain:
                return self.plain[name]
            case ast.Name(id=name):
                return type(self._live.get(name)) in _PLAIN and name in self._live
            case ast.Tuple(elts=values) | ast.List(elts=values):
                for one in values:
                    self._is_plain(one)
                return False
        if not isinstance(value, _OPERATIONS):
            raise _Unforeseen
        self._compute([one for one in ast.iter_child_nodes(value) if isinstance(one, ast.expr)])
        return True


def _is_annotated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether more than its defaults is evaluated when it is defined."""
    arguments = [node for node in ast.walk(function.args) if isinstance(node, ast.arg)]
    annotated = any(argument.annotation is not None for argument in arguments)
    return annotated or function.returns is not None or bool(getattr(function, "type_params", ()))
