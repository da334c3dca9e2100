"""What IPython keeps of each cell's output, for `%notebook`, in a fraction of the memory.

IPython keeps the text of each result and error as long as the kernel lives, a kilobyte for each `1/0`. Here
that of all but the last cells is compressed, many cells at a time, and unpacked when it is read.
"""

from __future__ import annotations

import marshal
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Generic, TypeVar

V = TypeVar("V")

#: So many cells are compressed at a time, and at least as many are kept as they are.
_CHUNK = 64
_CHANGEABLE = (list, dict)
#: The dict's, the variable's and the argument's.
_OWN_REFERENCES = 3


class _Chunk:
    """Stands for the value of several keys, which are compressed together."""

    __slots__ = ("_data",)

    def __init__(self, plain: dict[int, bytes]) -> None:
        self._data = zlib.compress(marshal.dumps(plain), 1)

    def unpack(self) -> dict[int, Any]:
        plain: dict[int, bytes] = marshal.loads(zlib.decompress(self._data))
        return {key: marshal.loads(data) for key, data in plain.items()}


class PackedRecords(MutableMapping[int, V], Generic[V]):
    """A dict whose older values are compressed.

    `to_plain` makes of a value something that consists of Python's basic types, and `from_plain` the value
    again; what holds other types is kept as it is. With `default` it is a `defaultdict`.

    Guarantees: keys keep their order. A list or dict that was read can be changed as long as one has it.

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
        self._values: dict[int, V | _Chunk] = {}
        #: The keys of what is not compressed yet, the oldest first.
        self._waiting: dict[int, None] = {}

    def __getitem__(self, key: int) -> V:
        with self._lock:
            if key not in self._values and self._default is not None:
                self[key] = self._default()
            value = self._values[key]
            if isinstance(value, _Chunk):
                for one, plain in value.unpack().items():
                    if self._values.get(one) is value:
                        self[one] = self._from_plain(plain)
                return self[key]
            return value

    def __setitem__(self, key: int, value: V) -> None:
        with self._lock:
            self._values[key] = value
            self._waiting.pop(key, None)
            self._waiting[key] = None
            if len(self._waiting) >= 2 * _CHUNK:
                self._pack()

    def __delitem__(self, key: int) -> None:
        with self._lock:
            del self._values[key]
            self._waiting.pop(key, None)

    def get(self, key: int, default: Any = None) -> Any:
        """Overridden: it adds nothing."""
        if key in self:
            return self[key]
        return default

    def pop(self, key: int, *default: Any) -> Any:
        """Overridden likewise."""
        with self._lock:
            value = self[key] if key in self or not default else default[0]
            self._values.pop(key, None)
            self._waiting.pop(key, None)
            return value

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[int]:
        with self._lock:
            return iter(list(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._values.clear()
            self._waiting.clear()

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
        self._values.update(dict.fromkeys(plain, _Chunk(plain)))
