"""What runs a cell's code: the protocol of a language engine, and plain Python without IPython."""

from __future__ import annotations

import ast
import contextlib
import dis
import inspect
import linecache
import os
import sys
import traceback
from collections.abc import Coroutine
from types import CodeType
from typing import Any, NoReturn, Protocol

from namespace_kernel.base.cell import Cell, Context, Namespace, Outcome, Route
from namespace_kernel.base.errors import AwaitInThreadError
from namespace_kernel.base.syntax import parse
from namespace_kernel.base.words import exit_code_of
from namespace_kernel.namespace.manager import AsyncNamespaceManager

_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Engine(Protocol):
    """What a language engine does for a cell."""

    def run(self, cell: Cell, route: Route, namespace: Namespace) -> Coroutine[Any, Any, Outcome]:
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

    async def run(self, cell: Cell, route: Route, namespace: Namespace) -> Outcome:
        """See `Engine.run`. The value is the last expression's, or `_result` if the code binds it."""
        filename = f"<{cell.execution_id}>"
        number = self._manager.record_input(cell.code)
        try:
            statements, expression = _compile(route.source, filename)
            codes = [code for code in (statements, expression) if code is not None]
            if route.context is not Context.ASYNC and any(_awaits(code) for code in codes):
                raise AwaitInThreadError(cell.execution_id)
            value = None
            for code in codes:
                value = eval(code, namespace)
                if _awaits(code):
                    value = await value
        except BaseException as error:
            return self.show(cell, route, _from_line_of(error, filename))
        if any(_binds(code, "_result") for code in codes):
            value = namespace.get("_result", value)
        self._manager.record_result(value, number)
        return Outcome(value)

    def show(self, cell: Cell, route: Route, error: BaseException) -> Outcome:
        """See `Engine.show`. Nothing is printed: whoever asked gets the error."""
        if isinstance(error, SystemExit):
            self._manager.set_exit_code(exit_code_of(error))
        return Outcome(error=error)


def exit_words(error: SystemExit) -> str:
    """What is shown of it. `unittest.main()` exits with a bool."""
    code = error.code
    return f"exited with {exit_code_of(error) if code is None or isinstance(code, int) else code}"


def end_child(error: BaseException | None, *streams: Any) -> NoReturn:
    """End this process, a forked child whose code has ended, with `error` or without.

    `streams` are flushed with `sys.stdout` and `sys.stderr`; `atexit` callbacks are the parent's.
    """
    try:
        if error is not None and not isinstance(error, SystemExit | KeyboardInterrupt):
            sys.stderr.write("".join(traceback.format_exception(error)))
        for stream in (sys.stdout, sys.stderr, *streams):
            with contextlib.suppress(Exception):
                stream.flush()
    finally:
        code = 0 if error is None else exit_code_of(error) if isinstance(error, SystemExit) else 1
        os._exit(code)


def _awaits(code: CodeType) -> bool:
    return bool(code.co_flags & inspect.CO_COROUTINE)


def _binds(code: CodeType, name: str, *, nested: bool = False) -> bool:
    """Whether running `code` may bind the global `name`; in functions only if they declare it global."""
    stores = ("STORE_GLOBAL",) if nested else ("STORE_NAME", "STORE_GLOBAL")
    if name in code.co_names and any(
        step.opname in stores and step.argval == name for step in dis.get_instructions(code)
    ):
        return True
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return any(_binds(constant, name, nested=True) for constant in inner)


def _compile(source: str, filename: str) -> tuple[CodeType, CodeType | None]:
    """Return the code of the statements, and of the last expression if there is one."""
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    tree: ast.Module = parse(source, filename, flags=_AWAIT)
    expression = None
    if tree.body and isinstance(last := tree.body[-1], ast.Expr):
        tree.body.pop()
        expression = compile(ast.Expression(last.value), filename, "eval", _AWAIT, dont_inherit=True)
    return compile(tree, filename, "exec", _AWAIT, dont_inherit=True), expression


def _from_line_of(error: BaseException, filename: str) -> BaseException:
    """Strip our own frames, so that the traceback starts at the user's line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    return error if trace is None else error.with_traceback(trace)
