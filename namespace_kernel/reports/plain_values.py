"""The value of a name or an attribute, read and copied without running any of the user's code.

Attribute access may run a property, `repr` an object's own method. So an attribute is read only where Python
itself is known to find it, and a value is taken only if it is made of nothing but Python's numbers, strings
and containers. Everything else is `NotPlain`: whoever asks has to wait until that may run.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Callable
from typing import Any

from namespace_kernel.base.cell import Namespace
from namespace_kernel.base.safe_facts import attribute_of_class

#: Characters of an expression, objects in a value, levels in it, and characters or bits of one object.
_LONGEST, _MOST, _DEEPEST, _LARGEST = 200, 1000, 20, 10_000

_dict_of_module: Callable[[object], Any] = vars(types.ModuleType)["__dict__"].__get__

# Classes are told by their id: a metaclass may define `__hash__` and `__eq__`.
_NUMBERS = {id(kind) for kind in (int, float, complex, bool, type(None))}
_TEXTS = {id(kind) for kind in (str, bytes)}
_CONTAINERS: dict[int, Callable[[Any], Any]] = {
    id(kind): kind for kind in (list, tuple, set, frozenset, dict)
}


class NotPlain(Exception):
    """It cannot be told without running code, or is not there, or is too large to be copied at once."""


def read(expression: str, names: Namespace) -> object:
    """A copy of the value of `expression`: a name, attributes of one, or a literal. Raises `NotPlain`.

    Thread: any; no code of the user's runs, and no cell that changes the value meanwhile is in the way.
    """
    if len(expression) > _LONGEST:
        raise NotPlain
    try:
        tree = ast.parse(expression, mode="eval").body
    except Exception:
        raise NotPlain from None
    return _Copy().of(_value_of(tree, names), _DEEPEST)


def _value_of(node: ast.expr, names: Namespace) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise NotPlain  # the cell that runs may yet bind it
        return names[node.id]
    if isinstance(node, ast.Attribute):
        return _attribute(_value_of(node.value, names), node.attr)
    raise NotPlain


def _attribute(owner: object, name: str) -> object:
    """What `owner.name` is, if it stands in the dict of a module or an instance, or in that of its class."""
    cls = type(owner)
    if cls is types.ModuleType:
        return _item(_dict_of_module(owner), name)
    if attribute_of_class(cls, "__getattribute__") is not object.__getattribute__:
        raise NotPlain
    of_class = attribute_of_class(cls, name)
    if of_class is not None and id(type(of_class)) not in _NUMBERS | _TEXTS:
        raise NotPlain  # it may be a property
    slot = attribute_of_class(cls, "__dict__")
    try:
        return _item(slot.__get__(owner) if type(slot) is types.GetSetDescriptorType else None, name)
    except NotPlain:
        if of_class is None:
            raise
        return of_class


def _item(names: object, name: str) -> object:
    """Looked up by going through all: a key of the user's own with the same hash would be asked."""
    if type(names) is dict:
        for key, value in list(names.items()):
            if type(key) is str and key == name:
                return value
    raise NotPlain


class _Copy:
    """Copies one value, up to so many objects."""

    def __init__(self) -> None:
        self._left = _MOST

    def of(self, value: Any, levels: int) -> object:
        """A copy of `value`. Raises `NotPlain`."""
        self._left -= 1
        kind = id(type(value))
        if self._left < 0 or levels < 0:
            raise NotPlain
        if kind in _NUMBERS:
            size = value.bit_length() if type(value) is int else 0
        elif kind in _TEXTS:
            size = len(value)
        elif kind in _CONTAINERS:
            size = len(value) * (_LARGEST // _MOST)
        else:
            raise NotPlain
        if size > _LARGEST:
            raise NotPlain
        if kind not in _CONTAINERS:
            return value
        if type(value) is dict:
            return {self.of(key, levels - 1): self.of(one, levels - 1) for key, one in list(value.items())}
        return _CONTAINERS[kind]([self.of(one, levels - 1) for one in list(value)])
