"""What an executor is given, and what it promises.

Every execution is a coroutine; executors differ only in who drives it. A sync cell's coroutine never
suspends, so one `send` runs it to its end, in the calling thread and with no loop running. Thereby
the stages of a cell are written once for sync and async.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any, TypeVar

from .cell import Cell, Route
from .weak_references import WeakThings

T = TypeVar("T")


@dataclass(slots=True, eq=False, weakref_slot=True)
class Execution:
    """One cell while it runs.

    `tasks`, `threads` and `jobs` (of thread pools) are those that it started, directly or through others,
    while any is alive. `own_task` is the one that runs an async cell. `home` is the context in which output
    is the cell's. `interrupted` is set when Stop was meant for it, `finished` when its own code is over,
    `settled` when the post-cell hooks are through. `others_print` if the cell's latest text is of a task
    or a thread that it started. `since` is `time.time()`. `owner` is, for a widget's
    callback, the cell under which its output appears. `kept` is what single features keep with it, by class.
    """

    cell: Cell
    route: Route
    tasks: WeakThings[asyncio.Task[Any]] = field(default_factory=WeakThings)
    threads: WeakThings[threading.Thread] = field(default_factory=WeakThings)
    jobs: WeakThings[concurrent.futures.Future[Any]] = field(default_factory=WeakThings)
    own_task: asyncio.Task[Any] | None = None
    owner: Execution | None = None
    home: Context | None = None
    interrupted: bool = False
    finished: bool = False
    settled: bool = False
    others_print: bool = False
    thread_ident: int = field(default_factory=get_ident)
    since: float = field(default_factory=time.time)
    kept: dict[type, Any] = field(default_factory=dict)

    def find(self, kind: type[T]) -> T | None:
        """What is kept of the class `kind`. Thread: any."""
        return self.kept.get(kind)

    def keep(self, thing: T) -> T:
        """Keep `thing`, or return what is kept of its class already. Thread: any."""
        kept: T = self.kept.setdefault(type(thing), thing)
        return kept

    def begin(self, context: Context) -> None:
        """Make this the current execution in `context`, where its code will run."""
        context.run(current_execution.set, self)
        self.home = context.copy()

    def at_home(self, function: Callable[..., T], *args: Any) -> T:
        """Call `function` where output is the cell's. Thread: any."""
        return function(*args) if self.home is None else self.home.copy().run(function, *args)


class RaisedInLoop:
    """What the loop itself has raised while a cell waited, as a signal's handler does. It ends the cell."""

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self._trace = error.__traceback__

    def behind(self, cancelled: BaseException) -> BaseException:
        """Return it, with where the cell waited before its own traceback."""
        first = last = cancelled.__traceback__
        while last is not None and last.tb_next not in (None, self._trace):
            last = last.tb_next
        if last is None:
            return self._error.with_traceback(self._trace)
        last.tb_next = self._trace
        return self._error.with_traceback(first)


#: The execution whose code is running, inherited by its tasks and the contexts copied from it.
current_execution: ContextVar[Execution | None] = ContextVar("current_execution", default=None)


def complete(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, in the calling thread; return its result.

    Raises `RuntimeError` if it does suspend; it is closed then.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} awaited something where no event loop drives it")
