"""What a cell did to its copy of the namespace, and what of it goes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING

from namespace_kernel.base.errors import ResultError
from namespace_kernel.base.words import words_of
from namespace_kernel.namespace.reserved_names import ANNOTATING_NAMES, MODULE_NAMES, is_engine_name
from namespace_kernel.remote.memory.shelf import Maps
from namespace_kernel.remote.transfer.messages import VALUE
from namespace_kernel.remote.transfer.packing import Draft, Piece, digest_of, new_arrival, pack, unpack

from .snapshots import IMMUTABLE, Snapshot, take

if TYPE_CHECKING:
    from namespace_kernel.base.cell import Names, Namespace

#: What Python itself writes into a namespace.
_PYTHONS = MODULE_NAMES | {"__warningregistry__", "__annotations__", *ANNOTATING_NAMES}

_MISSING = object()
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A piece that has arrived, and the values that came of it; a snapshot of them if that tells all."""

    piece: Piece
    values: Namespace
    snapshot: Snapshot | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What goes back. `spoilt` are digests of pieces whose memory is not what it was."""

    results: Namespace
    deleted: frozenset[str]
    overwritten: frozenset[str]
    spoilt: tuple[str, ...]


class Copy:
    """The copy of the namespace that one cell runs in.

    Guarantees: what is changed in place is found by content, or item by item; everything else by identity.

    Thread: the one that runs cells.
    """

    def __init__(self, pieces: Iterable[Piece], namespace: Namespace, maps: Maps | None = None) -> None:
        self.namespace = namespace
        self._maps = maps or Maps()
        #: Why a name could not be brought in, by name.
        self.refused: dict[str, str] = {}
        self._arrival = new_arrival(namespace, self._maps.map)
        self._arrived: list[_Arrived] = []
        for piece in pieces:
            try:
                values = unpack(piece, self._arrival)
            except Exception as error:
                why = f"it could not be rebuilt there ({type(error).__name__}: {words_of(error)})"
                self.refused |= dict.fromkeys(piece.names, why)
            else:
                namespace |= values
                if any(type(value) not in IMMUTABLE for value in values.values()):
                    self._arrived.append(_Arrived(piece, values, take(values.values())))
        self._classes = dict(self._arrival.classes)
        self._class_digests = {key: self._class_digest(made) for key, made in self._classes.items()}
        self._before = dict(namespace)

    def changes(self) -> Changes:
        """What the code has done to it since."""
        before, after = self._before, self.namespace.copy()
        written = {
            name: value
            for name, value in after.items()
            if type(name) is str and before.get(name, _MISSING) is not value and name not in _PYTHONS
        }
        deleted = {
            name for name in before if type(name) is str and name not in after and name not in _PYTHONS
        }
        spoilt = []
        known = self._unchanged_classes()
        for one in self._arrived:
            if self._is_changed(one, known):
                if not one.piece.regions or len(one.piece.regions) < len(one.piece.buffers):
                    spoilt.append(one.piece.digest)
                written |= {name: value for name, value in one.values.items() if after.get(name) is value}
        overwritten = {name for name in {*written, *deleted} if is_engine_name(name)}
        results = {name: value for name, value in written.items() if name not in overwritten}
        return Changes(results, frozenset(deleted - overwritten), frozenset(overwritten), tuple(spoilt))

    def pack_results(
        self, results: Names, by_products: Set[str] = frozenset(), limit: int = 0
    ) -> tuple[Piece, dict[str, str]]:
        """Pack what goes back; return it, and why which of the `by_products` stay.

        Raises `ResultError` if something else cannot be packed, or if it has more than `limit` bytes.
        """
        known, stayed = self._unchanged_classes(), {}
        try:
            draft = Draft(self.namespace, known).add(results)
        except Exception as error:
            problems = self._problems(results, known)
            stayed = {name: words_of(problems[name]) for name in problems if name in by_products}
            results = {name: value for name, value in results.items() if name not in stayed}
            if not stayed or len(stayed) < len(problems):
                raise ResultError(_complaint(results, problems, error)) from None
            draft = Draft(self.namespace, known).add(results)
        if limit and draft.size > limit:
            raise ResultError(self._too_large(results, known, draft.size, limit))
        return draft.piece(self._maps.share), stayed

    def pack_error(self, error: BaseException) -> Piece | None:
        """Pack an exception; `None` if it cannot be."""
        try:
            return pack({VALUE: error}, self.namespace, self._classes).piece
        except Exception:
            return None

    def _is_changed(self, one: _Arrived, known: Mapping[int, type]) -> bool:
        """Whether the values are not what they were when they came."""
        if one.snapshot is not None:
            return not one.snapshot.holds()
        now = self._digest(one.values, {})
        if now == one.piece.digest:
            return False
        if digest_of(one.piece) != one.piece.digest:
            return True  # the memory of its arrays
        # What came may be pickled otherwise here than there (the order of a set).
        try:
            values = unpack(one.piece, self._arrival)
        except Exception:  # as without memory for it
            # Rather something unchanged goes back than a change is lost.
            return now is not None
        return self._digest(values, self._classes) != self._digest(one.values, known)

    def _digest(self, values: Names, known: Mapping[int, type]) -> str | None:
        try:
            return Draft(self.namespace, known).add(values).digest(self._maps.digest_of)
        except Exception:
            return None  # it came, but it does not go

    def _unchanged_classes(self) -> dict[int, type]:
        """The classes that came and are as they were: the kernel has them."""
        return {
            key: made
            for key, made in self._classes.items()
            if self._class_digest(made) == self._class_digests[key]
        }

    def _class_digest(self, made: type) -> str | None:
        others = {key: one for key, one in self._classes.items() if one is not made}
        try:
            return pack({VALUE: made}, self.namespace, others).piece.digest
        except Exception:
            return None

    def _problems(self, results: Names, known: Mapping[int, type]) -> dict[str, Exception]:
        """What pickling each of `results` raises, if it does."""
        found: dict[str, Exception] = {}
        for name, value in results.items():
            try:
                pack({name: value}, self.namespace, known)
            except Exception as problem:
                found[name] = problem
        return found

    def _too_large(self, results: Names, known: Mapping[int, type], size: int, limit: int) -> str:
        sizes = {
            name: pack({name: value}, self.namespace, known).piece.size for name, value in results.items()
        }
        name = max(sizes, key=lambda one: sizes[one])
        return (
            f"the results have {size / _MIB:.0f} MiB, of which {_called(name)} has {sizes[name] / _MIB:.0f}; "
            f"NamespaceKernel.isolated_result_limit allows {limit / _MIB:.0f}. Nothing was merged. Reduce "
            "them in the cell, write them to a file, or raise the limit"
        )


def _complaint(results: Names, problems: Mapping[str, Exception], error: Exception) -> str:
    found = [
        f"{_called(name)}, {_a_kind(results[name])} ({words_of(problem)})"
        for name, problem in problems.items()
        if name in results
    ]
    what = "; ".join(found) or f"what the cell made ({words_of(error)})"
    return (
        f"this cannot be copied back: {what}. Nothing was merged. Let the cell end with values that can "
        "be pickled (a list instead of a generator, data instead of a connection), or delete the others"
    )


def _called(name: str) -> str:
    return f"`{name}`" if name else "the cell's last value (a semicolon behind it keeps it there)"


def _a_kind(value: object) -> str:
    kind = "function" if isinstance(value, FunctionType) else type(value).__name__
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"
