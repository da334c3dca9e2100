"""A frame of the user's in a traceback: the expression that failed there, and what its names are bound to.

Nothing of the user's is called: names are looked up, attributes are read as they are stored.
"""

from __future__ import annotations

import ast
import inspect
from itertools import islice
from types import FrameType, FunctionType, MethodType, ModuleType, TracebackType
from typing import Any, NamedTuple

from namespace_kernel.base.lines import Lines
from namespace_kernel.base.safe_facts import attribute_of_class, called_function
from namespace_kernel.base.syntax import last_name_of

from .code import Code

MISSING = object()


class Step(NamedTuple):
    """One frame of the traceback that is the user's, and the expression that it was at."""

    frame: FrameType
    code: Code
    node: ast.AST | None

    @property
    def statement(self) -> ast.stmt | None:
        """The statement that failed."""
        nodes = (self.node, *self.code.outwards(self.node))
        return next((one for one in nodes if isinstance(one, ast.stmt)), None)

    @property
    def unused(self) -> list[ast.AST]:
        """The expressions beside the one that failed: what they gave came to nobody."""
        inner, found = self.node, list[ast.AST]()
        for one in self.code.outwards(inner):
            if isinstance(one, ast.stmt | ast.mod):
                break
            found += (child for child in ast.iter_child_nodes(one) if child is not inner)
            inner = one
        return found

    @property
    def text(self) -> str:
        """The source of the expression."""
        return "" if self.node is None else self.code.text(self.node)

    def value_of(self, node: ast.AST | None) -> Any:
        """What an expression stands for, as far as that is stored somewhere; else `MISSING`."""
        if isinstance(node, ast.Name):
            for names in (self.frame.f_locals, self.frame.f_globals, self.frame.f_builtins):
                if node.id in names:
                    return names[node.id]
        elif isinstance(node, ast.Attribute):
            owner = self.value_of(node.value)
            found = MISSING if owner is MISSING else inspect.getattr_static(owner, node.attr, MISSING)
            return found.__func__ if type(found) in (staticmethod, classmethod) else found
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            owner, key = self.value_of(node.value), node.slice.value
            if type(owner) is dict and type(key) in (str, int):
                return owner.get(key, MISSING)
            if type(owner) in (list, tuple) and type(key) is int and -len(owner) <= key < len(owner):
                return owner[key]
        return MISSING

    def function_of(self, node: ast.AST | None) -> FunctionType | None:
        """The function of Python's that calling this expression would call."""
        value = self.value_of(node)
        function = None if value is MISSING else called_function(value)
        return function if type(function) is FunctionType else None

    def computed_by(self, node: ast.AST) -> FunctionType | None:
        """The function of Python's that computing this expression calls, if it is known."""
        found: Any = None
        if isinstance(node, ast.Call):
            if (function := self.function_of(node.func)) is not None:
                return function
            found = self._method(node.func, "__call__")
        elif isinstance(node, ast.Subscript):
            found = self._method(node.value, "__getitem__")
        elif isinstance(node, ast.Attribute) and type(value := self.value_of(node)) is property:
            found = value.fget
        return found if type(found) is FunctionType else None

    def gives_coroutine(self, node: ast.AST) -> bool:
        """Whether computing this expression calls a function defined by `async def`."""
        return self.is_async_function(self.computed_by(node))

    def calls(self, node: ast.expr, name: str) -> bool:
        """Whether it is a call of a function of this name."""
        if not isinstance(node, ast.Call):
            return False
        function = self.computed_by(node)
        return last_name(node) == name or (function is not None and function.__name__ == name)

    @property
    def line(self) -> int:
        """The line that failed."""
        return int(getattr(self.node, "lineno", 0) or self.frame.f_lineno or 0)

    def binds(self, name: str) -> tuple[bool, bool]:
        """Whether a name comes from outside of the function, as an argument or of another function around it;
        and whether it is a variable of the function.
        """
        code = self.frame.f_code
        arguments = inspect.getargs(code)
        comes = (*arguments.args, arguments.varargs, arguments.varkw, *code.co_freevars)
        return name in comes, name in (*code.co_varnames, *code.co_cellvars)

    def is_in_scope(self, code: Code, node: ast.AST, local: bool) -> bool:
        """Whether what `node` binds is a variable of the step's function if `local`, or a global."""
        scope = code.scope(node)
        if not local or isinstance(scope, ast.ClassDef):
            return scope is None
        return scope is not None and scope.lineno <= self.line <= (scope.end_lineno or 0)

    def _method(self, node: ast.expr, name: str) -> Any:
        value = self.value_of(node)
        return None if value is MISSING else attribute_of_class(type(value), name)

    def is_async_function(self, function: object) -> bool:
        """Whether it is a function defined by `async def`."""
        return type(function) is FunctionType and bool(function.__code__.co_flags & inspect.CO_COROUTINE)

    def is_async(self, node: ast.AST | None, flag: int = inspect.CO_COROUTINE) -> bool:
        """Whether an expression stands for a function defined by `async def`."""
        function = self.function_of(node)
        return function is not None and bool(function.__code__.co_flags & flag)

    def _is_bound(self, node: ast.expr) -> bool:
        """Whether Python gives its first argument to the function that `node` stands for."""
        if type(self.value_of(node)) is MethodType:
            return True
        owner = self.value_of(node.value) if isinstance(node, ast.Attribute) else MISSING
        if not isinstance(node, ast.Attribute) or owner is MISSING or issubclass(type(owner), ModuleType):
            return False
        found = inspect.getattr_static(owner, node.attr, None)
        if type(found) in (staticmethod, classmethod):
            return type(found) is classmethod
        return attribute_of_class(type(owner), node.attr) is found

    def called(self, node: ast.expr) -> str:
        """A function's call, in words: with `...` in it if the function needs arguments."""
        function, text = self.function_of(node), self.code.text(node)
        if function is None:
            return f"{text}()"
        code = function.__code__
        needed = code.co_argcount - len(function.__defaults__ or ())
        needed -= self._is_bound(node) and code.co_argcount > 0
        needed += code.co_kwonlyargcount - len(function.__kwdefaults__ or ())
        return f"{text}(...)" if needed > 0 else f"{text}()"


def steps_of(trace: TracebackType | None, lines: Lines) -> tuple[Step, ...]:
    """The user's steps in a traceback, outermost first."""
    steps, codes = [], dict[str, Code]()
    while trace is not None:
        frame, lasti = trace.tb_frame, trace.tb_lasti
        filename = frame.f_code.co_filename
        if lines.is_users_file(filename) and lasti >= 0:
            if filename not in codes:
                codes[filename] = Code(filename)
            place = next(islice(frame.f_code.co_positions(), lasti // 2, None), (None,) * 4)
            steps.append(Step(frame, codes[filename], _gone_through(codes[filename].at(place))))
        trace = trace.tb_next
    return tuple(steps)


def _gone_through(node: ast.AST | None) -> ast.AST | None:
    """For a loop or a comprehension, what it goes through: Python names the whole of it as the place."""
    if isinstance(node, ast.For | ast.AsyncFor):
        return node.iter
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return node.generators[0].iter
    return node


def last_name(call: ast.AST) -> str:
    """The last part of the name that is called, "" if it has none."""
    return last_name_of(call.func if isinstance(call, ast.Call) else call)
