"""What pickling would silently make another thing of, for those who keep values: it is refused, in words.

A cell elsewhere wants as much as can be had. What is kept must come back as it was, or be named.
"""

from __future__ import annotations

import io
import logging
import mmap
import sys
import types
import weakref
from collections.abc import Callable
from pickle import PicklingError
from types import FunctionType, ModuleType
from typing import Any

from .reads import names_read


class Refused(PicklingError):
    """A value would not come back as it is. The text says why."""


_FILE = "a file is open in one process only"
_PROCESS = "it belongs to this process"
_ITERATOR = "an iterator that has begun does not keep its place"
_WEAK = "it refers weakly to something"
_MEMORY = "its memory is that of a file"

#: By type, why its instances are refused.
_TYPES: dict[type, str] = {
    io.TextIOWrapper: _FILE,
    weakref.ProxyType: _WEAK,
    weakref.CallableProxyType: _WEAK,
    weakref.finalize: _WEAK,
    mmap.mmap: _MEMORY,
    **dict.fromkeys(
        (type(iter({})), type(iter({}.values())), type(iter({}.items())), type(iter(set()))), _ITERATOR
    ),
}
#: By module of its type, or the package of that.
_MODULES = {
    "itertools": _ITERATOR,
    "multiprocessing": _PROCESS,
    "tqdm": "it draws in the output of one cell",
}
#: By name of a class that it is an instance of.
_CLASSES = {
    "ctypes.CDLL": _PROCESS,
    "_ctypes.CFuncPtr": _PROCESS,
    "numpy.memmap": _MEMORY,
}


def rule_for(kind: type) -> Callable[[Any], str] | None:
    """What says of an instance of `kind` why it is refused, or nothing; `None` if none is ever refused.

    Thread: any.
    """
    names = [f"{one.__module__}.{one.__qualname__}" for one in kind.__mro__]
    why = _TYPES.get(kind, "") or _MODULES.get(names[0].partition(".")[0], "")
    why = why or next((_CLASSES[name] for name in names if name in _CLASSES), "")
    if why:
        return lambda value: why
    rule = next((_RULES[one] for one in kind.__mro__ if one in _RULES), None)
    return rule or _NAMED_RULES.get(names[0])


def check_globals(function: FunctionType) -> None:
    """Raise `Refused` if `function`, which goes by value, uses variables of a dict that would be another."""
    there = function.__globals__
    used = (there[name] for name in names_read(function.__code__) if name in there)
    if not all(callable(one) or isinstance(one, ModuleType) for one in used):
        raise Refused("its globals are neither the notebook's nor a module's")


def module_of(function: FunctionType) -> str | None:
    """The name of the module whose globals `function` has, if it can be imported."""
    name = function.__globals__.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None or vars(module) is not function.__globals__ or _of_a_module(module):
        return None
    return name


def _of_a_module(module: ModuleType) -> str:
    name = module.__name__
    if name == "__main__" or (
        sys.modules.get(name) is module and getattr(module, "__spec__", None) is not None
    ):
        return ""
    return "this module cannot be imported"


def _of_a_logger(logger: logging.Logger) -> str:
    changed = logger.handlers or logger.filters or logger.disabled or not logger.propagate
    return (
        "the logger has been configured" if changed or (logger.level and logger is not logging.root) else ""
    )


def _of_a_part(view: memoryview) -> str:
    try:
        whole = memoryview(view.obj)
    except TypeError:
        return _PROCESS
    return (
        "" if (whole.nbytes, view.contiguous) == (view.nbytes, True) else "it shows a part of another object"
    )


def _of_callbacks(registry: Any) -> str:
    """matplotlib pickles its own callbacks only."""
    for entries in registry.callbacks.values():
        for number, reference in entries.items():
            module = getattr(reference(), "__module__", None) or ""
            if number not in registry._pickled_cids and module.partition(".")[0] not in (
                "matplotlib",
                "mpl_toolkits",
            ):
                return "functions wait for its events"
    return ""


_RULES: dict[type, Callable[[Any], str]] = {
    types.ModuleType: _of_a_module,
    logging.Logger: _of_a_logger,
    memoryview: _of_a_part,
}
_NAMED_RULES: dict[str, Callable[[Any], str]] = {"matplotlib.cbook.CallbackRegistry": _of_callbacks}
