"""The parcel: everything that a cell needs elsewhere, found from its code."""

from __future__ import annotations

import datetime
import enum
import numbers
import pathlib
import re
import sys
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING

from namespace_kernel.base.errors import MissingPackageError

from .packing import Packed, Piece, pack
from .reads import names_read, nested

if TYPE_CHECKING:
    from namespace_kernel.base.cell import Names

#: What may be shared by two pieces, because nobody can change it.
_IMMUTABLE = (
    str,
    bytes,
    numbers.Number,
    tuple,
    frozenset,
    type,
    ModuleType,
    BuiltinFunctionType,
    CodeType,
    type(None),
    range,
    slice,
    enum.Enum,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    datetime.tzinfo,
    re.Pattern,
    pathlib.PurePath,
)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a cell needs elsewhere.

    Names whose values share a mutable object are in one piece, so that they share it there, too. `left_out`
    says why a name is not in it. `files` are those of the code that travels, `modules` those that it needs
    imported.
    """

    pieces: tuple[Piece, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    files: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The names whose values are in it."""
        return frozenset(name for piece in self.pieces for name in piece.names)

    def copied(self) -> Parcel:
        """One whose memory is its own."""
        pieces = (
            replace(one, buffers=tuple(bytearray(buffer) for buffer in one.buffers)) for one in self.pieces
        )
        return replace(self, pieces=tuple(pieces))


def make_parcel(
    code: CodeType,
    namespace: Names,
    home: Names,
    *,
    send: Iterable[str] = (),
    leave_out: Iterable[str] = (),
    never: Set[str] = frozenset(),
) -> Parcel:
    """Pack what `code` reads of `namespace`, and what the functions on the way read, transitively.

    `home` is the dict that is the globals of the namespace's functions. `send` are further names, `leave_out`
    those that the user does not want there, `never` those that exist on the other side by themselves. A value
    that cannot be pickled is left out.

    Thread: any.
    """
    left_out = {name: "`--not` left it out" for name in leave_out}
    packed: dict[str, Packed] = {}
    waiting = sorted({*names_read(code), *send}, reverse=True)
    seen = {*never, *left_out}
    while waiting:
        name = waiting.pop()
        if name in seen or name not in namespace:
            continue
        seen.add(name)
        try:
            one = packed[name] = pack({name: namespace[name]}, home)
        except MissingPackageError:
            raise
        except Exception as error:
            left_out[name] = f"it cannot be pickled ({_words(error)})"
        else:
            waiting.extend(sorted(one.reads, reverse=True))
    codes = [code, *(one for item in packed.values() for one in item.codes)]
    pieces = []
    for names in _groups(packed, home):
        whole = packed[names[0]] if len(names) == 1 else pack({name: namespace[name] for name in names}, home)
        pieces.append(whole.piece)
    modules = _submodules(codes, [namespace[name] for name in packed])
    files = frozenset(file for one in packed.values() for file in one.files)
    return Parcel(tuple(pieces), left_out, files, modules)


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def _groups(packed: Mapping[str, Packed], home: Names) -> list[list[str]]:
    """The names, those together whose values share a mutable object."""
    if len(packed) < 2:
        return [[name] for name in packed]
    group_of: dict[str, list[str]] = {}
    owner: dict[int, str] = {}
    for name in sorted(packed, key=lambda name: packed[name].piece.size):
        group_of[name] = [name]
        if not owner and len(group_of) == len(packed):
            break  # nobody could share anything with the last one, which may be huge
        for number, (_, thing) in packed[name].memo.copy().items():
            if _is_immutable(thing, home):
                continue
            first, second = group_of[owner.setdefault(number, name)], group_of[name]
            if first is not second:
                first.extend(second)
                group_of |= dict.fromkeys(second, first)
    return list({id(group): group for group in group_of.values()}.values())


def _is_immutable(thing: object, home: Names) -> bool:
    if isinstance(thing, FunctionType):
        return thing.__globals__ is not home  # it went by reference
    return isinstance(thing, _IMMUTABLE) or any(
        kind.__name__ == "dtype" and kind.__module__ == "numpy" for kind in type(thing).__mro__
    )


def _submodules(codes: Iterable[CodeType], values: Iterable[object]) -> tuple[str, ...]:
    """The submodules that `codes` reach through packages among `values`: importing those is not enough."""
    packages = {value.__name__ for value in values if isinstance(value, ModuleType)}
    if not packages:
        return ()
    words = {word for code in codes for one in nested(code) for word in one.co_names}
    found = []
    for name in sorted(sys.modules):
        parts = name.split(".")
        for length in range(1, len(parts)):
            if ".".join(parts[:length]) in packages and words.issuperset(parts[length:]):
                found.append(name)
                break
    return tuple(found)
