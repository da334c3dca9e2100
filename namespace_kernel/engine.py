"""What runs a cell's code: the protocol of a language engine, and plain Python without IPython."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Coroutine
from types import CodeType
from typing import Any, Protocol

from .cell import Cell, Outcome, Route
from .namespace import AsyncNamespaceManager

_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Engine(Protocol):
    """What a language engine does for a cell."""

    def run(self, cell: Cell, route: Route, namespace: dict[str, Any]) -> Coroutine[Any, Any, Outcome]:
        """Return the coroutine that runs the cell's code in `namespace`; user errors are in its outcome.

        Called by the bridge in stage 3. The coroutine suspends only if the code awaits.
        """

    def show(self, cell: Cell, route: Route, error: BaseException) -> Outcome:
        """Make an outcome of an error that `run` did not catch: Stop arriving around the user's code.

        Called by the bridge in stage 3.
        """


class PythonEngine:
    """Compiles code once, with top-level await allowed, and runs it in one dict.

    Thread: any; results are recorded in `manager`.
    """

    def __init__(self, manager: AsyncNamespaceManager) -> None:
        self._manager = manager

    async def run(self, cell: Cell, route: Route, namespace: dict[str, Any]) -> Outcome:
        """See `Engine.run`. The value is the last expression's, or `_result` if the code binds it."""
        filename = f"<{cell.execution_id}>"
        with self._manager.lock:
            self._manager.history.record_input(cell.code)
        try:
            statements, expression, binds_result = _compile(route.source, filename)
            value = None
            for code in (statements, expression):
                if code is not None:
                    value = eval(code, namespace)
                    if code.co_flags & inspect.CO_COROUTINE:
                        value = await value
        except BaseException as error:
            return self.show(cell, route, _from_line_of(error, filename))
        if binds_result and "_result" in namespace:
            value = namespace["_result"]
        self._manager.record_result(value)
        return Outcome(value)

    def show(self, cell: Cell, route: Route, error: BaseException) -> Outcome:
        """See `Engine.show`. Nothing is printed: whoever asked gets the error."""
        if isinstance(error, SystemExit):
            self._manager.set_exit_code(exit_code_of(error))
        return Outcome(error=error)


def exit_code_of(error: SystemExit) -> int:
    """The exit code that Python would end with (documentation of `SystemExit.code`)."""
    if error.code is None:
        return 0
    return error.code if isinstance(error.code, int) else 1


def words_of(error: object) -> str:
    """`str(error)`, or what went wrong in it."""
    try:
        return str(error)
    except Exception as problem:
        return f"<its __str__ raised {type(problem).__name__}>"


def _compile(source: str, filename: str) -> tuple[CodeType, CodeType | None, bool]:
    """Return the code of the statements, of the last expression if any, and whether `_result` is bound."""
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    tree: ast.Module = compile(source, filename, "exec", _AWAIT | ast.PyCF_ONLY_AST, dont_inherit=True)
    binds_result = any(
        isinstance(node, ast.Name) and node.id == "_result" and isinstance(node.ctx, ast.Store)
        for node in ast.walk(tree)
    )
    expression = None
    if tree.body and isinstance(last := tree.body[-1], ast.Expr):
        tree.body.pop()
        expression = compile(ast.Expression(last.value), filename, "eval", _AWAIT, dont_inherit=True)
    return compile(tree, filename, "exec", _AWAIT, dont_inherit=True), expression, binds_result


def _from_line_of(error: BaseException, filename: str) -> BaseException:
    """Strip our own frames, so that the traceback starts at the user's line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    return error if trace is None else error.with_traceback(trace)
