"""Small stand-ins: locks that tell, Stop that never comes, a user loop that writes down what it says."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import CoroutineType, FrameType
from typing import Any

from namespace_kernel import Cell, Context, Outcome, Route
from namespace_kernel.base.asyncio_tasks import was_never_started
from namespace_kernel.base.execution import Execution, complete, current_execution
from namespace_kernel.base.lines import Leak, Place
from namespace_kernel.execution.awaiting_cells import UserLoopExecutor
from namespace_kernel.execution.executor import Interrupts
from namespace_kernel.execution.user_loop.user_loop import UserLoop

# Longer than a loaded two-core machine ever needs.
PATIENCE = 30.0


async def answer(value: Any = 42) -> Any:
    return value


async def whereabouts() -> int:
    """The thread that runs the loop."""
    await asyncio.sleep(0)
    return threading.get_ident()


def is_closed(coroutine: CoroutineType[Any, Any, Any]) -> bool:
    return inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def execution_of(code: str = "", context: Context = Context.ASYNC, name: str = "cell") -> Execution:
    return Execution(Cell(code, name), Route(context, "a test says so", code))


def run_in_threads(*functions: Callable[[], None]) -> None:
    """All at once, to their ends; the first error is raised here."""
    start = threading.Barrier(len(functions))
    errors: list[BaseException] = []

    def run(function: Callable[[], None]) -> None:
        try:
            start.wait(PATIENCE)
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    if errors:
        raise errors[0]


class WatchedLock:
    """The lock that it is given; `moved` is set when a thread has to wait for it."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self.moved = threading.Event()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.moved.set()
            self._lock.acquire()

    def __exit__(self, *details: object) -> None:
        self._lock.release()


class NoLock:
    """What is left when the lock is taken away."""

    def acquire(self, blocking: bool = True) -> bool:
        return True

    def release(self) -> None:
        pass


class NoStop:
    """Implements `executor.Interrupts`: nobody presses Stop."""

    def sync_code(self, execution: Execution) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def async_code(self, *details: object) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def calling(self, stop: Callable[[], object]) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def waiting(self, execution: Execution) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


class SomeLines:
    """Implements `Lines`: a line in words is what the test says. The files of `cells` are cells'."""

    def __init__(self, words: str = "somewhere", cells: Iterable[str] = ()) -> None:
        self._words = words
        self._cells = cells

    def is_users_file(self, filename: str) -> bool:
        return True

    def is_cell_file(self, filename: str) -> bool:
        return filename in self._cells

    def cell_files(self) -> Iterable[str]:
        return self._cells

    def describe_frame(self, frame: FrameType) -> str:
        return self._words.format(frame.f_code.co_name)

    describe_line = describe_frame

    def place_of(self, place: Place | Leak) -> str:
        return f"line {place.line}"


class SomeTimers(list[Callable[[], object]]):
    """Implements `Timers`: the functions that wait to be called, by the test."""

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        self.append(function)


class NoNotices:
    """Implements `Notices`."""

    def notice(self, line: str) -> None:
        pass


class LoopUnderTest:
    """A user loop at home, and the main thread that borrows it."""

    def __init__(self, interrupts: Interrupts | None = None) -> None:
        self.notices: list[str] = []
        self.noticed = threading.Semaphore(0)
        self.reported: list[tuple[Execution | None, BaseException]] = []
        self.was_reported = threading.Semaphore(0)
        self.user_loop = UserLoop(self, self, self._report)
        self.loop: Any = self.user_loop.loop
        self.context = contextvars.copy_context()
        self.executor = UserLoopExecutor(self.user_loop, self.context, interrupts or NoStop())

    @property
    def thread(self) -> threading.Thread:
        """The home thread."""
        return next(one for one in threading.enumerate() if one.ident == self.user_loop.home_ident)

    def notice(self, line: str) -> None:
        """See `Notices`."""
        self.notices.append(line)
        self.noticed.release()

    def describe_frame(self, frame: FrameType) -> str:
        """See `Lines`."""
        return f"in {frame.f_code.co_name}"

    def is_users_file(self, filename: str) -> bool:
        """See `Lines`."""
        return True

    def is_cell_file(self, filename: str) -> bool:
        """See `Lines`."""
        return False

    def _report(self, error: BaseException, what: str) -> None:
        self.reported.append((current_execution.get(), error))
        self.was_reported.release()

    def visit(self, coroutine: Coroutine[Any, Any, Any], execution: Execution | None = None) -> Outcome:
        """Run `coroutine` as an async cell: on this thread, on the user loop."""

        async def body() -> Outcome:
            try:
                return Outcome(await coroutine)
            except BaseException as error:
                return Outcome(error=error)

        try:
            return complete(self.executor.run(execution or execution_of(), body()))
        finally:
            if was_never_started(coroutine):  # a Stop came before
                coroutine.close()

    def at_home(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run `coroutine` on the loop wherever that is, and wait."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def wait_for_notice(self) -> str:
        assert self.noticed.acquire(timeout=PATIENCE), "nothing was said"
        return self.notices[-1]


@contextlib.contextmanager
def user_loop_running(interrupts: Interrupts | None = None) -> Iterator[LoopUnderTest]:
    one = LoopUnderTest(interrupts)
    one.user_loop.start()
    try:
        yield one
    finally:
        one.user_loop.close(PATIENCE)
