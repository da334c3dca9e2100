"""`DeferredCoroutine`: what takes the place of a closed coroutine that someone can still reach."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Coroutine, Generator
from types import FunctionType, TracebackType
from typing import Any, TypeAlias

from namespace_kernel.base.cell import Namespace
from namespace_kernel.base.errors import DeferredCoroutineError
from namespace_kernel.base.frames import unseen
from namespace_kernel.base.lines import NativeCoroutine

Positional: TypeAlias = tuple[object, ...]
Keywords: TypeAlias = dict[str, object]


class DeferredCoroutine(Coroutine[object, object, object]):
    """Awaitable once, by calling the coroutine function again with the same arguments.

    It is a `collections.abc.Coroutine`, so `await`, `asyncio.gather`, `create_task`, `asyncio.run` and
    `run_coroutine_threadsafe` take it. Until then nothing is open: dropping it costs nothing and
    warns of nothing. Awaiting it twice raises `DeferredCoroutineError`.

    Thread: the one that awaits it.
    """

    def __init__(self, function: Callable[..., Any], args: Positional, kwargs: Keywords) -> None:
        self._call: tuple[Callable[..., Any], Positional, Keywords] | None = (function, args, kwargs)
        self._coroutine: Any = None
        self._over = False
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__

    @classmethod
    def in_place_of(cls, coroutine: NativeCoroutine) -> DeferredCoroutine | None:
        """Make one for a coroutine that has not begun, or `None` if its function cannot be found."""
        frame = coroutine.cr_frame
        function = next(
            (
                one
                for one in gc.get_referents(coroutine)
                if isinstance(one, FunctionType) and one.__code__ is coroutine.cr_code
            ),
            None,
        )
        if frame is None or function is None:
            return None
        args, kwargs = _arguments(function, frame.f_locals)
        return cls(function, args, kwargs)

    def _claim(self) -> Any:
        if self._call is None:
            raise DeferredCoroutineError(
                f"`{self.__qualname__}()` was awaited already; "
                f"call `{self.__qualname__}(...)` again for a new one"
            )
        (function, args, kwargs), self._call = self._call, None
        return function(*args, **kwargs)

    @unseen
    def __await__(self) -> Generator[object, object, object]:
        result: Generator[object, object, object] = self._claim().__await__()
        return result

    @unseen
    def send(self, value: object) -> object:
        """Start or resume the coroutine (a task does)."""
        return self._step("send", value)

    @unseen
    def throw(self, typ: Any, val: Any = None, tb: TracebackType | None = None) -> object:
        """Raise an exception in the coroutine (a task does, to cancel it)."""
        error = typ if isinstance(typ, BaseException) else (typ() if val is None else typ(val))
        return self._step("throw", error if tb is None else error.with_traceback(tb))

    def _step(self, method: str, argument: object) -> object:
        if self._coroutine is None or self._over:
            self._coroutine = self._claim()
        try:
            return getattr(self._coroutine, method)(argument)
        except BaseException:
            self._over = True
            raise

    @unseen
    def close(self) -> None:
        """End the coroutine; an unstarted one can then no longer be awaited."""
        self._call = None
        if self._coroutine is not None:
            self._coroutine.close()

    def __repr__(self) -> str:
        state = "awaited" if self._call is None else "not awaited yet"
        return f"<deferred coroutine {self.__qualname__}, {state}>"


#: Python names a value's class in its errors, and the user has made a coroutine.
DeferredCoroutine.__name__ = "coroutine"


def _arguments(function: FunctionType, values: Namespace) -> tuple[Positional, Keywords]:
    """The arguments that `function` was called with, read from its frame before it began."""
    code = function.__code__
    names = code.co_varnames
    positional = code.co_argcount
    keyword_only = positional + code.co_kwonlyargcount
    args = tuple(values[name] for name in names[:positional])
    kwargs = {name: values[name] for name in names[positional:keyword_only]}
    rest = keyword_only
    if code.co_flags & inspect.CO_VARARGS:
        args += values[names[rest]]
        rest += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        kwargs.update(values[names[rest]])
    return args, kwargs
