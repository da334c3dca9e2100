"""Pieces: pickled values, with a digest of their content."""

from __future__ import annotations

import gc
import importlib
import io
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pickle import PickleBuffer
from types import CodeType
from typing import TYPE_CHECKING, Any, SupportsIndex

from namespace_kernel.base.errors import MissingPackageError

if TYPE_CHECKING:
    from namespace_kernel.base.cell import Names, Namespace

    from .pickler import Arrival

#: Bytes from which a buffer travels out of band.
_OUT_OF_BAND = 4096

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Piece:
    """Values by name, pickled together. `buffers` belong to the values themselves until they have been sent.

    Pieces with the same `digest` hold the same. Pickling a piece with protocol 5 copies nothing.
    """

    names: tuple[str, ...]
    digest: str
    stream: Buffer
    buffers: tuple[Buffer, ...] = ()

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return len(self.stream) + sum(map(len, self.buffers))

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[object, ...]:
        if protocol.__index__() < 5:  # Dask's workers among each other
            return _piece, (self.names, self.digest, bytes(self.stream), tuple(map(bytes, self.buffers)))
        buffers = tuple(PickleBuffer(one) for one in self.buffers)
        return _piece, (self.names, self.digest, PickleBuffer(self.stream), buffers)


def _piece(names: tuple[str, ...], digest: str, stream: Buffer, buffers: tuple[Buffer, ...]) -> Piece:
    return Piece(names, digest, stream, tuple(memoryview(one) for one in buffers))


@dataclass(frozen=True, slots=True)
class Packed:
    """A piece, and what was found on the way.

    `reads` are the globals that the functions in it read, `codes` their code, `files` the files of that.
    `memo` is the pickler's: the objects in it by id.
    """

    piece: Piece
    reads: frozenset[str]
    files: frozenset[str]
    codes: tuple[CodeType, ...]
    memo: Any


def pack(
    values: Names,
    home: Names,
    known: Mapping[int, type] | None = None,
) -> Packed:
    """Pickle `values`. Functions whose globals are `home` will have the globals of where they arrive.

    Classes from the namespace go by value, those in `known` (by id) by reference to the other side's. Raises
    what pickling raises, which may be anything, and `MissingPackageError` without cloudpickle.

    Thread: any.
    """
    pickler_module = load("cloudpickle", f"{__package__}.pickler")
    file = io.BytesIO()
    buffers: list[memoryview] = []

    def keep_buffer(buffer: PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _OUT_OF_BAND:
            return True
        buffers.append(raw)
        return False

    pickler = pickler_module.NamespacePickler(file, home, keep_buffer, known or {})
    pickler.dump(dict(values))
    # Not `getbuffer`: the file would be garbage with its buffer still in use, of which Python 3.13 complains.
    stream = memoryview(file.getvalue())
    piece = Piece(tuple(values), _digest(stream, buffers), stream, tuple(buffers))
    return Packed(
        piece, frozenset(pickler.reads), frozenset(pickler.files), tuple(pickler.codes), pickler.memo
    )


def new_arrival(namespace: Namespace) -> Arrival:
    """What `unpack` needs: the functions that arrive get `namespace` as globals."""
    arrival: Arrival = load("cloudpickle", f"{__package__}.pickler").Arrival(namespace)
    return arrival


def unpack(piece: Piece, arrival: Arrival) -> Namespace:
    """The values of `piece`, by name. Arrays use the memory of its buffers.

    Raises what unpickling raises, which may be anything.
    """
    collects = gc.isenabled()
    gc.disable()  # there is no garbage among what is new; looking for it takes several times as long
    try:
        with load("cloudpickle", f"{__package__}.pickler").arriving(arrival):
            values: Namespace = pickle.loads(piece.stream, buffers=piece.buffers)
    finally:
        if collects:
            gc.enable()
    return values


def digest_of(piece: Piece) -> str:
    """The digest of what `piece` holds now: its buffers may have been changed since."""
    return _digest(piece.stream, piece.buffers)


def load(package: str, module: str) -> Any:
    """Import `module`, which needs `package`. Raises `MissingPackageError` if that is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingPackageError(package, "isolated") from None


def _digest(stream: Buffer, buffers: Iterable[Buffer]) -> str:
    digest = load("xxhash", "xxhash").xxh3_128(stream)
    for buffer in buffers:
        digest.update(len(buffer).to_bytes(8, "big"))
        digest.update(buffer)
    text: str = digest.hexdigest()
    return text
