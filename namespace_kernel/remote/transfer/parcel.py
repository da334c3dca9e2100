"""The parcel: everything that a cell needs elsewhere, found from its code."""

from __future__ import annotations

import datetime
import enum
import numbers
import pathlib
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING

from namespace_kernel.base.errors import MissingPackageError
from namespace_kernel.base.syntax import nested
from namespace_kernel.remote.lazy_imports import resolved
from namespace_kernel.remote.memory.own_memory import OwnBytes
from namespace_kernel.remote.memory.regions import Region

from .packing import Buffer, Draft, Piece, goes_by_reference
from .reads import names_read

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
    says why a name is not in it, `lost` what names come back without. `files` are those of the code that
    travels, `modules` those that it needs imported.
    """

    pieces: tuple[Piece, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    lost: Mapping[tuple[str, ...], Set[str]] = field(default_factory=dict)
    files: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The names whose values are in it."""
        return frozenset(name for piece in self.pieces for name in piece.names)

    def copied(self) -> Parcel:
        """One whose memory is its own."""
        return replace(self, pieces=tuple(replace(one, buffers=_own(one.buffers)) for one in self.pieces))


def _own(buffers: Iterable[Buffer | Region]) -> tuple[Buffer | Region, ...]:
    return tuple(one if isinstance(one, Region) else OwnBytes(one) for one in buffers)


def make_parcel(
    code: CodeType,
    namespace: Names,
    home: Names,
    *,
    send: Iterable[str] = (),
    leave_out: Iterable[str] = (),
    never: Set[str] = frozenset(),
    exactly: bool = False,
    share: Callable[[memoryview], Buffer | Region] = lambda raw: raw,
) -> Parcel:
    """Pack what `code` reads of `namespace`, and what the functions on the way read, transitively.

    `home` is the dict that is the globals of the namespace's functions. `send` are further names, `leave_out`
    those that the user does not want there, `never` those that exist on the other side by themselves.
    `share` tells what travels for a buffer. A value that cannot be pickled is left out; for `exactly`, see
    `Draft`.

    Thread: any.
    """
    left_out = {name: "`--not` left it out" for name in leave_out}
    drafts: dict[str, Draft] = {}
    owner: dict[int, str] = {}
    waiting = sorted({*names_read(code), *send}, reverse=True)
    seen = {*never, *left_out}
    while waiting:
        name = waiting.pop()
        if name in seen or name not in namespace:
            continue
        seen.add(name)
        value = namespace[name]
        first = owner.setdefault(id(value), name)
        if first in drafts and not is_immutable(value, home):
            drafts[first].add({name: value})  # another name of the same object
            continue
        try:
            draft = Draft(home, exactly=exactly).add({name: value})
        except MissingPackageError:
            raise
        except Exception as error:
            left_out[name] = f"it cannot be pickled ({_words(error)})"
        else:
            drafts[name] = draft
            waiting.extend(sorted(draft.reads, reverse=True))
    joined = _joined(list(drafts.values()), namespace, home)
    codes = [code, *(one for draft in joined for one in draft.codes)]
    modules = _submodules(codes, [namespace[name] for draft in joined for name in draft.names])
    files = frozenset(file for draft in joined for file in draft.files)
    lost = {draft.names: draft.lost for draft in joined if draft.lost}
    return Parcel(tuple(draft.piece(share) for draft in joined), left_out, lost, files, modules)


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def _joined(drafts: Iterable[Draft], namespace: Names, home: Names) -> list[Draft]:
    """The drafts, those together whose values share a mutable object. Small ones are added to large ones."""
    by_size = sorted(drafts, key=lambda draft: draft.size)
    if len(by_size) < 2:
        return by_size
    *small, largest = by_size
    joined_to: dict[Draft, Draft] = {}
    owner: dict[int, Draft] = {}

    def join(number: int, draft: Draft) -> None:
        other = owner[number]
        while other in joined_to:
            other = joined_to[other]
        if other is not draft:
            joined_to[other] = draft

    for draft in small:
        for number, thing in draft.objects().items():
            if not is_immutable(thing, home):
                owner.setdefault(number, draft)
                join(number, draft)
    if owner:  # of the largest, nobody else will ask what is in it
        for number in owner.keys() & largest.objects().keys():
            join(number, largest)
    for draft in small:
        if draft in joined_to:
            joined_to[draft].add({name: namespace[name] for name in draft.names})
    return [draft for draft in by_size if draft not in joined_to]


def is_immutable(thing: object, home: Names) -> bool:
    """Whether nobody can change `thing`, so that two pieces may hold it. `home` is as for `make_parcel`."""
    if type(thing) is str:  # most of what there is
        return True
    if isinstance(thing, FunctionType):
        return thing.__globals__ is not home and goes_by_reference(thing)
    return isinstance(thing, _IMMUTABLE) or any(
        kind.__name__ == "dtype" and kind.__module__ == "numpy" for kind in type(thing).__mro__
    )


def _submodules(codes: Iterable[CodeType], values: Iterable[object]) -> tuple[str, ...]:
    """The submodules that `codes` reach through packages among `values`: importing those is not enough."""
    packages = {value.__name__ for value in map(resolved, values) if isinstance(value, ModuleType)}
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
