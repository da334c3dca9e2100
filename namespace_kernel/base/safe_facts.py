"""What can be said about a value without running any of its own code.

`isinstance`, `repr`, `len` and attribute access all may: an object's `__class__` is a property, its
`__len__` asks a database, its `shape` computes for an hour. So a value is known by `type(value)` alone,
and by what `type` itself stores about that. Its size is read only where the code that reads it is known:
Python's own, or that of a few libraries, whose class is proven to be theirs by identity.
"""

from __future__ import annotations

import sys
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Any, NamedTuple

#: A class's order of classes, and its namespace, whatever its metaclass says.
mro_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
dict_of: Callable[[type], Any] = type.__dict__["__dict__"].__get__
_name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
_module_of: Callable[[type], object] = type.__dict__["__module__"].__get__
_qualified_name_of: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_function_of_partial: Callable[[object], object] = vars(partial)["func"].__get__
_function_of_method: Callable[[object], object] = vars(types.MethodType)["__func__"].__get__

#: Characters of a string, bits of an integer, and characters of a float that are shown; a longer float is
#: rounded.
_SHORT, _BITS, _DIGITS = 40, 128, 12
#: So many partials of partials are looked through: one may be its own.
_CHAIN = 100


class Group(IntEnum):
    """What a name stands for: data, or what comes along with it."""

    DATA = 0
    CODE = 1


class Facts(NamedTuple):
    """What is known about a value: the class's name, and size and value as text, "" if unknown."""

    type: str
    size: str = ""
    value: str = ""


# Classes are told by their id: a metaclass may define `__hash__` and `__eq__`.
_BUILTIN_SIZED: dict[int, Callable[[Any], int]] = {
    id(cls): cls.__len__
    for cls in (
        *(str, bytes, bytearray, memoryview, list, tuple, dict, set, frozenset, range),
        *(deque, defaultdict, OrderedDict, Counter),
    )
}

_FUNCTIONS = frozenset(
    id(cls)
    for cls in (
        *(types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType),
        *(types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType),
        *(
            types.ModuleType,
            types.GenericAlias,
            types.UnionType,
            partial,
            staticmethod,
            classmethod,
            property,
        ),
    )
)
#: Classes whose instances stand for code, by module and name.
_CODE_CLASSES = {
    ("functools", "_lru_cache_wrapper"),
    ("numpy", "ufunc"),
    ("numpy", "_ArrayFunctionDispatcher"),
    ("builtins", "cython_function_or_method"),
}


def _shape(value: Any, cls: type) -> object:
    for base in mro_of(cls):
        descriptor = dict_of(base).get("shape")
        if descriptor is not None:
            return descriptor.__get__(value, cls)
    return None


def _length(value: Any, cls: type) -> object:
    return (len(value),)


#: How libraries' values are measured: by the class's root module and name. A series is measured by its
#: length, that is its index's: the values may be an array class of the user's own.
_MEASURES: dict[str, dict[str, Callable[[Any, type], object]]] = {
    "numpy": dict.fromkeys(("ndarray", "matrix", "memmap", "recarray", "MaskedArray"), _shape),
    "pandas": {
        "DataFrame": _shape,
        "Series": _length,
        **dict.fromkeys(
            ("Index", "RangeIndex", "MultiIndex", "DatetimeIndex", "TimedeltaIndex", "PeriodIndex"), _length
        ),
    },
    "polars": {"DataFrame": _shape, "Series": _length},
    "pyarrow": {"Table": _shape, "RecordBatch": _shape, "ChunkedArray": _length},
    "torch": dict.fromkeys(("Tensor", "Parameter"), _shape),
    "jaxlib": {"ArrayImpl": _shape},
    "cupy": {"ndarray": _shape},
    "xarray": {"DataArray": _shape},
    "dask": {"Array": _shape},
    "scipy": dict.fromkeys(
        (f"{form}_{kind}" for form in ("csr", "csc", "coo", "bsr", "dia") for kind in ("array", "matrix")),
        _shape,
    ),
}


def group_of(cls: type) -> Group:
    """Whether instances of `cls` are data, or modules, functions and classes."""
    key = id(cls)
    if key in _FUNCTIONS or any(base is type or base is types.ModuleType for base in mro_of(cls)):
        return Group.CODE
    module = _module_of(cls)
    if type(module) is str and (module == "typing" or (module, class_name(cls)) in _CODE_CLASSES):
        return Group.CODE
    return Group.DATA


def class_name(cls: type) -> str:
    """The name of a class, as a plain string."""
    return str.__str__(_name_of(cls))


def attribute_of_class(cls: type, name: str) -> Any:
    """What the first class in the order of `cls` has under `name`, as it is stored there; `None` if none."""
    return next((dict_of(base)[name] for base in mro_of(cls) if name in dict_of(base)), None)


def called_function(target: object) -> Any:
    """What a chain of partials and methods calls in the end."""
    for _ in range(_CHAIN):
        mro = mro_of(type(target))
        if any(base is partial for base in mro):
            target = _function_of_partial(target)
        elif type(target) is types.MethodType:
            target = _function_of_method(target)
        else:
            break
    return target


def callable_facts(target: object) -> tuple[str, types.CodeType | None]:
    """The name of what runs when `target` is called, or awaited, and its code if that is Python's.

    Thread: any; `target` is asked for nothing.
    """
    function = called_function(target)
    kind = type(function)
    if kind is types.FunctionType:
        return str.__str__(function.__qualname__), function.__code__
    if kind is types.CoroutineType:
        return str.__str__(function.__qualname__), function.cr_code
    if kind is types.GeneratorType:
        return str.__str__(function.__qualname__), function.gi_code
    if kind is types.BuiltinFunctionType:
        return str.__str__(function.__name__), None
    cls = function if any(base is type for base in mro_of(kind)) else kind
    return str.__str__(_qualified_name_of(cls)), None


def facts_of(value: Any) -> Facts:
    """Describe `value`. Thread: any; no code of the user's runs."""
    cls = type(value)
    if any(base is type for base in mro_of(cls)):
        return Facts("class", value=_home_of(value))
    if cls is types.BuiltinFunctionType:
        return Facts("function")
    try:
        return Facts(class_name(cls), _size(value, cls), _short_value(value, cls))
    except Exception:  # a library in a state of its own; the name is shown all the same
        return Facts(class_name(cls))


def _home_of(cls: type) -> str:
    """Where an imported class comes from."""
    module = _module_of(cls)
    return f"{module}.{class_name(cls)}" if type(module) is str and module != "__main__" else ""


def _size(value: object, cls: type) -> str:
    sized = _BUILTIN_SIZED.get(id(cls))
    if sized is not None:
        return f"{sized(value):,}"
    if _is_theirs(cls):
        measure = _MEASURES[_root(cls)].get(class_name(cls))
        return "" if measure is None else _shape_text(measure(value, cls))
    # A class of the user's own that is an array, or a list and does not say otherwise.
    mro = mro_of(cls)
    array = _array_in(mro)
    if array is not None:
        return _shape_text(dict_of(array)["shape"].__get__(value, array))
    for base in mro:
        if id(base) in _BUILTIN_SIZED and not _defined_before(mro, base, "__len__"):
            return f"{_BUILTIN_SIZED[id(base)](value):,}"
    return ""


def _defined_before(mro: tuple[type, ...], base: type, method: str) -> bool:
    """Whether a class that comes before `base` has a `method` of its own."""
    for cls in mro:
        if cls is base:
            return False
        if method in dict_of(cls):
            return True
    return True


def _array_in(mro: tuple[type, ...]) -> type | None:
    """numpy's array class, if it is there. Its attributes are read in C, of subclasses, too."""
    array = _numpy().get("ndarray")
    return next((base for base in mro if base is array), None)


def _numpy() -> dict[str, Any]:
    module = sys.modules.get("numpy")
    return vars(module) if type(module) is types.ModuleType else {}


def _root(cls: type) -> str:
    module = _module_of(cls)
    return module.partition(".")[0] if type(module) is str else ""


def _is_theirs(cls: type) -> bool:
    """Whether `cls` is what one of the libraries calls by that name, not just called alike."""
    module = sys.modules.get(str(_module_of(cls))) if _root(cls) in _MEASURES else None
    return type(module) is types.ModuleType and vars(module).get(class_name(cls)) is cls


def _shape_text(shape: Any) -> str:
    if not any(base is tuple for base in mro_of(type(shape))):
        return ""
    sides = [f"{side:,}" if type(side) is int else "?" for side in tuple.__iter__(shape)]
    return " × ".join(sides)


def _short_value(value: Any, cls: type) -> str:
    if value is None or cls is bool or cls is complex:
        return repr(value)
    if cls is float:
        exact = repr(value)
        return exact if len(exact) <= _DIGITS else f"{value:.6g}"
    if cls is int:
        bits = value.bit_length()
        return repr(value) if bits <= _BITS else f"{bits:,} bits"
    if cls is str:
        return repr(value) if len(value) <= _SHORT else repr(value[:_SHORT]) + "…"
    if cls is types.ModuleType:
        name = vars(value).get("__name__")
        return name if type(name) is str else ""
    mro = mro_of(cls)
    array = _array_in(mro)
    if array is not None:  # the kind of its elements
        return class_name(dict_of(array)["dtype"].__get__(value, array).type)
    if _root(cls) == "numpy" and _is_theirs(cls) and any(base is _numpy().get("generic") for base in mro):
        plain = _numpy()["generic"].item(value)
        return _short_value(plain, type(plain)) if _root(type(plain)) == "builtins" else ""
    return ""
