"""Calls of coroutine functions in source code: which of them is neither awaited nor handed to someone?

Names are resolved as far as that needs no user code: functions, modules, and the classes of objects. What
stays unknown (a method of a parameter) counts as no coroutine function, unless a cell defines one of
that name.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from namespace_kernel.base.cell import Namespace
from namespace_kernel.base.lines import Leak
from namespace_kernel.base.syntax import last_name_of, tree_of
from namespace_kernel.base.weak_references import WeakKeys

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_ASYNC_DEF = re.compile(r"\basync\s+def\s+([^\W\d]\w*)")

#: Functions and methods that see to the coroutines they are given, by their last name.
_OWNERS = frozenset(
    (
        "create_task",
        "ensure_future",
        "gather",
        "shield",
        "wait_for",
        "as_completed",
        "run",
        "run_until_complete",
        "run_coroutine_threadsafe",
        "start_soon",
    )
)
#: Through these a coroutine goes on to whatever is around them.
_PASSING = (ast.Starred, ast.List, ast.Tuple, ast.ListComp, ast.GeneratorExp, ast.IfExp, ast.withitem)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

# As Python stores them, whatever a class of classes or of modules says.
_dict_of_class: Callable[[type], Namespace] = vars(type)["__dict__"].__get__
_dict_of_module: Callable[[ModuleType], Namespace] = vars(ModuleType)["__dict__"].__get__

#: A longer call is shown without its arguments.
_LONGEST = 60

Lookup = Callable[[str], Any]


class OpenCall(NamedTuple):
    """A call whose value is neither awaited at once nor handed to someone who awaits it.

    `later` if it is in the body of a function, which may run at any time.
    """

    func: ast.expr
    line: int
    later: bool

    @property
    def name(self) -> str:
        """The last part of the name that is called, "" if it has none."""
        return last_name_of(self.func)


def open_calls(tree: ast.AST) -> Iterator[OpenCall]:
    """The open calls in `tree`, in no order."""
    waiting = [(tree, False, False)]
    while waiting:  # no recursion: a cell may nest deeper than Python's stack
        node, owned, later = waiting.pop()
        if isinstance(node, ast.Call) and not owned:
            yield OpenCall(node.func, node.lineno, later)
        for field, value in ast.iter_fields(node):
            passes = _passes(node, field, owned)
            inside = later or (field == "body" and isinstance(node, _FUNCTIONS))
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    waiting.append((child, passes, inside))


def all_calls(tree: ast.AST) -> Iterator[OpenCall]:
    """All calls in `tree`, also those whose value has an owner."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield OpenCall(node.func, node.lineno, later=False)


def calls_with(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """The calls that are given something called `name`: `pool.submit(name)`, `Thread(target=name)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = [*node.args, *(one.value for one in node.keywords)]
            if any(name and last_name_of(one) == name for one in given):
                yield node


def call_of(leak: Leak) -> tuple[str, str]:
    """The source of the call that made a coroutine; and of the one that was given its function, if that
    made it. Without the arguments, if it is long.
    """
    name = leak.name.rpartition("<locals>.")[2]
    last = name.rpartition(".")[2]
    source = "".join(linecache.getlines(leak.filename)) if leak.line else ""
    tree = tree_of(source) if last in source else ast.Module([], [])
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.lineno == leak.line]
    for call in calls:
        if last_name_of(call.func) == last:
            return _text(source, call), ""
    for call in calls_with(tree, last):
        if call.lineno == leak.line:
            return f"{name}()", _text(source, call)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (node.attr, node.lineno) == (last, leak.line):
            return ast.unparse(node), ""  # a property
    return f"{name}()", ""


def returned_by(leak: Leak) -> str:
    """The plain function that only returned the coroutine, for others to await; "" if none did."""
    last = leak.name.rpartition(".")[2]
    source = "".join(linecache.getlines(leak.filename)) if leak.line else ""
    scopes = ast.walk(tree_of(source)) if last in source else ()
    for scope in (one for one in scopes if isinstance(one, ast.FunctionDef)):
        for node in ast.walk(scope):
            value = node.value if isinstance(node, ast.Return) and node.lineno == leak.line else None
            if isinstance(value, ast.Call) and last_name_of(value.func) == last:
                return scope.name
    return ""


def _text(source: str, call: ast.Call) -> str:
    text = ast.get_source_segment(source, call) or ""
    if "\n" in text or len(text) > _LONGEST or "`" in text:
        return f"{ast.unparse(call.func)}(...)"
    return text


def _passes(node: ast.AST, field: str, owned: bool) -> bool:
    """Whether a call in `field` of `node` has someone who awaits its value."""
    if isinstance(node, ast.Await):
        return True
    if isinstance(node, ast.Call):
        return field == "args" and last_name_of(node.func) in _OWNERS
    if isinstance(node, ast.AsyncWith):
        return field == "items"
    if isinstance(node, ast.AsyncFor):
        return field == "iter"
    if isinstance(node, ast.comprehension):
        return field == "iter" and bool(node.is_async)
    return owned and isinstance(node, _PASSING)


class CoroutineFunctions:
    """Which names are coroutine functions, as far as one can know before the code runs.

    `lookup` gives a global's value or `None`. Thread: any that runs cells; what is noted only grows.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        #: What cells have defined by `async def`, wherever.
        self._defined: set[str] = set()
        #: Of modules and classes, which may not be hashable: their size then, and the names.
        self._members: WeakKeys[object, tuple[int, frozenset[str]]] = WeakKeys()

    def open_calls(self, source: str) -> list[OpenCall]:
        """The open calls of coroutine functions in a cell. What the cell defines is noted."""
        if "async" in source:
            self._defined.update(_ASYNC_DEF.findall(source))
        words = set(_IDENTIFIER.findall(source))
        # Parsing costs more than all the rest, and nearly no cell needs it.
        if not (words & self._defined or any(self._may_call(word, words) for word in words)):
            return []
        return [call for call in open_calls(tree_of(source)) if self._is_coroutine_function(call.func, words)]

    def is_defined(self, name: str) -> bool:
        """Whether a cell has defined a coroutine function of this name."""
        return name in self._defined

    def _may_call(self, word: str, words: set[str]) -> bool:
        value = self._value(word)
        if value is None:
            return False
        return _is_async(value) or not words.isdisjoint(self._members_of(value))

    def _is_coroutine_function(self, func: ast.expr, words: set[str]) -> bool:
        name = last_name_of(func)
        if isinstance(func, ast.Attribute):
            base = self._value(func.value.id) if isinstance(func.value, ast.Name) else None
            return name in (self._defined if base is None else self._members_of(base))
        if name in self._defined or _is_async(self._value(name)):
            return True
        # `from asyncio import sleep` in the cell itself
        modules = (sys.modules.get(word) for word in words)
        return any(name in self._members_of(module) for module in modules if module is not None)

    def _value(self, word: str) -> Any:
        """A global's value, or the module that the cell may be about to import."""
        value = self._lookup(word)
        return sys.modules.get(word) if value is None else value

    def _members_of(self, value: object) -> frozenset[str]:
        """The coroutine functions among the attributes of a module, or of an object's class."""
        kind = type(value)
        if not issubclass(kind, ModuleType | type):
            value, kind = kind, type(kind)
        try:
            # As Python's own, for modules and classes may have another idea of their attributes.
            size = len(_namespace_of(value))
            known = self._members.get(value)
            if known is None or known[0] != size:
                known = size, frozenset(_async_members(value))
                self._members[value] = known
        except (AttributeError, TypeError):  # a module without a namespace
            return frozenset()
        return known[1]


def _namespace_of(owner: Any) -> Namespace:
    return _dict_of_class(owner) if issubclass(type(owner), type) else _dict_of_module(owner)


def _async_members(owner: Any) -> Iterator[str]:
    for one in type.mro(owner) if issubclass(type(owner), type) else [owner]:
        for name, value in list(_namespace_of(one).items()):
            if _is_async(value):
                yield name


def _is_async(value: Any) -> bool:
    """Whether `value` is a function, or a method, defined by `async def`; no user code is asked."""
    function = value.__func__ if type(value) in (staticmethod, classmethod) else value
    return type(function) is FunctionType and bool(function.__code__.co_flags & inspect.CO_COROUTINE)
