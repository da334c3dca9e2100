"""What a cell is compared with may not keep alive what the cell lets go of.

A cell that says `del model` and then asks the graphics card for its memory, or prints before and after a
`__del__`, counts on the end of the object right there. `array.resize()` refuses to work while anything else
refers to the array, also weakly; and `sys.getrefcount` counts. So for the names that a cell's text mentions,
what is kept of their values is no reference of any kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType, NoneType
from typing import Any, NamedTuple

from namespace_kernel.base.cell import Namespace

from .reserved_names import MISSING, is_engine_name

_WORD = re.compile(r"[^\W\d]\w*")
#: What has functions in it, and where.
_HOLDERS: dict[type, tuple[str, ...]] = {
    MethodType: ("__func__", "__self__"),
    partial: ("func",),
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
}
_NUMBERS = (bool, int, float, complex, NoneType)
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
                waiting.update(_names_in(code))
    return found


def _codes_of(value: object) -> Iterator[CodeType]:
    """The code that whoever uses `value` may run, as far as that is known without running any."""
    waiting, seen = [value], set()
    while waiting:
        one: Any = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        kind = type(one)
        if kind is FunctionType:
            yield one.__code__
            waiting += [_content(cell) for cell in one.__closure__ or ()]
        elif kind in _HOLDERS:
            waiting += [getattr(one, name) for name in _HOLDERS[kind]]
        else:
            made = one if issubclass(kind, type) else kind
            for base in type.__dict__["__mro__"].__get__(made):
                members = type.__dict__["__dict__"].__get__(base)
                if members.get("__module__") == "__main__":
                    waiting += members.values()


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # it has none yet
        return None


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
        if value is not MISSING and type(value) is not Former:
            values.append(value)
            base[name] = _former(value)
    return values


def is_other(former: object, value: object, bound: Callable[[], bool] = bool) -> bool:
    """Whether `value` is another one than a base keeps as `former`.

    What stands at the same address may be another one. It counts as one if the name has been `bound` since.
    """
    if type(former) is not Former:
        return former is not value
    if former.value_id != id(value):
        return True
    return bound() if former.content is None else former != _former(value)


def id_of(former: object) -> int:
    """The id of the value that a base keeps as `former`."""
    return former.value_id if type(former) is Former else id(former)


def _is_light(value: Any, depth: int = 0) -> bool:
    """Whether it is small, and its hash stands for it, and runs no code of anyone's."""
    kind = type(value)
    if kind in _NUMBERS:
        return True
    if kind not in (str, bytes, tuple) or len(value) > _LIGHT:
        return False
    if kind is str or kind is bytes:
        return True
    return depth < _DEEP and all(_is_light(item, depth + 1) for item in value)
