"""Arrays of numpy that share their memory keep sharing it.

An array is pickled with the memory that it shows. Of an array and a view of it that makes two. Here a view is
pickled as a view, with the array that owns the memory, if anybody else could see that array.

pandas shares memory, too, but only until one of those who share it is written to. It notes who shares with
whom, and that note is not pickled. So what pandas holds goes apart.
"""

from __future__ import annotations

import mmap
import sys
from typing import Any

from .exact import Refused

#: How deep in what an object of pandas is made of its arrays lie.
_DEPTH = 4


def reduce_view(array: Any) -> tuple[Any, ...] | None:
    """How to make `array` of the array that owns its memory; `None` if it is pickled best by itself.

    Raises `Refused` if it shares what cannot be shared again.
    """
    numpy = sys.modules["numpy"]
    owner = _owner_of(array, numpy)
    if owner is None or array.size == 0:
        return None
    if isinstance(owner, mmap.mmap | numpy.memmap):
        raise Refused("its memory is that of a file")
    if type(array) is not numpy.ndarray or (array.dtype.hasobject and array.dtype.kind != "O"):
        raise Refused("it shares its memory with another array")
    try:
        flat = _flat(owner, array.dtype)
    except ValueError:
        raise Refused("it shares its memory with another array, which is in pieces") from None
    offset = array.ctypes.data - flat.ctypes.data
    return make_view, (owner, array.shape, array.strides, offset, array.dtype, array.flags.writeable)


def _owner_of(array: Any, numpy: Any) -> Any:
    """What owns the memory of `array`, if others can see that memory, too."""
    owner = array.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    if type(owner) in (bytearray, mmap.mmap):  # not `OwnMap`: a value's own memory
        return owner
    direct = True
    while _is_array(owner, numpy) and _is_array(owner.base, numpy) and not isinstance(owner, numpy.memmap):
        owner, direct = owner.base, False
    if isinstance(owner, numpy.memmap):
        return owner
    if not _is_array(owner, numpy):
        return None
    return None if direct and sys.getrefcount(owner) <= _ALONE else owner


def _is_array(base: object, numpy: Any) -> bool:
    # The second is what `as_strided` puts between.
    return isinstance(base, numpy.ndarray) or type(base).__name__ == "DummyArray"


class _Owned:
    def __init__(self) -> None:
        self.base = [0]


def _count(array: Any) -> int:
    owner = array.base
    return sys.getrefcount(owner)


#: What `sys.getrefcount` says, in a function like `_owner_of`, of what one array and one variable refer to.
_ALONE = _count(_Owned())


def reduce_apart(value: Any, apart: set[int]) -> Any:
    """Reduce an object of pandas; `apart` gets the ids of its arrays, views that nobody else has."""
    pandas = sys.modules.get("pandas")
    reduced = value.__reduce_ex__(5)
    if type(reduced) is not tuple or not hasattr(pandas, "api"):
        return None
    kinds = sys.modules["numpy"].ndarray, sys.modules["pandas"].api.extensions.ExtensionArray
    return _apart(reduced, kinds, apart, _DEPTH)


def _apart(value: Any, kinds: tuple[Any, ...], apart: set[int], depth: int) -> Any:
    if isinstance(value, kinds):
        value = value.view()
        apart.add(id(value))
    elif depth and type(value) in (tuple, list):
        value = type(value)(_apart(one, kinds, apart, depth - 1) for one in value)
    elif depth and type(value) is dict:
        value = {key: _apart(one, kinds, apart, depth - 1) for key, one in value.items()}
    return value


def _flat(owner: Any, dtype: Any) -> Any:
    numpy = sys.modules["numpy"]
    if isinstance(owner, bytearray):
        return numpy.frombuffer(owner, numpy.uint8)
    flat = numpy.asarray(owner)
    flat = flat.T if flat.flags.f_contiguous else flat
    if not flat.flags.c_contiguous:
        raise ValueError("neither rows nor columns follow each other")
    flat = flat.reshape(-1)
    return flat if dtype.hasobject else flat.view(numpy.uint8)


# What the pickles refer to by name. Changing a signature here is changing the format.


def make_view(
    owner: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, dtype: Any, writeable: bool
) -> Any:
    """An array that shows the memory of `owner`, from `offset` bytes on."""
    numpy = sys.modules["numpy"]
    flat = _flat(owner, dtype)
    if dtype.hasobject:
        start = offset // flat.itemsize
        view = numpy.lib.stride_tricks.as_strided(flat[start:], shape, strides)
    else:
        view = numpy.ndarray(shape, dtype, flat, offset, strides)
    if not writeable:
        view.flags.writeable = False
    return view
