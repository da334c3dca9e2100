"""What IPython keeps of each cell's output, for `%notebook`, in a fraction of the memory.

IPython keeps the text of each result and error as long as the kernel lives, a kilobyte for each `1/0`. Here
that of all but the last cells is compressed, many cells at a time, and unpacked when it is read.
"""

from __future__ import annotations

import marshal
import sys
import threading
import zlib
from array import array
from collections.abc import Callable, Iterator, MutableMapping
from itertools import chain
from typing import Any, Generic, TypeVar

V = TypeVar("V")

#: So many cells are compressed at a time, and at least as many are kept as they are.
_CHUNK = 64
_CHANGEABLE = (list, dict)
#: The dict's, the variable's and the argument's.
_OWN_REFERENCES = 3


class _Chunk:
    """The values of several keys, compressed together."""

    __slots__ = ("_data", "keys")

    def __init__(self, plain: dict[int, bytes]) -> None:
        self.keys = array("q", sorted(plain))
        self._data = zlib.compress(marshal.dumps(plain), 1)

    def __contains__(self, key: object) -> bool:
        return self.keys[0] <= key <= self.keys[-1] and key in self.keys  # type: ignore[operator]

    def unpack(self) -> dict[int, Any]:
        plain: dict[int, bytes] = marshal.loads(zlib.decompress(self._data))
        return {key: marshal.loads(data) for key, data in plain.items()}


class PackedRecords(MutableMapping[int, V], Generic[V]):
    """A dict of numbered records, whose older ones are compressed.

    `to_plain` makes of a value something that consists of Python's basic types, and `from_plain` the value
    again; what holds other types is kept as it is. With `default` it is a `defaultdict`.

    Guarantees: keys are in ascending order. A list or dict that was read can be changed while one has it.

    Thread: any.
    """

    def __init__(
        self,
        to_plain: Callable[[V], Any] = lambda value: value,
        from_plain: Callable[[Any], V] = lambda plain: plain,
        default: Callable[[], V] | None = None,
    ) -> None:
        self._to_plain = to_plain
        self._from_plain = from_plain
        self._default = default
        self._lock = threading.RLock()
        #: What is not compressed: not yet, again, or because it can't be.
        self._values: dict[int, V] = {}
        #: The keys of what may be compressed, the oldest first.
        self._waiting: dict[int, None] = {}
        self._chunks: list[_Chunk] = []
        #: The highest key in them: a new record is looked for in none.
        self._highest = -1

    def __getitem__(self, key: int) -> V:
        with self._lock:
            self._unpack(key)
            if key not in self._values and self._default is not None:
                self[key] = self._default()
            return self._values[key]

    def __setitem__(self, key: int, value: V) -> None:
        with self._lock:
            self._unpack(key)
            self._values[key] = value
            self._waiting.pop(key, None)
            self._waiting[key] = None
            if len(self._waiting) >= 2 * _CHUNK:
                self._pack()

    def __delitem__(self, key: int) -> None:
        with self._lock:
            self._unpack(key)
            del self._values[key]
            self._waiting.pop(key, None)

    def get(self, key: int, default: Any = None) -> Any:
        """Overridden: it adds nothing."""
        with self._lock:
            if key in self:
                return self[key]
            return default

    def pop(self, key: int, *default: Any) -> Any:
        """Overridden likewise."""
        with self._lock:
            if default and key not in self:
                return default[0]
            self._unpack(key)
            self._waiting.pop(key, None)
            return self._values.pop(key)

    def __contains__(self, key: object) -> bool:
        with self._lock:
            return key in self._values or self._chunk_of(key) is not None

    def __iter__(self) -> Iterator[int]:
        with self._lock:
            return iter(sorted(chain(self._values, *(chunk.keys for chunk in self._chunks))))

    def __len__(self) -> int:
        with self._lock:
            return len(self._values) + sum(len(chunk.keys) for chunk in self._chunks)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._values.clear()
            self._waiting.clear()
            self._chunks.clear()

    def _chunk_of(self, key: Any) -> _Chunk | None:
        if not isinstance(key, int) or key > self._highest:
            return None
        return next((chunk for chunk in self._chunks if key in chunk), None)

    def _unpack(self, key: int) -> None:
        """See that `key` is not in a chunk."""
        chunk = self._chunk_of(key)
        if chunk is not None:
            self._chunks.remove(chunk)
            for one, plain in chunk.unpack().items():
                self._values[one] = self._from_plain(plain)
                self._waiting[one] = None

    def _pack(self) -> None:
        plain = {}
        for key in list(self._waiting)[:_CHUNK]:
            del self._waiting[key]
            value: Any = self._values[key]
            if type(value) in _CHANGEABLE and sys.getrefcount(value) > _OWN_REFERENCES:
                self._waiting[key] = None  # somebody has it, and is perhaps about to change it
                continue
            try:
                plain[key] = marshal.dumps(self._to_plain(value))
            except Exception:  # of another type: it stays as it is
                continue
        for key in plain:
            del self._values[key]
        if plain:
            self._chunks.append(_Chunk(plain))
            self._highest = max(self._highest, *plain)
