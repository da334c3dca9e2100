"""What a cell is compared with may not keep alive what the cell lets go of.

A cell that says `del model` and then asks the graphics card for its memory, or prints before and after a
`__del__`, counts on the end of the object right there. `array.resize()` refuses to work while anything else
refers to the array, also weakly; and `sys.getrefcount` counts. So for the names that a cell's text mentions,
what is kept of their values is no reference of any kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from types import CellType, CodeType, FunctionType, MethodType, NoneType
from typing import Any, NamedTuple

from namespace_kernel.base.cell import Namespace
from namespace_kernel.base.safe_facts import called_function, dict_of, mro_of
from namespace_kernel.base.syntax import nested

from .reserved_names import MISSING, is_engine_name

_WORD = re.compile(r"[^\W\d]\w*")
#: Classes are told by their id: a metaclass may define `__hash__` and `__eq__`.
_NUMBERS = frozenset(map(id, (bool, int, float, complex, NoneType)))
#: Texts and tuples of at most so many characters or items are light, these so deep.
_LIGHT, _DEEP = 100, 2


class Former(NamedTuple):
    """Stands for the value that a name had when a cell began: its address, which another one may have got
    since, and of a small one that cannot change, the hash.
    """

    value_id: int
    content: int | None


def _former(value: object) -> Former:
    return Former(id(value), hash(value) if _is_light(value) else None)


def mentioned(source: str, names: Namespace) -> set[str]:
    """Those of `names` that the text `source` mentions, also in strings and in what is no Python, and those
    that the functions and classes among them use.
    """
    found: set[str] = set()
    waiting: set[str] = set(_WORD.findall(source))
    while waiting:
        word = waiting.pop()
        if word not in found and word in names and not is_engine_name(word):
            found.add(word)
            for code in _codes_of(names.get(word)):
                waiting.update(*(inner.co_names for inner in nested(code)))
    return found


def _codes_of(value: object) -> Iterator[CodeType]:
    """The code that whoever uses `value` may run, as far as that is known without running any."""
    waiting, seen = [value], set()
    while waiting:
        one: Any = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if type(one) is MethodType:
            waiting.append(one.__self__)
        function = called_function(one)
        kind = type(function)
        if kind is FunctionType:
            yield function.__code__
            waiting += map(_content, function.__closure__ or ())
        elif kind is classmethod or kind is staticmethod:
            waiting.append(function.__func__)
        elif kind is property:
            waiting += [function.fget, function.fset, function.fdel]
        else:
            for base in mro_of(function if issubclass(kind, type) else kind):
                if dict_of(base).get("__module__") == "__main__":
                    waiting += dict_of(base).values()


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # it has none yet
        return None


def let_go(base: Namespace, names: Iterable[str]) -> list[object]:
    """Keep no values of `names` in `base`, which is compared with what they are later.

    Returns those values: some may end with the list.
    """
    values = []
    for name in names:
        value = base.get(name, MISSING)
        if value is not MISSING and type(value) is not Former:
            values.append(value)
            base[name] = _former(value)
    return values


def is_other(former: object, value: object) -> bool:
    """Whether `value` is known to be another one than a base keeps as `former`."""
    if type(former) is not Former:
        return former is not value
    return former.value_id != id(value) or (former.content is not None and former != _former(value))


def is_only_an_address(former: object) -> bool:
    """Whether another value at the same address would be taken for the one that a base keeps as `former`."""
    return type(former) is Former and former.content is None


def id_of(former: object) -> int:
    """The id of the value that a base keeps as `former`."""
    return former.value_id if type(former) is Former else id(former)


def _is_light(value: Any, depth: int = 0) -> bool:
    """Whether it is small, and its hash stands for it, and runs no code of anyone's."""
    kind = type(value)
    if id(kind) in _NUMBERS:
        return True
    if kind is str or kind is bytes:
        return len(value) <= _LIGHT
    return (
        kind is tuple
        and len(value) <= _LIGHT
        and depth < _DEEP
        and all(_is_light(item, depth + 1) for item in value)
    )
