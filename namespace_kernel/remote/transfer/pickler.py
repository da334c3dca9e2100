"""The pickler: cloudpickle's, where the globals of the namespace's own functions are the namespace itself.

cloudpickle gives a function that it rebuilds a copy of the globals that it uses. Here it gets the dict of the
namespace that it arrives in, so that a function sees what the others see, there and after it came back.
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pickle import PickleBuffer
from types import CellType, CodeType, FunctionType
from typing import TYPE_CHECKING, Any

import cloudpickle
from cloudpickle import cloudpickle as internals

from .reads import names_read, nested

if TYPE_CHECKING:
    from namespace_kernel.base.cell import Names, Namespace

_SLOTS = ("__name__", "__qualname__", "__kwdefaults__", "__defaults__", "__module__", "__doc__")
#: What cloudpickle puts in the place of a code's file.
_NO_FILE = "<dynamic-code>"
_SKELETONS = (internals._make_skeleton_class, internals._make_skeleton_enum)


@dataclass(slots=True)
class Arrival:
    """Where values are unpickled: the dict that functions get as globals, and the classes that came, by id.

    One for all pieces that arrive together: each class is filled once.
    """

    namespace: Namespace
    classes: dict[int, type] = field(default_factory=dict)


_arrival: ContextVar[Arrival] = ContextVar("arrival")


@contextmanager
def arriving(arrival: Arrival) -> Iterator[None]:
    """While entered, what is unpickled in the calling context arrives in `arrival`."""
    token = _arrival.set(arrival)
    try:
        yield
    finally:
        _arrival.reset(token)


class NamespacePickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles values of the namespace whose dict is `home`, large buffers out of band.

    `known` are classes, by id, that the other side has: they go by reference. After `dump`, `codes` is the
    code of the namespace's functions on the way, `reads` the globals that they read, `files` where they were
    defined.
    """

    def __init__(
        self,
        file: io.BytesIO,
        home: Names,
        keep_buffer: Callable[[PickleBuffer], bool],
        known: Mapping[int, type],
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=keep_buffer)
        self.reads: set[str] = set()
        self.files: set[str] = set()
        self.codes: list[CodeType] = []
        self._home = home
        self._known = known

    def reducer_override(self, obj: Any) -> object:
        """Overridden for the namespace's functions, for cells that functions share, and for classes."""
        kind = type(obj)
        if kind is FunctionType and obj.__globals__ is self._home:
            return self._function(obj)
        if kind is CellType:
            return _cell(obj)
        if kind is functools._lru_cache_wrapper:
            return make_cached, (obj.cache_parameters(), obj.__wrapped__)
        if isinstance(obj, BaseException) and _is_plain_error(kind):
            return make_error, (kind, obj.args), obj.__dict__ or None
        if kind is CodeType:
            make, arguments = internals._code_reduce(obj)
            # cloudpickle drops the file; tracebacks need it.
            return make, tuple(obj.co_filename if one == _NO_FILE else one for one in arguments)
        if id(obj) in self._known and isinstance(obj, type):
            return find_class, (internals._get_or_create_tracker_id(obj),)
        reduced = super().reducer_override(obj)
        if reduced is not NotImplemented and reduced[0] in _SKELETONS:
            reduced[2][0].pop("__slotnames__", None)  # `copyreg` keeps it in the class
            return make_class, reduced[:2], *reduced[2:5], set_class
        return reduced

    def _function(self, function: FunctionType) -> tuple[object, ...]:
        code = function.__code__
        self.reads |= names_read(code)
        self.files.update(one.co_filename for one in nested(code))
        self.codes.append(code)
        slots = {name: getattr(function, name) for name in _SLOTS}
        slots["__annotations__"] = _annotations_of(function)
        if sys.version_info >= (3, 12):
            slots["__type_params__"] = function.__type_params__
        state = ({"".join(name): value for name, value in function.__dict__.items()}, slots)
        return make_function, (code, function.__closure__), state, None, None, set_function


def _annotations_of(function: FunctionType) -> dict[str, object]:
    try:
        return function.__annotations__
    except NameError:  # Python 3.14 evaluates them now, and one names something that does not exist yet
        return {}


def _is_plain_error(kind: type) -> bool:
    """Whether exceptions of `kind` have an `__init__` of their own, and no say in how they are pickled."""
    own_init = isinstance(getattr(kind, "__init__", None), FunctionType)
    reduces = [
        getattr(kind, name) is getattr(BaseException, name) for name in ("__reduce__", "__reduce_ex__")
    ]
    return own_init and all(reduces)


def _cell(cell: CellType) -> tuple[object, ...]:
    try:
        contents = cell.cell_contents
    except ValueError:
        return CellType, ()
    # As state, not as argument: the cell may hold the function that it belongs to.
    return CellType, (), (contents,), None, None, set_cell


# What the pickles refer to by name. Changing a signature here is changing the format.


def make_function(code: CodeType, closure: tuple[CellType, ...] | None) -> FunctionType:
    """A function whose globals are the namespace that it arrives in."""
    return FunctionType(code, _arrival.get().namespace, code.co_name, None, closure)


def make_cached(parameters: dict[str, Any], function: Callable[..., object]) -> Callable[..., object]:
    """A `functools.lru_cache`, empty."""
    cached: Callable[..., object] = functools.lru_cache(**parameters)(function)
    return cached


def make_error(kind: type[BaseException], args: tuple[object, ...]) -> BaseException:
    """An exception whose `__init__` has run already, perhaps with other arguments than `args`."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error


def set_function(function: FunctionType, state: tuple[dict[str, object], dict[str, object]]) -> None:
    """Give a new function its attributes."""
    attributes, slots = state
    function.__dict__.update(attributes)
    for name, value in slots.items():
        setattr(function, name, value)


def set_cell(cell: CellType, state: tuple[object]) -> None:
    """Fill a new cell."""
    cell.cell_contents = state[0]


def make_class(make: Callable[..., type], arguments: tuple[object, ...]) -> type:
    """A class that came by value; the one that exists here already, if it has come before or is from here."""
    return make(*arguments)


def set_class(made: type, state: object) -> None:
    """Fill a class that came by value, unless it has come already with what arrives now."""
    classes = _arrival.get().classes
    if id(made) not in classes:
        classes[id(made)] = made
        internals._class_setstate(made, state)


def forget_classes() -> None:
    """Let all classes that came be new ones when they come again: code may have changed them."""
    internals._DYNAMIC_CLASS_TRACKER_BY_CLASS.clear()
    internals._DYNAMIC_CLASS_TRACKER_BY_ID.clear()


def find_class(tracker_id: str) -> type:
    """The class of this process that cloudpickle knows by `tracker_id`. Raises `LookupError`."""
    found: type = internals._DYNAMIC_CLASS_TRACKER_BY_ID[tracker_id]
    return found
