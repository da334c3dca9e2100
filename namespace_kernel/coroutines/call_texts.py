"""The code that made a coroutine which nobody awaited, as the user wrote it."""

from __future__ import annotations

import ast
import linecache

from namespace_kernel.base.lines import Leak
from namespace_kernel.base.syntax import last_name_of, tree_of

from .calls import FUNCTIONS, calls_given, hands_on, is_pythons_own

#: What calls a method that no call names.
_OPERATORS: dict[str, type[ast.operator]] = {
    "add": ast.Add,
    "sub": ast.Sub,
    "mul": ast.Mult,
    "matmul": ast.MatMult,
    "truediv": ast.Div,
    "and": ast.BitAnd,
    "or": ast.BitOr,
    "lshift": ast.LShift,
    "rshift": ast.RShift,
}

#: A longer call is shown without its arguments.
_LONGEST = 60


def call_of(leak: Leak) -> tuple[str, str]:
    """The source of the call that made a coroutine; and of the one that was given its function, if that
    made it. Without the arguments, if it is long.
    """
    name = leak.name.rpartition("<locals>.")[2]
    last = name.rpartition(".")[2]
    source, tree = _source_of(leak)
    nodes = _on_line(tree, leak)
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    for call in calls:
        if last_name_of(call.func) == last:
            return _text(source, call), ""
    for call in calls:
        if hands_on(call, last) and calls_given(call):
            return f"{name}()", _text(source, call)
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr == last:
            return ast.unparse(node), ""  # a property
    unnamed = [node for node in nodes if _calls_unnamed(node, last)]
    # Of `[f(2) for f in handlers.values()]` the call of a method is the less probable.
    probable = [node for node in unnamed if not _names_method(node)] or unnamed
    if len(probable) == 1:
        text = _text(source, probable[0])
        return f"({text})" if isinstance(probable[0], ast.BinOp) else text, ""
    return f"{name}()", ""


def returned_by(leak: Leak) -> str:
    """The plain function that only returned the coroutine, for others to await; "" if none did."""
    last = leak.name.rpartition(".")[2]
    _, tree = _source_of(leak)
    for returns in (node for node in _on_line(tree, leak) if isinstance(node, ast.Return)):
        call = returns.value
        if isinstance(call, ast.Call) and (last_name_of(call.func) == last or _calls_unnamed(call, last)):
            scopes = [one for one in ast.walk(tree) if isinstance(one, FUNCTIONS)]
            around = [one for one in scopes if one.lineno <= leak.line <= (one.end_lineno or 0)]
            innermost = max(around, key=lambda one: one.lineno, default=None)
            return innermost.name if isinstance(innermost, ast.FunctionDef) else ""
    return ""


def _source_of(leak: Leak) -> tuple[str, ast.Module]:
    """The code of the file in which a coroutine was made, empty if no line is known."""
    source = "".join(linecache.getlines(leak.filename)) if leak.line else ""
    return source, tree_of(source)


def _on_line(tree: ast.Module, leak: Leak) -> list[ast.AST]:
    """What begins on the line that made the coroutine."""
    return [node for node in ast.walk(tree) if getattr(node, "lineno", 0) == leak.line]


def _calls_unnamed(node: ast.AST, name: str) -> bool:
    """Whether it may call such a function without its name: `handlers["get"](1)`, `api[1]`, `api + 1`."""
    if name == "__getitem__":
        return isinstance(node, ast.Subscript)
    plain = name.strip("_")
    operator = _OPERATORS.get(plain) or _OPERATORS.get(plain.removeprefix("r"))
    if operator is not None and name.startswith("__"):
        return isinstance(node, ast.BinOp) and isinstance(node.op, operator)
    return isinstance(node, ast.Call) and not is_pythons_own(node)


def _names_method(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


def _text(source: str, node: ast.AST) -> str:
    text = ast.get_source_segment(source, node) or ""
    if isinstance(node, ast.Call) and ("\n" in text or len(text) > _LONGEST or "`" in text):
        return f"{ast.unparse(node.func)}(...)"
    return text if "\n" not in text else ast.unparse(node)
