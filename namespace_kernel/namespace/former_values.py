"""What a cell is compared with may not keep alive what the cell lets go of.

A cell that says `del model` and then asks the graphics card for its memory, or prints before and after a
`__del__`, counts on the end of the object right there. So for the names that a cell's text mentions, what is
kept of their values is no reference, unless nobody could tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, NoneType
from typing import Any
from weakref import ref

from namespace_kernel.base.cell import Namespace

from .reserved_names import MISSING, is_engine_name

_WORD = re.compile(r"[^\W\d]\w*")
_NUMBERS = (bool, int, float, complex, NoneType)
#: Texts and containers of at most so many characters or items are light, these so deep.
_LIGHT, _DEEP = 100, 2


class Former:
    """Stands for the value that a name had when a cell began."""

    __slots__ = ("_reference", "value_id")

    def __init__(self, value: object) -> None:
        self.value_id = id(value)
        self._reference: Callable[[], object] | None
        try:
            self._reference = ref(value)
        except TypeError:  # a list, a dict, a text: only the address is known, and another may get it
            self._reference = None

    def is_other(self, value: object) -> bool:
        """Whether `value` is not what it stands for."""
        return id(value) != self.value_id or (self._reference is not None and self._reference() is None)


def mentioned(source: str, names: Namespace) -> set[str]:
    """Those of `names` that the text `source` mentions, also in strings and in what is no Python, and those
    that the functions among them use.
    """
    found: set[str] = set()
    waiting: set[str] = set(_WORD.findall(source))
    while waiting:
        word = waiting.pop()
        if word not in found and word in names and not is_engine_name(word):
            found.add(word)
            value = names.get(word)
            if type(value) is FunctionType:
                waiting.update(_names_in(value.__code__))
    return found


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if type(constant) is CodeType:
            yield from _names_in(constant)


def let_go(base: Namespace, names: Iterable[str]) -> list[object]:
    """Keep no values of `names` in `base`, which is compared with what they are later.

    Returns those values: some may end with the list.
    """
    values = []
    for name in names:
        value = base.get(name, MISSING)
        if value is not MISSING and type(value) is not Former and not _is_light(value):
            values.append(value)
            base[name] = Former(value)
    return values


def is_other(former: object, value: object) -> bool:
    """Whether `value` is another one than a base keeps as `former`."""
    return former.is_other(value) if type(former) is Former else former is not value


def id_of(former: object) -> int:
    """The id of the value that a base keeps as `former`."""
    return former.value_id if type(former) is Former else id(former)


def _is_light(value: Any, depth: int = 0) -> bool:
    """Whether nobody can tell if it still exists: it is small, and no code runs at its end."""
    kind = type(value)
    if kind in _NUMBERS:
        return True
    if kind not in (str, bytes, list, tuple) or len(value) > _LIGHT:
        return False
    if kind is str or kind is bytes:
        return True
    return depth < _DEEP and all(_is_light(item, depth + 1) for item in value)
