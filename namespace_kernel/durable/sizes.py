"""About how many bytes a value takes, without running code of the user's."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from namespace_kernel.base.safe_facts import class_name

#: Elements of a container that stand for all of it, and containers within one another that are looked into.
_SAMPLE, _DEPTH = 50, 3

_PLAIN: dict[type, Any] = {cls: cls.__sizeof__ for cls in (bytes, bytearray, str, int, float, complex)}
_CONTAINERS: dict[type, Any] = {cls: cls.__sizeof__ for cls in (list, tuple, set, frozenset, dict)}


def largest(names: Mapping[str, object], count: int) -> list[tuple[str, int]]:
    """The `count` largest values by their names, the largest first; those of unknown size are left out.

    Thread: any; a value that changes meanwhile may be left out.
    """
    sizes = [(name, size_of(value)) for name, value in names.items()]
    return sorted((one for one in sizes if one[1]), key=lambda one: -one[1])[:count]


def size_of(value: object, depth: int = _DEPTH) -> int:
    """Bytes of `value`, estimated from a sample for containers; 0 if nobody can say."""
    try:
        return _size(value, depth)
    except Exception:  # it changes at this moment, or is not what its class's name says
        return 0


def _size(value: Any, depth: int) -> int:
    cls = type(value)
    if cls in _PLAIN:
        return int(_PLAIN[cls](value))
    if cls in _CONTAINERS:
        return _container_size(value, cls, depth)
    measure = _MEASURES.get((_module_of(cls), class_name(cls)))
    return 0 if measure is None or not _is_the_library_s(cls) else int(measure(value))


def _container_size(value: Any, cls: type, depth: int) -> int:
    size = int(_CONTAINERS[cls](value))
    if depth and value:
        parts: Iterable[object] = value
        if cls is dict:
            parts = (part for item in islice(value.items(), _SAMPLE) for part in item)
        sample = list(islice(parts, 2 * _SAMPLE))
        one = sum(size_of(part, depth - 1) for part in sample) / len(sample)
        size += int(one * len(value) * (2 if cls is dict else 1))
    return size


def _module_of(cls: type) -> str:
    module = type.__dict__["__module__"].__get__(cls)
    return module.partition(".")[0] if type(module) is str else ""


def _is_the_library_s(cls: type) -> bool:
    """Whether `cls` is what the library calls by that name, and not just called alike."""
    return vars(sys.modules[_module_of(cls)]).get(class_name(cls)) is cls


_MEASURES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): lambda value: value.nbytes,
    ("pandas", "DataFrame"): lambda value: value.memory_usage(index=False).sum(),
    ("pandas", "Series"): lambda value: value.nbytes,
    ("torch", "Tensor"): lambda value: value.nbytes,
    ("polars", "DataFrame"): lambda value: value.estimated_size(),
    ("pyarrow", "Table"): lambda value: value.nbytes,
}
