"""Calls of coroutine functions in source code: which of them is neither awaited nor handed to someone?

Names are resolved as far as that needs no user code: functions, modules, and the classes of objects. What
stays unknown (a method of a parameter) counts as no coroutine function, unless a cell defines one of
that name.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, TypeGuard

from namespace_kernel.base.cell import Namespace
from namespace_kernel.base.safe_facts import attribute_of_class, called_function, dict_of
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
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

# As Python stores them, whatever a class of classes or of modules says.
_dict_of_module: Callable[[ModuleType], Namespace] = vars(ModuleType)["__dict__"].__get__

#: Those of Python's own that call what they are given.
_CALLING = frozenset(("filter", "iter", "map", "max", "min", "sorted"))

#: So many items of a container may be functions that a cell calls.
_LOOKED_AT = 50

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
            inside = later or (field == "body" and isinstance(node, FUNCTIONS))
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
        if isinstance(node, ast.Call) and hands_on(node, name):
            yield node


def hands_on(call: ast.Call, name: str) -> bool:
    """Whether it is given something called `name`, to call it, or what a property of that name gives."""
    given = [*call.args, *(one.value for one in call.keywords)]
    named = [one for one in given if name and last_name_of(one) == name]
    return any(calls_given(call) or isinstance(one, ast.Attribute) for one in named)


def calls_given(call: ast.Call) -> bool:
    """Whether it may call what it is given."""
    return not is_pythons_own(call) or last_name_of(call.func) in _CALLING


def is_pythons_own(call: ast.Call) -> bool:
    """Whether it calls `print` or the like, which calls something of the user's only if it was given it."""
    return hasattr(builtins, last_name_of(call.func))


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
        tree = tree_of(source)
        # `handlers["get"]()`, `for f in handlers: f()`: the cell mentions some that these may be.
        unknown = {"", *(node.id for node in ast.walk(tree) if _is_bound(node))}
        return [
            call
            for call in open_calls(tree)
            if self._is_coroutine_function(call.func, words) or (not call.later and call.name in unknown)
        ]

    def is_defined(self, name: str) -> bool:
        """Whether a cell has defined a coroutine function of this name."""
        return name in self._defined

    def _may_call(self, word: str, words: set[str]) -> bool:
        value = self._value(word)
        if value is None:
            return False
        return _calls_async(value) or _holds_async(value) or not words.isdisjoint(self._members_of(value))

    def _is_coroutine_function(self, func: ast.expr, words: set[str]) -> bool:
        name = last_name_of(func)
        if isinstance(func, ast.Attribute):
            base = self._value(func.value.id) if isinstance(func.value, ast.Name) else None
            return name in (self._defined if base is None else self._members_of(base))
        if name in self._defined or _calls_async(self._value(name)):
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
    return dict_of(owner) if issubclass(type(owner), type) else _dict_of_module(owner)


def _async_members(owner: Any) -> Iterator[str]:
    for one in type.mro(owner) if issubclass(type(owner), type) else [owner]:
        for name, value in list(_namespace_of(one).items()):
            if _is_async(value):
                yield name


def _is_bound(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _calls_async(value: Any) -> bool:
    """Whether calling `value` calls a function defined by `async def`; no user code is asked."""
    function = called_function(value)
    return _is_async(function) or _is_async(attribute_of_class(type(function), "__call__"))


def _holds_async(value: Any) -> bool:
    """Whether it is one of Python's own containers, and one of its first items is such a function."""
    if type(value) not in (dict, list, tuple):
        return False
    try:
        items = list(islice(value.values() if type(value) is dict else value, _LOOKED_AT))
    except RuntimeError:  # another thread changes it
        return False
    return any(_is_async(called_function(item)) for item in items)


def _is_async(value: Any) -> bool:
    """Whether `value` is a function, or a method, defined by `async def`; no user code is asked."""
    function = value.__func__ if type(value) in (staticmethod, classmethod) else value
    return type(function) is FunctionType and bool(function.__code__.co_flags & inspect.CO_COROUTINE)
