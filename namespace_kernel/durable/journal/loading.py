"""Brings names back from disk: checks what is there, tells of other versions, unpickles."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from namespace_kernel.base.cell import Namespace
from namespace_kernel.base.errors import JournalError
from namespace_kernel.base.safe_facts import class_name
from namespace_kernel.base.words import words_of
from namespace_kernel.remote.transfer.packing import Piece, new_arrival, unpack

from .checks import Unchecked
from .disk.blobs import digest_of
from .disk.steps import Stored
from .disk.store import Store
from .records import Kept, Lost, Maker
from .taking.capture import PYTHON, version_of

#: So many bytes are looked through before the values are there: a fraction of a second.
_AT_ONCE = 1 << 30


@dataclass(slots=True)
class Loaded:
    """The values that are back, the names that are not, and files that are mapped and not looked through."""

    values: dict[str, Any] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)


class Loading:
    """The names `kept`, from `store` into `namespace`: what functions that come back see.

    Thread: the cell's; unpickling runs code of the user's.
    """

    def __init__(self, store: Store, kept: Iterable[Kept], namespace: Namespace) -> None:
        """Raises nothing of what is on disk."""
        self._store = store
        self._namespace = namespace
        self._names: dict[str, list[Kept]] = {}
        for one in kept:
            self._names.setdefault(one.piece, []).append(one)
        self._heads: dict[str, tuple[int, Mapping[str, str]]] = {}
        self._checked = 0
        self.result = Loaded()
        for digest, names in self._names.items():
            try:
                head = store.head(digest)
                if head is None:
                    raise JournalError("it is not on disk any more")
                self._heads[digest] = head
            except Exception as error:
                self._lose(names, error)

    def _read(self, digest: str) -> Stored:
        try:
            piece = self._store.piece(digest)
        except JournalError:
            raise
        except Exception as error:
            raise JournalError(_damaged(error)) from None
        if piece is None or digest_of(piece.stream) != piece.stream_digest:
            raise JournalError("it is damaged on disk")
        return piece

    def remarks(self) -> tuple[str, ...]:
        """What is of another version than when it was kept, in words."""
        found: dict[str, set[str]] = {}
        for _, needs in self._heads.values():
            for package, version in needs.items():
                found.setdefault(package, set()).add(version)
        lines = []
        for package, versions in sorted(found.items()):
            now = PYTHON if package == "python" else _installed(package)
            others = sorted(versions - {now})
            if others:
                name = "Python" if package == "python" else package
                lines.append(f"{name} was {', '.join(others)} and is {now or 'not installed'}")
        return tuple(lines)

    def load(self) -> Loaded:
        """Unpickle, one piece after the other: only one's stream is in memory at a time.

        The newest pieces come first: of a class that is in several, theirs is the newest.
        """
        arrival = new_arrival(self._namespace)
        for digest, (_, needs) in sorted(self._heads.items(), key=lambda item: -item[1][0]):
            names = self._names[digest]
            try:
                code = needs.get("python", PYTHON)
                if code != PYTHON:
                    raise JournalError(f"it holds code of Python {code}, and this is {PYTHON}")
                piece = self._read(digest)
                buffers = tuple(self._buffers(piece, tuple(names)))
                values = unpack(Piece(("",), digest, piece.stream, buffers), arrival)[""]
                self.result.values |= {one.name: values[one.name] for one in names}
            except JournalError as error:
                self._lose(names, error)
            except Exception as error:
                self._lose(names, JournalError(f"it cannot be loaded ({_words(error)})"))
        return self.result

    def _buffers(self, piece: Stored, names: tuple[Kept, ...]) -> Iterator[memoryview]:
        for digest, size in piece.buffers:
            buffer = self._store.blobs.read(digest, size)
            self._checked += size
            if self._checked > _AT_ONCE:
                self.result.unchecked.append(Unchecked(digest, size, names))
            elif digest_of(buffer) != digest:
                raise JournalError("its file on disk is damaged")
            yield buffer

    def _lose(self, names: list[Kept], error: Exception) -> None:
        reason = words_of(error) if isinstance(error, JournalError) else _damaged(error)
        self.result.lost += [Lost(one.name, one.type, reason, one.maker) for one in names]


def _damaged(error: Exception) -> str:
    return f"it is damaged on disk ({_words(error)})"


def _words(error: Exception) -> str:
    return f"{class_name(type(error))}: {words_of(error)}"


def _installed(package: str) -> str:
    try:
        return version_of(package) or importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def recipe_for(lost: Iterable[Lost], all_lost: Iterable[Lost]) -> tuple[Maker, ...]:
    """The cells that make `lost`, in order, and before them those that make what these cells read."""
    makers = {one.name: one.maker for one in all_lost if one.maker.serial}
    found: dict[int, Maker] = {}
    waiting = [one.maker for one in lost if one.maker.serial]
    while waiting:
        maker = waiting.pop()
        if maker.serial not in found:
            found[maker.serial] = maker
            waiting += [makers[name] for name in maker.reads if name in makers]
    return tuple(found[serial] for serial in sorted(found))
