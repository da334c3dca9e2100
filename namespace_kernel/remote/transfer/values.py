"""Values that pickle, or cloudpickle, would bring back with less than they had."""

from __future__ import annotations

import datetime
import functools
import gc
import sys
import types
import typing
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from types import FunctionType
from typing import Any

from cloudpickle import cloudpickle as internals

from namespace_kernel.remote.lazy_imports import LazyImport, reduce_lazy
from namespace_kernel.remote.sentinels import Sentinel, reduce_sentinel

_CACHED = functools._lru_cache_wrapper
#: Views of a dict, and the method that gives them.
_VIEWS = {
    type(getattr(kind(), name)()): getattr(kind, name)
    for kind in (dict, OrderedDict)
    for name in ("keys", "values", "items")
}
#: Built-in classes whose instances have no attributes, and whose way of being pickled knows of none.
_BARE = (datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo, defaultdict, Counter)
#: By type, the arguments that make one again.
_TYPING: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    typing.NewType: lambda made: (made.__name__, made.__supertype__),
    typing.ParamSpec: lambda made: (made.__name__,),
    typing.TypeVarTuple: lambda made: (made.__name__,),
}
_dispatcher: Any = functools.singledispatch(lambda value: None)
_DISPATCHER: types.CodeType = _dispatcher.__code__


def reduce(value: Any, kind: type) -> tuple[Any, ...] | None:
    """How to make `value`, whose type is `kind`, again; `None` if pickle or cloudpickle know."""
    if kind in _VIEWS:
        return _VIEWS[kind], tuple(gc.get_referents(value))
    if kind is LazyImport:
        return reduce_lazy(value)
    if kind is Sentinel:
        return reduce_sentinel(value)
    if kind is types.MappingProxyType:
        return kind, tuple(gc.get_referents(value))
    if kind is memoryview:
        return _view(value)
    if kind is _CACHED and internals._lookup_module_and_qualname(value) is None:
        return make_cached, (value.cache_parameters(), value.__wrapped__), value.__dict__
    if kind is functools.cached_property:
        state = {name: one for name, one in vars(value).items() if name != "lock"}
        return functools.cached_property, (value.func,), state
    if kind is functools.singledispatchmethod:  # in Python 3.13 its cache has weak references
        state = {name: one for name, one in vars(value).items() if name != "_method_cache"}
        return functools.singledispatchmethod, (value.func,), state
    if kind is functools.partialmethod:  # from Python 3.14 on pickle leaves out the function
        return make_partialmethod, (value.func, value.args, value.keywords), value.__dict__
    if kind is FunctionType and is_dispatcher(value):
        return (
            make_dispatcher,
            (value.registry[object],),
            list(value.registry.items()),
            None,
            None,
            set_dispatcher,
        )
    if kind in _TYPING and getattr(value, "__module__", None) == "__main__":
        return make_typing, (kind, _TYPING[kind](value), internals._get_or_create_tracker_id(value))
    if issubclass(kind, BaseException):
        return _error(value, kind)
    if kind.__module__ == "__main__" and issubclass(kind, _bare()) and getattr(value, "__dict__", None):
        return _with_attributes(value, kind)
    return None


def concern(kind: type) -> bool:
    """Whether `reduce` may have something to say of an instance of `kind`."""
    return (
        kind in _VIEWS
        or kind in _TYPING
        or kind in (types.MappingProxyType, memoryview, _CACHED, functools.cached_property, FunctionType)
        or kind in (functools.partialmethod, functools.singledispatchmethod, LazyImport, Sentinel)
        or issubclass(kind, BaseException)
        or (kind.__module__ == "__main__" and issubclass(kind, _bare()))
    )


def is_dispatcher(function: FunctionType) -> bool:
    """Whether `function` is one of `functools.singledispatch`."""
    return function.__code__ is _DISPATCHER


def losses(value: Any, kind: type) -> set[str]:
    """What `value` comes back without, in words."""
    if kind is _CACHED and value.cache_info().currsize:
        return {"what its cache held"}
    if issubclass(kind, BaseException) and value.__traceback__ is not None:
        return {"its traceback"}
    return set()


def _view(view: memoryview) -> tuple[Any, ...] | None:
    whole = memoryview(view.obj)
    if not view.contiguous or whole.nbytes != view.nbytes:
        return None
    return make_memoryview, (view.obj, view.format, view.shape, view.readonly)


def _error(error: BaseException, kind: type) -> tuple[Any, ...] | None:
    """Exceptions keep their cause. One with an `__init__` of its own is made without it."""
    if any(
        getattr(kind, name) is not getattr(BaseException, name) for name in ("__reduce__", "__reduce_ex__")
    ):
        return None
    chain = (error.__cause__, error.__context__, error.__suppress_context__)
    own = isinstance(getattr(kind, "__init__", None), FunctionType)
    if not own and chain == (None, None, False):
        return None
    reduced: Any = (make_error, (kind, error.args)) if own else error.__reduce__()
    return *reduced[:2], (error.__dict__, chain), None, None, set_error


def _bare() -> tuple[type, ...]:
    numpy = sys.modules.get("numpy")
    return _BARE if numpy is None else (*_BARE, numpy.ndarray)


def _with_attributes(value: Any, kind: type) -> tuple[Any, ...] | None:
    """An instance of a class of cells, with the attributes that its built-in base knows nothing of."""
    if any(
        isinstance(getattr(kind, name), FunctionType) for name in ("__reduce__", "__reduce_ex__")
    ) and not issubclass(kind, Counter):
        return None  # its author knows
    make, arguments, state, *items = (*value.__reduce_ex__(5), None, None, None)[:5]
    return make, arguments, (state, vars(value)), *items, set_attributes


# What the pickles refer to by name. Changing a signature here is changing the format.


def make_cached(parameters: dict[str, Any], function: Callable[..., object]) -> Callable[..., object]:
    """A `functools.lru_cache`, empty."""
    cached: Callable[..., object] = functools.lru_cache(**parameters)(function)
    return cached


def make_partialmethod(
    function: Any, args: tuple[Any, ...], keywords: dict[str, Any]
) -> functools.partialmethod[Any]:
    """A `functools.partialmethod`."""
    return functools.partialmethod(function, *args, **keywords)


def make_memoryview(whole: Any, form: str, shape: tuple[int, ...] | None, readonly: bool) -> memoryview:
    """A view of all of `whole`."""
    view = memoryview(whole)
    if (view.format, view.shape) != (form, shape):
        view = view.cast("B").cast(form, shape)  # type: ignore[call-overload]
    return view.toreadonly() if readonly else view


def make_dispatcher(function: Callable[..., Any]) -> Any:
    """A function of `functools.singledispatch`."""
    return functools.singledispatch(function)


def set_dispatcher(dispatcher: Any, registry: list[tuple[type, Callable[..., Any]]]) -> None:
    """Give a new dispatcher its functions."""
    for kind, function in registry:
        dispatcher.register(kind, function)


def make_typing(kind: type, arguments: tuple[Any, ...], tracker: str) -> Any:
    """A `NewType` and the like; the one that exists here already, if it has come before."""
    made = kind(*arguments)
    made.__module__ = "__main__"
    return internals._lookup_class_or_track(tracker, made)


def make_error(kind: type[BaseException], args: tuple[object, ...]) -> BaseException:
    """An exception whose `__init__` has run already, perhaps with other arguments than `args`."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error


def set_error(error: BaseException, state: tuple[dict[str, Any], tuple[Any, Any, bool]]) -> None:
    """Give a new exception its attributes and what led to it."""
    attributes, (cause, context, suppressed) = state
    error.__dict__.update(attributes)
    error.__cause__, error.__context__, error.__suppress_context__ = cause, context, suppressed


def set_attributes(value: Any, state: tuple[Any, dict[str, Any]]) -> None:
    """Give a new instance what its built-in base keeps, and its attributes."""
    content, attributes = state
    if content is not None:
        value.__setstate__(content)
    vars(value).update(attributes)
