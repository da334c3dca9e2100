"""What the threads of the kernel's own need, and what others ask of one."""

from __future__ import annotations

import functools
import math
import os
import queue
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from operator import call
from types import FrameType, FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

T = TypeVar("T", bound=type)

# Of a thread, whatever its class says: a subclass may have a `name`, an `ident`, … of its own.
attributes_of: Callable[[threading.Thread], dict[str, Any]] = vars(threading.Thread)["__dict__"].__get__
thread_name: Callable[[threading.Thread], str] = vars(threading.Thread)["name"].fget
ident_of: Callable[[threading.Thread], int | None] = vars(threading.Thread)["ident"].fget
is_daemon: Callable[[threading.Thread], bool] = vars(threading.Thread)["daemon"].fget
is_alive: Callable[[threading.Thread], bool] = threading.Thread.is_alive

#: Whether threads run at the same time, without the interpreter's lock.
FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()


if TYPE_CHECKING or sys.version_info < (3, 14):
    from threading import Lock as Lock
    from threading import RLock as RLock
else:

    class Lock:
        """As Python's own; but a Stop never leaves it taken. Thread: any.

        `KeyboardInterrupt` is raised where Python looks for signals. Until 3.13 it does not look between the
        moment when a lock written in C is taken and the beginning of the `with` block, which gives it back.
        From 3.14 on `with` calls `__enter__` like any function, and Python looks after each call. But it
        does not look where a function written in Python returns.
        """

        __slots__ = ("__exit__", "_at_fork_reinit", "acquire", "locked", "release")
        _make = staticmethod(threading.Lock)

        def __init__(self):
            lock = self._make()
            for kind in type(self).__mro__[:-1]:
                for name in kind.__slots__:
                    setattr(self, name, getattr(lock, name))

        def __enter__(self):
            [_] = map(call, (self.acquire,))  # a call after which Python does not look

    class RLock(Lock):
        """As `Lock`, reentrant."""

        __slots__ = ("_acquire_restore", "_is_owned", "_release_save")  # a condition needs them
        _make = staticmethod(threading.RLock)


#: Where `sys._current_frames` makes frame objects for other interpreters, too, in memory that is not theirs.
_MAKES_OTHERS_FRAMES = (3, 12) <= sys.version_info < (3, 14)


def frames_of_threads() -> dict[int, FrameType]:
    """What each thread executes, as `sys._current_frames()` tells; nothing where that might end the process.

    Subinterpreters may have memory of their own. Those that execute something then, on Python 3.12 and 3.13,
    free what they have not allocated ("free(): invalid pointer"). Thread: any.
    """
    return {} if _MAKES_OTHERS_FRAMES and _are_subinterpreters() else sys._current_frames()


def _are_subinterpreters() -> bool:
    for name in ("_interpreters", "_xxsubinterpreters"):  # since 3.13, and before
        list_all = getattr(sys.modules.get(name), "list_all", None)
        if list_all is not None and len(list_all()) > 1:
            return True
    return False


#: Bytes that a pipe takes at once if it takes any.
PIPE_BUF: int = getattr(select, "PIPE_BUF", 512)

_poll: Callable[[], Any] | None = getattr(select, "poll", None)

# gevent and eventlet put other functions into modules of Python, which switch greenlets where the kernel's
# threads wait for one another, and start no threads. A function finds them by the dict of its module.
_at_first = {module.__name__: dict(vars(module)) for module in (threading, subprocess)}


def _as_at_first(function: FunctionType) -> FunctionType:
    """`function`, which goes on finding what its module has now."""
    found = _at_first[function.__module__]
    kept = FunctionType(function.__code__, found, None, function.__defaults__, function.__closure__)
    kept.__kwdefaults__ = function.__kwdefaults__
    functools.update_wrapper(kept, function)
    return kept


def _is_of(module: str, thing: object) -> bool:
    return isinstance(thing, FunctionType) and thing.__globals__ is vars(sys.modules[module])


for _module, _names in _at_first.items():
    _names |= {name: _as_at_first(one) for name, one in _names.items() if _is_of(_module, one)}
_at_first["subprocess"]["os"] = SimpleNamespace(**vars(os))
_main, _main_ident = threading.main_thread(), threading.main_thread().ident
_current_thread: Callable[[], threading.Thread] = _at_first["threading"]["current_thread"]


def current_thread() -> threading.Thread:
    """The thread of the system that runs this, whatever a notebook does to `threading`.

    gevent gives the main thread another number. Python's own would not find it, and would put a dummy in its
    place for everybody.
    """
    return _main if _at_first["threading"]["get_ident"]() == _main_ident else _current_thread()


_at_first["threading"]["current_thread"] = current_thread


def _keeping(kind: T) -> T:
    """Let the methods of `kind` be those of the class that it is made from, `_as_at_first`."""
    original = kind.__mro__[1]
    for name, method in vars(original).items():
        if _is_of(original.__module__, method) and name not in vars(kind):
            setattr(kind, name, _as_at_first(method))
    _at_first[original.__module__][kind.__name__] = kind
    return kind


@_keeping
class Condition(threading.Condition):
    """Python's own, whatever a notebook does to `threading`."""


@_keeping
class Event(threading.Event):
    """Python's own, whatever a notebook does to `threading`."""


@_keeping
class Thread(threading.Thread):
    """A thread of the system, whatever a notebook does to `threading`."""


@_keeping
class Popen(subprocess.Popen[bytes]):
    """Python's own, whatever a notebook does to `subprocess`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # where it is noted which cell starts it


#: For modules that are imported later on; the others may take it from `queue`.
SimpleQueue = queue.SimpleQueue


def leave_debugger() -> None:
    """Let the debugger, if there is one, not stop the calling thread."""
    find = getattr(sys.modules.get("pydevd"), "get_global_debugger", lambda: None)
    debugger: Any = find()
    if debugger is not None:
        debugger.disable_tracing()


class HiddenThread(Thread):
    """One that the debugger never stops.

    From Python 3.12 on debugpy looks at the second of the two names alone, also where another thread is at a
    breakpoint and it holds the others. There it may take a thread for one that has ended and had the same
    number, so this one says itself that it is not to be stopped.
    """

    pydev_do_not_trace = is_pydev_daemon_thread = True

    def run(self) -> None:
        """Overridden to say so."""
        leave_debugger()
        super().run()


def readable(descriptors: Iterable[int], seconds: float | None = None) -> list[int]:
    """Wait until one of `descriptors` can be read, is at its end, or is closed, but no longer than `seconds`.

    Return those of which that is true. `select.select` refuses numbers above 1,023, which open files reach.
    Thread: any.
    """
    if _poll is None:  # Windows, which knows no such limit
        return select.select(list(descriptors), [], [], seconds)[0]
    poll = _poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    ready = poll.poll(None if seconds is None else math.ceil(seconds * 1000))
    return [descriptor for descriptor, _ in ready]


def writable(descriptor: int, seconds: float) -> bool:
    """Wait until `PIPE_BUF` bytes can be written, or that fails at once, but for no longer than `seconds`."""
    if _poll is None:  # Windows, where pipes cannot be asked
        return True
    poll = _poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(math.ceil(seconds * 1000)))


class Timers(Protocol):
    """Calls functions later on, on a thread that runs no code of the user's."""

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        """Call `function` after `seconds`. Thread: any, also in a signal handler: it starts no thread."""
