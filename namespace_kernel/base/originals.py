"""Python's own functions, which a notebook may replace: put back where the kernel can't work without them.

After `time.monotonic = None`, `builtins.str = 5` or `sys.modules.clear()` nothing in the process works, the
kernel's threads, asyncio and IPython included. So three things stand between a notebook and that:

- What our own threads need all the time they hold themselves (`monotonic`).
- After a cell's code, what cannot stand in the place of Python's own is put back: no function in the place of
  one, no class in the place of one of `threading`'s or `asyncio`'s, or of a builtin one in whose eyes what it
  made is nothing of its own. What can, stays: a mock, a frozen clock, rich's `print`, and what
  nest_asyncio, gevent and eventlet put in the place of classes.
- Where our own code fails all the same, `shield` puts back what the failure came out of.

The functions here have builtins of their own, so that they work when nobody else's do.
"""

from __future__ import annotations

import asyncio
import builtins
import io
import json
import logging
import os
import re
import select
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from types import ModuleType
from typing import Any, TypeVar

# Before the first function: CPython gives each the builtins that its module's `__builtins__` has then.
__builtins__ = dict(vars(builtins))  # type: ignore[assignment]

_import = builtins.__import__

T = TypeVar("T")

#: `time.monotonic`. Tools that freeze the time replace that very object in every module, and don't find this.
monotonic = partial(time.monotonic)

#: Looked at after each cell, with all of `builtins`: without these no thread goes on.
_OFTEN: dict[ModuleType, tuple[str, ...]] = {
    time: ("monotonic", "time", "perf_counter"),
    os: ("getpid", "fspath"),
    json: ("dumps", "loads"),
    sys: ("exc_info", "_getframe", "_current_frames"),
    threading: ("Thread", "Lock", "RLock", "Condition", "Event", "current_thread"),
    signal: ("signal", "getsignal"),
    warnings: ("warn", "catch_warnings"),
    re: ("compile",),
    io: ("StringIO",),
    asyncio: ("_get_running_loop", "_set_running_loop", "Task"),
}
#: Looked at when something has failed: all that can be called in these.
_ALL = (builtins, time, os, json, asyncio, io, logging, re, select, signal, socket, sys, threading, warnings)

_MISSING = object()


class Originals:
    """What was there when the kernel began to serve. Made after the kernel has put its own in place.

    Thread: any.
    """

    def __init__(self) -> None:
        names_in_builtins = tuple(name for name in vars(builtins) if name != "_")
        self._often = [
            (get := itemgetter(*names), vars(module), get(vars(module)))
            for module, names in {builtins: names_in_builtins, **_OFTEN}.items()
        ]
        self._all = [
            (module.__name__, vars(module), name, value)
            for module in _ALL
            for name, value in vars(module).items()
            if (callable(value) or module is builtins) and name != "_"
        ]
        needed = {(builtins.__name__, name) for name in names_in_builtins}
        needed |= {(module.__name__, name) for module, names in _OFTEN.items() for name in names}
        self._needed = [one for one in self._all if (one[0], one[2]) in needed]
        #: The names of what was put back by a thread of ours, which has no cell to tell it to.
        self.untold: list[str] = []
        self._modules = sys.modules
        self._known: dict[str, ModuleType] = {}
        self.note_modules()

    def note_modules(self) -> None:
        """Remember what is imported. Called before each cell."""
        if len(self._known) != len(self._modules):
            self._known = dict(self._modules)

    def look(self) -> list[str]:
        """Put back what cannot be used, of what is used all the time; its names, with those not yet told."""
        found, self.untold = self.untold + self._look_at_modules(), []
        if not self._often_are_there():
            found += _put_back(self._needed, lambda current, original: not _can_replace(current, original))
        return found

    def _often_are_there(self) -> bool:
        """Nearly always: a comparison looks for the identity first, and takes 3 µs."""
        try:
            return all(get(namespace) == values for get, namespace, values in self._often)
        except Exception:  # one is missing, or what is there cannot be compared
            return False

    def put_back(self, error: BaseException) -> list[str]:
        """Put back whatever cannot be used or has failed with `error`; the names of it."""
        culprits = list(_objects_in(error))

        def is_to_blame(current: Any, original: Any) -> bool:
            code = getattr(current, "__code__", current)
            return not _can_replace(current, original) or any(one is code for one in culprits)

        return self._look_at_modules() + _put_back(self._all, is_to_blame)

    def _look_at_modules(self) -> list[str]:
        modules = self._modules
        if sys.modules is modules and modules.get("builtins") is builtins and modules.get("sys") is sys:
            return []
        sys.modules = modules
        for name, module in self._known.items():
            if modules.get(name) is None:
                modules[name] = module
        return ["sys.modules"]


def _put_back(
    names: list[tuple[str, dict[str, Any], str, Any]], wanted: Callable[[Any, Any], bool]
) -> list[str]:
    found = []
    for module, namespace, name, original in names:
        current = namespace.get(name, _MISSING)
        if current is not original and wanted(current, original):
            namespace[name] = original
            found.append(f"{module}.{name}")
    return found


def _can_replace(current: Any, original: Any) -> bool:
    """Whether what uses `original` can use `current`, for all that can be told without calling it."""
    if isinstance(original, type) and original.__module__ == "builtins":
        return isinstance(current, type) and issubclass(original, current)
    if isinstance(original, type) and original.__module__ in ("threading", "_asyncio"):
        return isinstance(current, type)
    if original is _import and callable(current):
        try:
            exec("import sys", {"__builtins__": builtins})  # as any module does next
            return True
        except BaseException:
            return False
    return callable(original) and callable(current)


def _objects_in(error: BaseException) -> Iterator[Any]:
    """The functions' codes that `error` came through, and the objects whose methods they are (a mock)."""
    seen: BaseException | None = error
    while seen is not None:
        for frame, _ in traceback.walk_tb(seen.__traceback__):
            yield frame.f_code
            if "self" in frame.f_code.co_varnames[:1]:
                yield frame.f_locals.get("self")
        seen = seen.__cause__ or seen.__context__


def describe_replaced(names: list[str]) -> str:
    """What the user is told of names that were put back."""
    if names == ["sys.modules"]:
        return "sys.modules was emptied or replaced; the modules that were there before the cell are back"
    what, verb = ", ".join(names[:5]) + ", …" * (len(names) > 5), "was" if len(names) == 1 else "were"
    return (
        f"{what} {verb} replaced by something that the kernel cannot use; Python's own is there "
        "again. To replace it for a while, use `with unittest.mock.patch(...)`"
    )


#: Those of the kernel that serves in this process.
_originals: list[Originals] = []


def watch_originals() -> Originals:
    """From now on what Python has now can be put back. Thread: main."""
    _originals[:] = [Originals()]
    return _originals[0]


def put_back(error: BaseException) -> list[str]:
    """See `Originals.put_back`; nothing where no kernel serves."""
    return _originals[0].put_back(error) if _originals else []


def repair(error: BaseException) -> bool:
    """`put_back` where there is no cell to tell it to: the next one's end tells it. Whether anything was."""
    replaced = put_back(error)
    if replaced:
        _originals[0].untold += replaced
    return bool(replaced)


def shield(run: Callable[[], T], failed: Callable[[BaseException, list[str]], T]) -> T:
    """Return `run()`, or, whatever it raises, `failed` of that and of the names that were put back.

    Guarantees: `failed` is called while Python can be used.

    Thread: any.
    """
    try:
        return run()
    except BaseException as error:
        return failed(error, put_back(error))


def make_unending(io_loop: Any, log: logging.Logger) -> None:
    """Let a tornado loop go on whatever is raised in it, and keep its own time.

    Thread: any, before it runs.
    """
    loop = io_loop.asyncio_loop
    io_loop.time = loop.time = monotonic
    io_loop.start = partial(keep_running, io_loop.start, log)

    def callback_failed(_: Any, details: dict[str, Any]) -> None:
        error = details.get("exception")
        log.error("%s", details.get("message"), exc_info=error)
        if error is not None:
            repair(error)

    loop.set_exception_handler(callback_failed)


def keep_running(run: Callable[[], object], log: logging.Logger) -> None:
    """Call `run`, a thread's work, until it returns: whatever it raises is logged, and it is called again.

    Thread: the one whose work it is.
    """

    def failed(error: BaseException) -> None:
        repair(error)
        try:
            log.error("%s goes on after %s", _thread_name(), type(error).__name__, exc_info=error)
        except BaseException:  # whoever handles the log
            traceback.print_exc(file=sys.__stderr__)
        time.sleep(_PAUSE)

    while True:
        try:
            try:
                run()
                return
            except BaseException as error:
                failed(error)
        except BaseException:  # a signal's handler that raises again and again: here is no work to lose
            continue


#: Seconds between two attempts, so that what always fails does not take all of the processor.
_PAUSE = 0.01


def _thread_name() -> str:
    return f"the thread {threading.current_thread().name!r}"
