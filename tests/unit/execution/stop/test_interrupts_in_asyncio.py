"""A Stop while asyncio's own code executes, which the cell has called: what it has begun it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

import psutil
import pytest

from namespace_kernel import Outcome
from namespace_kernel.execution.stop import async_code, thread_stop
from namespace_kernel.execution.stop.thread_stop import Steps
from tests.unit.execution.stop.test_interrupts import Desk, desk
from tests.unit.execution.stop.test_interrupts_everywhere import ASYNCIO, OURS, StopAt, stopped_at_each_point
from tests.unit.fakes import PATIENCE, execution_of

__all__ = ["desk"]


class StopInFrame(StopAt):
    """As `StopAt`, and the handler sees the frame that is profiled, as where no function profiles it."""

    def send(self, frame: FrameType) -> None:
        """See `StopAt`."""
        handler: Any = signal.getsignal(signal.SIGINT)
        handler(signal.SIGINT, frame)


class Connection:
    """A transport of the user loop, and the other end."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.transport: asyncio.Transport

    async def open(self) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_connection(asyncio.Protocol, sock=self.ours)
        return self.transport

    async def close(self) -> bool:
        """Close it as one would; whether it then is."""
        self.transport.close()
        for _ in range(3):
            await asyncio.sleep(0)
        self.theirs.close()
        return self.ours.fileno() == -1


@pytest.mark.parametrize("it_waits", [False, True], ids=["last", "then it waits"])
@pytest.mark.parametrize("what", ["close", "abort", "write_eof"])
def test_a_transport_is_open_or_closed_wherever_a_stop_came(desk: Desk, what: str, it_waits: bool) -> None:
    opened: list[Connection] = []

    async def cell(stop: StopAt) -> int:
        opened.append(Connection())
        transport = await opened[-1].open()
        stop.armed = True
        getattr(transport, what)()
        if it_waits:
            await asyncio.sleep(0)
        stop.armed = False
        return 42

    def run(stop: StopAt) -> Any:
        stop.armed = False
        return desk.home.visit(cell(stop)).unwrap()

    def is_whole() -> bool:
        closed: bool = desk.home.at_home(opened[-1].close())
        return closed

    assert stopped_at_each_point(run, is_whole, ASYNCIO, kind=StopInFrame, least=1) == []
    assert is_whole() and desk.home.reported == []


def test_a_task_is_made_or_not_wherever_a_stop_came(desk: Desk) -> None:
    """Where it is made, its coroutine runs or is closed: Python would tell of one that nobody awaits."""
    coroutines: list[Any] = []

    async def child() -> None:
        await asyncio.sleep(0)

    async def cell(stop: StopAt) -> int:
        stop.armed = True
        coroutines.append(child())
        await asyncio.create_task(coroutines[-1])
        stop.armed = False
        return 42

    def run(stop: StopAt) -> Any:
        stop.armed = False
        return desk.home.visit(cell(stop)).unwrap()

    def is_over() -> bool:
        desk.home.at_home(asyncio.sleep(0))
        return coroutines[-1].cr_frame is None

    assert stopped_at_each_point(run, is_over, ASYNCIO, OURS, kind=StopInFrame) == []


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_server_is_the_cell_s_or_listens_no_more_wherever_a_stop_came(
    desk: Desk, kind: str, tmp_path: Path
) -> None:
    def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def cell(stop: StopAt) -> int:
        stop.armed = True
        server = await (
            asyncio.start_server(answer, "127.0.0.1", 0)
            if kind == "tcp"
            else asyncio.start_unix_server(answer, tmp_path / "socket")
        )
        stop.armed = False
        server.close()
        return 42

    def run(stop: StopAt) -> Any:
        stop.armed = False
        return desk.home.visit(cell(stop)).unwrap()

    async def watched() -> int:
        return len(asyncio.get_running_loop()._selector.get_map())  # type: ignore[attr-defined]

    before = desk.home.at_home(watched())
    wrong = stopped_at_each_point(
        run, lambda: bool(desk.home.at_home(watched()) == before), ASYNCIO, kind=StopInFrame
    )
    assert wrong == [] and desk.home.reported == []


def test_a_cell_that_starts_a_child_ends_wherever_a_stop_came(desk: Desk) -> None:
    """asyncio waits for the end of the child, if it is cancelled, and needs a task of its own for that."""
    ended_late: list[str | None] = []

    async def cell(stop: StopAt) -> int:
        task: Any = asyncio.current_task()
        late = asyncio.get_running_loop().call_later(
            5, lambda: [ended_late.append(stop.where), task.cancel()]
        )
        stop.armed = True
        try:
            child = await asyncio.create_subprocess_exec("sleep", "10000")
            stop.armed = False
            child.kill()
            await child.wait()
            return 42
        finally:
            stop.armed = False
            late.cancel()
            # As in Python, one is there if the Stop came after its start.
            for one in psutil.Process().children():
                if one.name() == "sleep":
                    one.kill()

    def run(stop: StopAt) -> Any:
        stop.armed = False
        return desk.home.visit(cell(stop)).unwrap()

    assert stopped_at_each_point(run, lambda: True, ASYNCIO, kind=StopInFrame) == []
    assert ended_late == []


class Chance(threading.Thread):
    """Calls, soon, what waits for its time."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(daemon=True)
        self._desk = desk
        self.calls = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.001):
            while self._desk.later:
                self.calls += 1
                self._desk.later.pop(0)()


@pytest.fixture
def chance(desk: Desk) -> Iterator[Chance]:
    one = Chance(desk)
    one.start()
    desk.controller.begin_cell()
    yield one
    one.ended.set()
    one.join()
    desk.controller.end_cell()


def of_asyncio(function: Callable[[Any], None]) -> Callable[[Any], None]:
    """`function` as if it stood in one of asyncio's files."""
    code = function.__code__.replace(co_filename=f"{ASYNCIO}/events.py")
    return FunctionType(code, globals(), closure=function.__closure__)


def be_busy(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def be_stopped_and_busy(seconds: float) -> None:
    signal.raise_signal(signal.SIGINT)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


@pytest.mark.parametrize("where", ["the cell", "a task of it", "a callback of it"])
def test_what_was_kept_back_comes_when_asyncio_has_returned(desk: Desk, chance: Chance, where: str) -> None:
    desk.cells.append(__file__)
    reached: list[str] = []

    def work() -> None:
        of_asyncio(be_stopped_and_busy)(0.01)
        reached.append("the end of asyncio's")
        be_busy(PATIENCE)  # and not blocked: here nobody sends a signal again that came just before that
        reached.append("the end")

    async def task() -> None:
        work()

    async def cell() -> None:
        if where == "the cell":
            work()
        elif where == "a task of it":
            await asyncio.create_task(task())
        else:
            asyncio.get_running_loop().call_soon(work)
            await asyncio.Event().wait()

    execution = execution_of()
    error = desk.home.visit(cell(), execution).error
    assert isinstance(error, KeyboardInterrupt if where == "the cell" else asyncio.CancelledError)
    assert reached == ["the end of asyncio's"] and execution.interrupted
    assert desk.home.visit(asyncio.sleep(0, 42)).unwrap() == 42


def be_stopped_and_begin(coroutine: Any) -> None:
    signal.raise_signal(signal.SIGINT)
    options: dict[str, Any] = {"eager_start": True}
    asyncio.Task(coroutine, loop=asyncio.get_running_loop(), **options)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
@pytest.mark.parametrize("where", ["the cell", "a callback of it"])
def test_what_was_kept_back_comes_in_the_first_step_of_an_eager_task(
    desk: Desk, chance: Chance, where: str
) -> None:
    desk.cells.append(__file__)
    reached: list[str] = []

    async def child() -> None:
        reached.append("its beginning")
        be_busy(PATIENCE)
        reached.append("its end")

    def begin() -> None:
        of_asyncio(be_stopped_and_begin)(child())

    async def cell() -> None:
        try:
            if where == "the cell":
                begin()
            else:
                asyncio.get_running_loop().call_soon(begin)
                await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            reached.append("the end of the cell's finally")

    error = desk.home.visit(cell()).error
    assert isinstance(error, KeyboardInterrupt if where == "the cell" else asyncio.CancelledError)
    assert reached == ["its beginning", "the end of the cell's finally"]


def test_asyncio_s_own_code_that_does_not_return_is_ended(
    desk: Desk, chance: Chance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_code, "MOST", 0.2)
    reached: list[str] = []

    async def cell() -> None:
        of_asyncio(be_stopped_and_busy)(PATIENCE)
        reached.append("the end of asyncio's")

    assert isinstance(desk.home.visit(cell()).error, KeyboardInterrupt)
    assert reached == [] and chance.calls > 1


def test_a_cell_that_was_cancelled_meanwhile_is_not_hit_again(desk: Desk, chance: Chance) -> None:
    """Its `finally` runs to its end."""
    reached: list[str] = []

    async def cell() -> None:
        try:
            of_asyncio(be_stopped_and_busy)(0)
            await asyncio.sleep(PATIENCE)
        finally:
            began = chance.calls
            while chance.calls == began:
                time.sleep(0.001)
            time.sleep(0.01)
            reached.append("the end")

    assert isinstance(desk.home.visit(cell()).error, asyncio.CancelledError)
    assert reached == ["the end"]


@pytest.mark.parametrize("most", [PATIENCE, 0.01], ids=["returns", "does not return"])
def test_a_cell_in_the_background_is_not_hit_in_asyncio_s_own_code(
    most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_stop, "MOST", most)
    reached: list[str] = []
    is_busy = threading.Event()

    def work(seconds: float) -> None:
        is_busy.set()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass

    async def body() -> Outcome:
        try:
            of_asyncio(work)(0.1 if most == PATIENCE else PATIENCE)
            reached.append("the end of asyncio's")
            be_busy(PATIENCE)
            return Outcome()
        except KeyboardInterrupt as error:
            return Outcome(error=error)

    async def main() -> Outcome:
        steps = Steps(body())
        task: asyncio.Task[Outcome] = asyncio.Task(steps)
        stopper = threading.Thread(target=lambda: is_busy.wait() and steps.stop())
        stopper.start()
        outcome = await task
        stopper.join()
        return outcome

    assert isinstance(asyncio.run(main()).error, KeyboardInterrupt)
    assert reached == (["the end of asyncio's"] if most == PATIENCE else [])
