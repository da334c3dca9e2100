"""While asyncio's code touches what the loop touches, too, the user loop stands still: function by function.

The storms in test_asyncio_from_outside.py find what gets lost if luck has it; here nothing is left to luck.
The loop has a task that never waits. So it turns all the time, unless it stands still.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import pytest

from namespace_kernel.base.patching import Patches
from namespace_kernel.execution.user_loop.asyncio_names import STILL
from namespace_kernel.execution.user_loop.asyncio_patch import AsyncioFront
from tests.unit.execution.user_loop.policies import may_set_policies
from tests.unit.fakes import PATIENCE, LoopUnderTest

pytestmark = may_set_policies

Call = Callable[[], Any]

_ASYNCIO = os.path.dirname(asyncio.__file__)
#: Seconds in which the loop may turn once, at the beginning of each function of asyncio's.
_CHANCE = 0.02


@pytest.fixture
def spinning(home: LoopUnderTest) -> Iterator[LoopUnderTest]:
    over = False

    async def spin() -> None:
        while not over:
            await asyncio.sleep(0)

    front = AsyncioFront(home.loop, lambda: threading.current_thread() is threading.main_thread())
    with Patches(*front.patches):
        task = home.loop.create_task(spin())
        yield home
        run(home, close_all())
        over = True
        home.loop.run_until_complete(task)
    asyncio.set_event_loop_policy(None)


def turns_meanwhile(home: LoopUnderTest, call: Call) -> tuple[Any, int]:
    """What `call()` returns, and how often the loop has turned while asyncio's functions ran in it."""
    turned: list[int] = []

    def trace(frame: FrameType, event: str, argument: object) -> None:
        if frame.f_code.co_filename.startswith(_ASYNCIO):
            turns, until = home.loop.turns, time.monotonic() + _CHANCE
            while home.loop.turns == turns and time.monotonic() < until:
                time.sleep(_CHANCE / 20)
            turned.append(home.loop.turns - turns)

    gc.disable()  # an older loop's end is asyncio's code, too
    sys.settrace(trace)
    try:
        result = call()
    finally:
        sys.settrace(None)
        gc.enable()
    assert turned, "no function of asyncio's was called"
    return result, sum(turned)


async def soon(value: Any = None) -> Any:
    return value


async def result_of(future: Any) -> Any:
    return await future


def run(home: LoopUnderTest, coroutine: Any) -> Any:
    return home.loop.run_until_complete(coroutine)


#: Servers, writers and entered managers, to be closed at the test's end.
opened: list[Any] = []


async def close_all() -> None:
    while opened:
        one = opened.pop()
        one.close()
        await one.wait_closed()


def queue(*items: int) -> asyncio.Queue[int]:
    one: asyncio.Queue[int] = asyncio.Queue()
    for item in items:
        one.put_nowait(item)
    return one


def locked(home: LoopUnderTest, one: Any) -> Any:
    run(home, one.acquire())
    return one


class Inside:
    """A task of its own that has entered a manager, and leaves it when it is closed."""

    def __init__(self, home: LoopUnderTest, make: Callable[[], Any]) -> None:
        self._entered = home.loop.create_future()
        self._over = asyncio.Event()
        self._task = asyncio.create_task(self._hold(make))
        self.manager = run(home, result_of(self._entered))
        opened.append(self)

    async def _hold(self, make: Callable[[], Any]) -> None:
        async with make() as manager:
            self._entered.set_result(manager)
            await self._over.wait()

    def close(self) -> None:
        self._over.set()

    async def wait_closed(self) -> None:
        await self._task


def reader(home: LoopUnderTest) -> asyncio.StreamReader:
    return asyncio.StreamReader(loop=home.loop)


def server(home: LoopUnderTest) -> asyncio.Server:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    one: asyncio.Server = run(home, asyncio.start_server(echo, "127.0.0.1", 0))
    opened.append(one)
    return one


def writer(home: LoopUnderTest) -> Any:
    address = server(home).sockets[0].getsockname()
    opened.append(run(home, asyncio.open_connection(*address))[1])
    return opened[-1]


def wrapping(home: LoopUnderTest) -> Call:
    one = asyncio.run_coroutine_threadsafe(soon(), home.loop)
    return partial(asyncio.wrap_future, one)


def completing(home: LoopUnderTest) -> Call:
    """Until Python 3.12 it is a generator, and works when it is asked."""
    is_generator = sys.version_info < (3, 13)
    return lambda: [*asyncio.as_completed([soon()])] if is_generator else asyncio.as_completed([soon()])


def creating(home: LoopUnderTest) -> Call:
    group = Inside(home, asyncio.TaskGroup).manager
    return lambda: group.create_task(soon())


def rescheduling(home: LoopUnderTest) -> Call:
    return partial(Inside(home, lambda: asyncio.timeout(None)).manager.reschedule, None)


#: What is called, after what is made ready for it. Some are not there in every version.
CALLS: dict[str, Callable[[LoopUnderTest], Call]] = {
    "gather": lambda home: lambda: asyncio.gather(soon(), soon()),
    "shield": lambda home: lambda: asyncio.shield(soon()),
    "as_completed": completing,
    "ensure_future": lambda home: lambda: asyncio.ensure_future(soon()),
    "wrap_future": wrapping,
    "Queue.put_nowait": lambda home: partial(queue().put_nowait, 1),
    "Queue.get_nowait": lambda home: queue(1).get_nowait,
    "Queue.task_done": lambda home: queue(1).task_done,
    "Queue.shutdown": lambda home: queue(1).shutdown,  # type: ignore[attr-defined]
    "Event.set": lambda home: asyncio.Event().set,
    "Event.clear": lambda home: asyncio.Event().clear,
    "Lock.release": lambda home: locked(home, asyncio.Lock()).release,
    "Semaphore.release": lambda home: asyncio.Semaphore(0).release,
    "BoundedSemaphore.release": lambda home: locked(home, asyncio.BoundedSemaphore()).release,
    "Condition.notify": lambda home: locked(home, asyncio.Condition()).notify,
    "Condition.notify_all": lambda home: locked(home, asyncio.Condition()).notify_all,
    "TaskGroup.create_task": creating,
    "Timeout.reschedule": rescheduling,
    "StreamReader.feed_data": lambda home: partial(reader(home).feed_data, b"x"),
    "StreamReader.feed_eof": lambda home: reader(home).feed_eof,
    "StreamReader.set_exception": lambda home: partial(reader(home).set_exception, OSError()),
    "StreamWriter.write": lambda home: partial(writer(home).write, b"x"),
    "StreamWriter.writelines": lambda home: partial(writer(home).writelines, [b"x"]),
    "StreamWriter.write_eof": lambda home: writer(home).write_eof,
    "StreamWriter.close": lambda home: writer(home).close,
    "Server.close": lambda home: server(home).close,
    "Server.close_clients": lambda home: server(home).close_clients,  # type: ignore[attr-defined]
    "Server.abort_clients": lambda home: server(home).abort_clients,  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("name", CALLS)
def test_the_loop_stands_still_while_a_cell_s_thread_is_in_asyncio(
    name: str, spinning: LoopUnderTest
) -> None:
    kind, _, method = name.rpartition(".")
    if not hasattr(getattr(asyncio, kind) if kind else asyncio, method):
        pytest.skip("this Python has no such function")
    call = CALLS[name](spinning)
    result, turns = turns_meanwhile(spinning, call)
    assert turns == 0
    for one in result if isinstance(result, list) else [result]:
        if inspect.isawaitable(one):
            run(spinning, result_of(one))


def test_the_loop_does_turn_while_another_s_function_runs(spinning: LoopUnderTest) -> None:
    """Else the test above could not fail."""
    until = time.monotonic() + PATIENCE
    while not turns_meanwhile(spinning, lambda: asyncio.iscoroutine(soon))[1]:
        assert time.monotonic() < until


def test_every_method_that_is_patched_is_called_here() -> None:
    patched = {f"{kind.__name__}.{name}" for kind, names in STILL for name in names}
    assert patched == {name for name in CALLS if "." in name}
