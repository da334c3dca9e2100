"""Takes what names hold: pickled in slices, so that it can be given up at any moment, with digests.

Pickling runs code of the user's and of libraries. It happens on a thread of its own, and only while no cell
runs: what is taken is the state between two cells.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pickle import PickleBuffer
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import xxhash

from namespace_kernel.base.cell import Names
from namespace_kernel.durable.journal.disk.blobs import Buffer, digest_of
from namespace_kernel.remote.transfer.parcel import is_immutable
from namespace_kernel.remote.transfer.pickler import NamespacePickler

#: Buffers from this size on have a file of their own.
_OWN_FILE = 1 << 16
#: Modules whose version does not matter: Python's own say it by Python's.
_UNVERSIONED = sys.stdlib_module_names | {"__main__", "cloudpickle", "namespace_kernel"}
_module_of: Callable[[type], object] = type.__dict__["__module__"].__get__
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"

Check = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Taken:
    """What names held at one moment. `buffers` are those of the values themselves, by digest.

    `reads` are the globals that functions in it read, `needs` versions by package, `ids` those of the mutable
    objects in it, `without` says what the values come back without.
    """

    names: tuple[str, ...]
    digest: str
    stream_digest: str
    stream: bytes
    buffers: tuple[tuple[str, Buffer], ...]
    reads: frozenset[str]
    needs: Mapping[str, str]
    ids: Iterable[int]
    without: str = ""

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return len(self.stream) + sum(len(buffer) for _, buffer in self.buffers)


class _Sink:
    """What a pickler writes to, 64 KiB at a time. `check` may raise."""

    def __init__(self, check: Check) -> None:
        self.parts: list[bytes] = []
        self._check = check

    def write(self, data: Buffer) -> int:
        """See `io.BytesIO`."""
        self._check()
        self.parts.append(data if type(data) is bytes else bytes(data))
        return len(data)


class JournalPickler(NamespacePickler):
    """Also notes of which packages the classes and functions are."""

    def __init__(
        self, sink: Any, home: Names, keep_buffer: Callable[[PickleBuffer], bool], check: Check
    ) -> None:
        super().__init__(sink, home, keep_buffer, {}, exactly=True)
        self.modules: set[str] = set()
        self.has_code = False
        self._check = check

    def reducer_override(self, obj: Any) -> object:
        """Overridden to note what the value needs, and to be given up in the midst of it."""
        self._check()
        kind = type(obj)
        if kind is CodeType:
            self.has_code = True
        elif kind is ModuleType:
            self.modules.add(obj.__name__)
        elif kind is FunctionType or kind is BuiltinFunctionType:
            self._note(obj.__module__)
        elif issubclass(kind, type):
            self._note(_module_of(obj))
        return super().reducer_override(obj)

    def _note(self, module: object) -> None:
        if isinstance(module, str):
            self.modules.add(module)


def take(values: Names, home: Names, check: Check, ids: bool = True) -> Taken:
    """Take `values`, which belong together. Raises what pickling raises, which may be anything.

    Thread: the journal's.
    """
    sink = _Sink(check)
    raw: list[memoryview] = []

    def keep_buffer(buffer: PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < _OWN_FILE:
            return True
        raw.append(view)
        return False

    pickler = JournalPickler(sink, home, keep_buffer, check)
    pickler.dump(dict(values))
    stream = sink.parts[0] if len(sink.parts) == 1 else b"".join(sink.parts)
    stream_digest = digest_of(stream, check)
    buffers = tuple((digest_of(view, check), view) for view in raw)
    whole = xxhash.xxh3_128(stream_digest.encode())
    for digest, _ in buffers:
        whole.update(digest.encode())
    return Taken(
        tuple(values),
        whole.hexdigest(),
        stream_digest,
        stream,
        buffers,
        frozenset(pickler.reads),
        _versions(pickler.modules, pickler.has_code),
        mutable_ids(pickler, home) if ids else (),
        ", ".join(sorted(pickler.lost)),
    )


def _versions(modules: Iterable[str], has_code: bool) -> dict[str, str]:
    found = {"python": PYTHON} if has_code else {}
    for root in {module.partition(".")[0] for module in modules} - _UNVERSIONED:
        version = version_of(root)
        if version:
            found[root] = version
    return found


def version_of(package: str) -> str:
    """The version of a package that is imported, as it says itself; "" if it does not."""
    module = sys.modules.get(package)
    version = vars(module).get("__version__") if type(module) is ModuleType else None
    return version if type(version) is str else ""


def mutable_ids(pickler: JournalPickler, home: Names) -> Iterable[int]:
    """The ids of the mutable objects that were pickled, without those that were made for it."""
    known: dict[type, bool] = {}
    found = array("Q")
    for number, entry in pickler.memo.copy().items():
        thing = entry[1]
        kind = type(thing)
        immutable = known.get(kind)
        if immutable is None:
            immutable = is_immutable(thing, home)
            if kind is not FunctionType:
                known[kind] = immutable
        if not immutable and sys.getrefcount(thing) > _BARE:
            found.append(number)
    return frozenset(found) if len(found) < 1000 else found


def _references_of_a_temporary() -> int:
    """What `mutable_ids` counts for an object that nobody else has."""
    memo = {0: (0, [None])}
    copied = {number: (entry[0], entry[1]) for number, entry in memo.items()}
    for _, entry in copied.items():
        thing = entry[1]
        return sys.getrefcount(thing)
    return 0


_BARE = _references_of_a_temporary()


def share(first: Names, second: Names, home: Names, check: Check) -> bool:
    """Whether `first` and `second` share a mutable object.

    Both are pickled at the same time: an object that was made for the one has no id that the other has.
    """
    picklers = []
    for values in (first, second):
        pickler = JournalPickler(_Nowhere(), home, lambda buffer: False, check)
        pickler.dump(dict(values))
        picklers.append(pickler)
    one, other = (mutable_ids(pickler, home) for pickler in picklers)
    return not frozenset(one).isdisjoint(other)


class _Nowhere:
    def write(self, data: Buffer) -> int:
        """Drop it."""
        return len(data)
