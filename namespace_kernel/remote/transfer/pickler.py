"""The pickler: cloudpickle's, where the globals of the namespace's own functions are the namespace itself.

cloudpickle gives a function that it rebuilds a copy of the globals that it uses. Here it gets the dict of the
namespace that it arrives in, so that a function sees what the others see, there and after it came back.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from mmap import mmap
from pickle import PickleBuffer
from types import CellType, CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Protocol

import cloudpickle
from cloudpickle import cloudpickle as internals

from namespace_kernel.base.syntax import nested

from . import arrays, exact, values
from .classes import annotations_of, reduce_class, set_content
from .reads import names_read

if TYPE_CHECKING:
    from namespace_kernel.base.cell import Names, Namespace
    from namespace_kernel.remote.memory.regions import Region

_SLOTS = ("__name__", "__qualname__", "__kwdefaults__", "__defaults__", "__module__", "__doc__")
#: What cloudpickle puts in the place of a code's file.
_NO_FILE = "<dynamic-code>"
_SKELETONS = (internals._make_skeleton_class, internals._make_skeleton_enum)


@dataclass(slots=True)
class Arrival:
    """Where values are unpickled: the dict that functions get as globals, and the classes that came, by id.

    One for all pieces that arrive together: each class is filled once. `map` gives the memory for a region.
    """

    namespace: Namespace
    map: Callable[[Region], mmap]
    classes: dict[int, type] = field(default_factory=dict)


class SupportsWrite(Protocol):
    """What is pickled to."""

    def write(self, data: Any, /) -> Any:
        """Write bytes."""


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

    `known` are classes, by id, that the other side has: they go by reference. With `exactly`, what would come
    back as something else raises `Refused`, and arrays that share memory keep sharing it. After `dump`,
    `codes` is the code of the namespace's functions on the way, `reads` the globals that they read, `files`
    where they were defined, `lost` says what values come back without.
    """

    def __init__(
        self,
        file: SupportsWrite,
        home: Names,
        keep_buffer: Callable[[PickleBuffer], bool],
        known: Mapping[int, type],
        exactly: bool = False,
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=keep_buffer)
        self.lost: set[str] = set()
        self._exactly = exactly
        self._apart: set[int] = set()
        self._plain: set[type] = set()
        self.reads: set[str] = set()
        self.files: set[str] = set()
        self.codes: list[CodeType] = []
        self._home = home
        self._known = known

    def reducer_override(self, obj: Any) -> object:
        """Overridden for the namespace's functions, for cells that functions share, for classes, and more."""
        kind = type(obj)
        if kind in self._plain:
            return NotImplemented
        if kind is FunctionType and obj.__globals__ is self._home:
            return self._function(obj, None)
        if kind is CellType:
            return _cell(obj)
        if kind is CodeType:
            make, arguments = internals._code_reduce(obj)
            # cloudpickle drops the file; tracebacks need it.
            return make, tuple(obj.co_filename if one == _NO_FILE else one for one in arguments)
        if not issubclass(kind, type):
            return self._instance(obj, kind)
        if id(obj) in self._known:
            return find_class, (internals._get_or_create_tracker_id(obj),)
        reduced = super().reducer_override(obj)
        if reduced is not NotImplemented and reduced[0] in _SKELETONS:
            return make_class, *reduce_class(obj, reduced), None, None, set_class
        return reduced

    def _instance(self, obj: Any, kind: type) -> object:
        array = pandas = False
        rule = None
        if self._exactly:
            rule = exact.rule_for(kind)
            array = any(one.__name__ == "ndarray" and one.__module__ == "numpy" for one in kind.__mro__)
            pandas = str(kind.__module__).startswith("pandas.")
            if rule is not None and (why := rule(obj)):
                raise exact.Refused(why)
            self.lost |= values.losses(obj, kind)
        reduced: object = None
        if array and id(obj) not in self._apart:
            reduced = arrays.reduce_view(obj)
        elif pandas:
            reduced = arrays.reduce_apart(obj, self._apart)
        elif self._exactly and kind is FunctionType and not values.is_dispatcher(obj):
            reduced = self._foreign(obj)
        if reduced is None:
            reduced = values.reduce(obj, kind)
        if reduced is not None:
            return reduced
        if not (rule or array or pandas or values.concern(kind)):
            self._plain.add(kind)
        return super().reducer_override(obj)

    def _foreign(self, function: FunctionType) -> tuple[object, ...] | None:
        """A function that does not use the namespace."""
        if goes_by_reference(function):
            return None
        module = exact.module_of(function)
        if module is None:
            exact.check_globals(function)
            return None
        return self._function(function, module)

    def _function(self, function: FunctionType, module: str | None) -> tuple[object, ...]:
        code = function.__code__
        if module is None:
            self.reads |= names_read(code)
            self.files.update(one.co_filename for one in nested(code))
            self.codes.append(code)
        slots = {name: getattr(function, name) for name in _SLOTS}
        slots["__annotations__"] = annotations_of(function)
        if sys.version_info >= (3, 12):
            slots["__type_params__"] = function.__type_params__
        state = ({"".join(name): value for name, value in function.__dict__.items()}, slots)
        make = (make_function, code) if module is None else (make_module_function, module, code)
        return make[0], (*make[1:], function.__closure__), state, None, None, set_function


def goes_by_reference(definition: object) -> bool:
    """Whether `definition` is pickled as its module and name."""
    answer: bool = internals._should_pickle_by_reference(definition)
    return answer


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


def make_module_function(module: str, code: CodeType, closure: tuple[CellType, ...] | None) -> FunctionType:
    """A function that one of `module` has made."""
    return FunctionType(code, vars(importlib.import_module(module)), code.co_name, None, closure)


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


def set_class(made: type, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Fill a class that came by value, unless it has come already with what arrives now."""
    classes = _arrival.get().classes
    if id(made) not in classes:
        classes[id(made)] = made
        set_content(made, state)


def forget_classes() -> None:
    """Let all classes that came be new ones when they come again: code may have changed them."""
    internals._DYNAMIC_CLASS_TRACKER_BY_CLASS.clear()
    internals._DYNAMIC_CLASS_TRACKER_BY_ID.clear()


def find_class(tracker_id: str) -> type:
    """The class of this process that cloudpickle knows by `tracker_id`. Raises `LookupError`."""
    found: type = internals._DYNAMIC_CLASS_TRACKER_BY_ID[tracker_id]
    return found
