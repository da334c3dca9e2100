"""Pieces: pickled values, with a digest of their content."""

from __future__ import annotations

import gc
import importlib
import io
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from mmap import mmap
from pickle import PickleBuffer
from types import CodeType
from typing import TYPE_CHECKING, Any, SupportsIndex

from namespace_kernel.base.errors import MissingPackageError
from namespace_kernel.remote.memory.blocks import content_digest
from namespace_kernel.remote.memory.regions import Region

if TYPE_CHECKING:
    from namespace_kernel.base.cell import Names, Namespace

    from .pickler import Arrival, NamespacePickler

#: Bytes from which a buffer travels out of band.
_OUT_OF_BAND = 4096

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Piece:
    """Values by name, pickled one after the other with one memo.

    `buffers` belong to the values themselves until they have been sent, those in regions to nobody.
    Pieces with the same `digest` hold the same. Pickling a piece with protocol 5 copies nothing.
    """

    names: tuple[str, ...]
    digest: str
    stream: Buffer
    buffers: tuple[Buffer | Region, ...] = ()

    @property
    def regions(self) -> tuple[Region, ...]:
        """Those of its buffers that are shared memory."""
        return tuple(one for one in self.buffers if isinstance(one, Region))

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return len(self.stream) + sum(map(len, self.buffers))

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[object, ...]:
        if protocol.__index__() < 5:  # Dask's workers among each other
            own = tuple(one if isinstance(one, Region) else bytes(one) for one in self.buffers)
            return _piece, (self.names, self.digest, own, bytes(self.stream))
        buffers = tuple(one if isinstance(one, Region) else PickleBuffer(one) for one in self.buffers)
        # The large ones first: what Dask receives after another buffer is copied once more, in one go.
        return _piece, (self.names, self.digest, buffers, PickleBuffer(self.stream))


def _piece(
    names: tuple[str, ...], digest: str, buffers: tuple[Buffer | Region, ...], stream: Buffer
) -> Piece:
    own = tuple(one if isinstance(one, Region) else memoryview(one) for one in buffers)
    return Piece(names, digest, stream, own)


@dataclass(frozen=True, slots=True)
class Packed:
    """A piece, and what was found on the way.

    `reads` are the globals that the functions in it read, `codes` their code, `files` the files of that.
    `lost` says what values come back without.
    """

    piece: Piece
    reads: frozenset[str]
    files: frozenset[str]
    codes: tuple[CodeType, ...]
    lost: frozenset[str] = frozenset()


class Draft:
    """A piece that is being made: a pickle for each name, one after the other, with one memo.

    So what two names share is in it once. Functions whose globals are `home` will have the globals of where
    they arrive. Classes from the namespace go by value, those in `known` (by id) by reference to the other
    side's. With `exactly`, what would come back as something else cannot be pickled, and arrays that share
    memory keep sharing it. Raises `MissingPackageError` without cloudpickle.

    Thread: any, one at a time.
    """

    def __init__(
        self, home: Names, known: Mapping[int, type] | None = None, *, exactly: bool = False
    ) -> None:
        self.names: tuple[str, ...] = ()
        self._file = io.BytesIO()
        self._buffers: list[memoryview] = []
        pickler = load("cloudpickle", f"{__package__}.pickler").NamespacePickler
        # No method of ours: the pickler would refer to us, and what it has seen would wait for the collector.
        keep = partial(_keep_buffer, self._buffers)
        self._pickler: NamespacePickler = pickler(self._file, home, keep, known or {}, exactly)
        self._exactly = exactly

    def add(self, values: Names) -> Draft:
        """Pickle `values`. Raises what that raises, which may be anything; then the draft is spoilt."""
        for name, value in values.items():
            try:
                self._pickler.dump(value)
            except (KeyboardInterrupt, SystemExit, GeneratorExit) as error:
                if not self._exactly:
                    raise
                # Nobody has stopped anything: the value's own code has raised it.
                raise pickle.PicklingError(f"pickling it raises {type(error).__name__}") from error
            self.names += (name,)
        return self

    @property
    def size(self) -> int:
        """How many bytes it has up to now."""
        return self._file.tell() + sum(map(len, self._buffers))

    @property
    def reads(self) -> set[str]:
        """The globals that the functions in it read."""
        return self._pickler.reads

    @property
    def files(self) -> set[str]:
        """The files of the functions' code."""
        return self._pickler.files

    @property
    def lost(self) -> set[str]:
        """What values in it come back without, in words."""
        return self._pickler.lost

    @property
    def codes(self) -> list[CodeType]:
        """The code of the functions in it."""
        return self._pickler.codes

    def objects(self) -> dict[int, object]:
        """The objects in it, by id, that could occur in it twice."""
        return {number: thing for number, (_, thing) in self._pickler.memo.copy().items()}

    def digest(self, digest_of: Callable[[memoryview], bytes]) -> str:
        """The digest of what it holds now. `digest_of` tells that of a buffer."""
        return _digest(self.names, self._file.getvalue(), map(digest_of, self._buffers))

    def piece(self, share: Callable[[memoryview], Buffer | Region] = lambda raw: raw) -> Piece:
        """What it has become. `share` tells what travels for a buffer."""
        # Not `getbuffer`: the file would be garbage with its buffer in use, of which Python 3.13 complains.
        stream = memoryview(self._file.getvalue())
        buffers = tuple(map(share, self._buffers))
        return Piece(self.names, _digest(self.names, stream, map(_buffer_digest, buffers)), stream, buffers)


def _keep_buffer(buffers: list[memoryview], buffer: PickleBuffer) -> bool:
    raw = buffer.raw()
    if raw.nbytes < _OUT_OF_BAND:
        return True
    buffers.append(raw)
    return False


def pack(
    values: Names,
    home: Names,
    known: Mapping[int, type] | None = None,
    *,
    exactly: bool = False,
) -> Packed:
    """Pickle `values`, see `Draft`. Raises what pickling raises, which may be anything.

    Thread: any.
    """
    draft = Draft(home, known, exactly=exactly).add(values)
    reads, files, lost = frozenset(draft.reads), frozenset(draft.files), frozenset(draft.lost)
    return Packed(draft.piece(), reads, files, tuple(draft.codes), lost)


def new_arrival(namespace: Namespace, map_region: Callable[[Region], mmap] = Region.map) -> Arrival:
    """What `unpack` needs: the functions that arrive get `namespace` as globals.

    `map_region` gives the memory for what comes in a region.
    """
    arrival: Arrival = load("cloudpickle", f"{__package__}.pickler").Arrival(namespace, map_region)
    return arrival


def unpack(piece: Piece, arrival: Arrival) -> Namespace:
    """The values of `piece`, by name. Arrays use the memory of its buffers.

    Raises what unpickling raises, which may be anything.
    """
    collects = gc.isenabled()
    gc.disable()  # there is no garbage among what is new; looking for it takes several times as long
    try:
        with load("cloudpickle", f"{__package__}.pickler").arriving(arrival):
            buffers = (arrival.map(one) if isinstance(one, Region) else one for one in piece.buffers)
            if len(piece.names) == 1:
                return {piece.names[0]: pickle.loads(piece.stream, buffers=buffers)}
            unpickler = pickle.Unpickler(io.BytesIO(piece.stream), buffers=buffers)
            return {name: unpickler.load() for name in piece.names}
    finally:
        if collects:
            gc.enable()


def goes_by_reference(definition: object) -> bool:
    """Whether a function or class that is not the namespace's own is found by its name on the other side."""
    answer: bool = load("cloudpickle", f"{__package__}.pickler").goes_by_reference(definition)
    return answer


def digest_of(piece: Piece) -> str:
    """The digest of what `piece` holds now: its buffers may have been changed since."""
    return _digest(piece.names, piece.stream, map(_buffer_digest, piece.buffers))


def _buffer_digest(buffer: Buffer | Region) -> bytes:
    """The digest of what `buffer` holds now; a region always holds the same."""
    return buffer.digest if isinstance(buffer, Region) else content_digest(buffer)


def load(package: str, module: str) -> Any:
    """Import `module`, which needs `package`. Raises `MissingPackageError` if that is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingPackageError(package, "isolated") from None


def _digest(names: Iterable[str], stream: Buffer, buffers: Iterable[bytes]) -> str:
    digest = load("xxhash", "xxhash").xxh3_128("\0".join(names).encode("utf-8", "surrogatepass"))
    digest.update(content_digest(stream))
    for one in buffers:
        digest.update(one)
    text: str = digest.hexdigest()
    return text
