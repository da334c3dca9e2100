"""Stop for a cell that shares the loop with others: where it arrives, and where it never does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from namespace_kernel.base.cell import Outcome
from namespace_kernel.execution.stop.thread_stop import Steps, ThreadStop


async def body(code: Callable[[], object], seen: list[str]) -> Outcome:
    """As the engine's: what the code raises is its outcome."""
    try:
        seen.append("began")
        result = code()
        if asyncio.iscoroutine(result):
            result = await result
        return Outcome(result)
    except BaseException as error:
        seen.append(type(error).__name__)
        return Outcome(error=error)


async def waiting() -> str:
    await asyncio.sleep(60)
    return "never"


def test_it_arrives_in_the_line_that_executes() -> None:
    seen: list[str] = []

    def busy() -> None:
        seen.append("busy")
        while True:
            time.sleep(0.001)

    async def main() -> Outcome:
        steps = Steps(body(busy, seen))
        task: asyncio.Task[Outcome] = asyncio.Task(steps)
        stopper = threading.Thread(target=stop_when_busy, args=(steps,))
        stopper.start()
        outcome = await task
        stopper.join()
        return outcome

    def stop_when_busy(steps: Steps) -> None:
        while "busy" not in seen:
            time.sleep(0.001)
        assert steps.stop()

    assert isinstance(asyncio.run(main()).error, KeyboardInterrupt)
    assert seen == ["began", "busy", "KeyboardInterrupt"]


async def test_one_that_waits_is_not_stopped_by_it() -> None:
    seen: list[str] = []
    steps = Steps(body(waiting, seen))
    task: asyncio.Task[Outcome] = asyncio.Task(steps)
    await asyncio.sleep(0)
    assert not steps.stop(), "its task is to be cancelled"
    task.cancel()
    assert isinstance((await task).error, asyncio.CancelledError)


async def test_one_that_comes_as_a_step_ends_arrives_where_the_cell_waits_next() -> None:
    seen: list[str] = []

    class Late(ThreadStop):
        def close(self) -> bool:
            super().close()
            return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("namespace_kernel.execution.stop.thread_stop.ThreadStop", Late)
        task: asyncio.Task[Outcome] = asyncio.Task(Steps(body(waiting, seen)))
        outcome = await asyncio.wait_for(task, 10)
    assert isinstance(outcome.error, KeyboardInterrupt)
    assert seen == ["began", "KeyboardInterrupt"]


async def test_one_that_comes_too_late_does_not_undo_a_cell_that_has_ended() -> None:
    class Late(ThreadStop):
        def close(self) -> bool:
            super().close()
            return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("namespace_kernel.execution.stop.thread_stop.ThreadStop", Late)
        task: asyncio.Task[Outcome] = asyncio.Task(Steps(body(lambda: 42, [])))
        assert (await task).value == 42


def test_stops_at_any_moment_end_the_cell_and_never_the_loop() -> None:
    async def ticking() -> None:
        while True:
            await asyncio.sleep(0)
            sum(range(50))

    async def neighbour(ticks: list[int], ended: asyncio.Event) -> None:
        while not ended.is_set():
            ticks.append(1)
            await asyncio.sleep(0)

    async def main() -> None:
        ticks: list[int] = []
        ended = asyncio.Event()
        other = asyncio.create_task(neighbour(ticks, ended))
        loop = asyncio.get_running_loop()
        for number in range(200):
            seen: list[str] = []
            steps = Steps(body(ticking, seen))
            task: asyncio.Task[Outcome] = asyncio.Task(steps)

            def stop(steps: Steps = steps, task: asyncio.Task[Outcome] = task, number: int = number) -> None:
                time.sleep(number % 7 / 5000)
                if not steps.stop():
                    loop.call_soon_threadsafe(task.cancel)

            thread = threading.Thread(target=stop)
            thread.start()
            try:
                outcome = await asyncio.wait_for(asyncio.shield(task), 20)
                assert isinstance(outcome.error, KeyboardInterrupt | asyncio.CancelledError)
            except asyncio.CancelledError:
                assert task.cancelled(), "before it began"
            await asyncio.to_thread(thread.join)
        before = len(ticks)
        await asyncio.sleep(0.01)
        assert len(ticks) > before
        ended.set()
        await other

    asyncio.run(main())


async def test_where_the_cell_stands_can_be_seen() -> None:
    steps = Steps(body(waiting, []))
    task: asyncio.Task[Outcome] = asyncio.Task(steps)
    await asyncio.sleep(0)
    assert steps.cr_frame.f_code.co_name == "body"
    assert steps.cr_await is not None
    assert not steps.cr_running
    task.cancel()
    await task


@pytest.mark.parametrize("closed", [False, True])
def test_what_comes_after_the_end_is_not_raised(closed: bool) -> None:
    raised: list[int] = []
    stop = ThreadStop()
    stop.again = lambda: raised.append(1)  # type: ignore[assignment]
    if closed:
        stop.close()
    assert stop.stop() is not closed
    assert len(raised) == (not closed)
    stop.close()


@pytest.mark.parametrize("times", [0, 1, 3])
def test_one_that_comes_while_the_cell_is_ending_is_told(times: int) -> None:
    class Interrupted:
        """A lock; a Stop comes just before it is taken."""

        left = times

        def __enter__(self) -> None:
            if self.left:
                self.left -= 1
                raise KeyboardInterrupt

        def __exit__(self, *details: object) -> None: ...

    stop = ThreadStop()
    stop._lock = Interrupted()  # type: ignore[assignment]
    assert stop.close() is (times > 0)
    assert ThreadStop.of_caller() is None
    assert not stop.stop()


async def test_one_between_two_steps_arrives_where_the_cell_goes_on() -> None:
    seen: list[str] = []
    goes_on = asyncio.Event()
    steps = Steps(body(goes_on.wait, seen))
    task: asyncio.Task[Outcome] = asyncio.Task(steps)
    await asyncio.sleep(0)
    assert not steps.stop() and steps.wanted
    goes_on.set()
    outcome = await asyncio.wait_for(task, 40)
    assert isinstance(outcome.error, KeyboardInterrupt) and not steps.wanted
    assert seen == ["began", "KeyboardInterrupt"]


async def test_one_before_the_first_step_keeps_the_cell_from_beginning() -> None:
    seen: list[str] = []
    steps = Steps(body(lambda: 42, seen))
    assert not steps.stop() and steps.wanted
    task: asyncio.Task[Outcome] = asyncio.Task(steps)
    await asyncio.wait({task}, timeout=40)
    assert task.cancelled() and seen == []


async def test_one_that_came_as_a_cancellation_is_not_wanted_any_more() -> None:
    seen: list[str] = []
    steps = Steps(body(waiting, seen))
    task: asyncio.Task[Outcome] = asyncio.Task(steps)
    await asyncio.sleep(0)
    assert not steps.stop()
    task.cancel()
    assert isinstance((await task).error, asyncio.CancelledError)
    assert not steps.wanted and seen == ["began", "CancelledError"]
