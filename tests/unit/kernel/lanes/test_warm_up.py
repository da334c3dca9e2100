"""What is done ahead while nothing runs: when it begins, when it pauses, and how it ends."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from namespace_kernel.kernel.lanes import warm_up
from namespace_kernel.kernel.lanes.lanes import Lane
from namespace_kernel.kernel.lanes.warm_up import WarmUp
from namespace_kernel.kernel.wire.request import Request

PERSON, PROGRAM = {"allow_stdin": True}, {"allow_stdin": False}


def request(content: dict[str, Any]) -> Request:
    replies: Any = None
    return Request([], {"header": {}, "msg_type": "execute_request", "content": content}, replies)


class Kernel:
    """A lane, timers that are set off by the test, and steps that note that they were taken."""

    def __init__(self, fails: type[Exception] | None = None) -> None:
        bridge: Any = None
        self.lane = Lane(None, contextvars.copy_context(), bridge)
        self.timers: list[Callable[[], object]] = []
        self.taken: list[int] = []
        self.fails = fails
        self.warm_up = WarmUp(self.lane, self, self.steps())

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        assert seconds == warm_up._MOMENT
        self.timers.append(function)

    def steps(self) -> Iterator[None]:
        for number in range(3):
            if self.fails is not None:
                raise self.fails
            self.taken.append(number)
            if number == 1:
                self.second_step()
            yield

    def second_step(self) -> None:
        """While it is taken."""

    def cell(self, content: dict[str, Any] = PERSON) -> None:
        self.lane.served += 1
        self.warm_up.cell_ended(request(content))

    def moment(self) -> None:
        """A moment goes by, and what it sets off is done."""
        before = set(threading.enumerate())
        self.timers.pop(0)()
        for thread in set(threading.enumerate()) - before:
            thread.join()


def test_steps_are_taken_after_a_moment_and_once() -> None:
    kernel = Kernel()
    kernel.cell()
    assert kernel.taken == []
    kernel.moment()
    assert kernel.taken == [0, 1, 2] and not kernel.timers
    kernel.cell()
    assert not kernel.timers


@pytest.mark.parametrize("content", [PROGRAM, {}])
def test_none_is_taken_for_a_program(content: dict[str, Any]) -> None:
    kernel = Kernel()
    kernel.cell(content)
    assert not kernel.timers
    kernel.cell(PERSON)
    assert kernel.timers


def test_none_is_taken_while_cells_run_wait_or_have_just_run() -> None:
    kernel = Kernel()
    kernel.cell()
    kernel.lane.running = request(PERSON)
    kernel.moment()
    kernel.lane.running = None
    kernel.lane.put(request(PERSON))
    kernel.moment()
    kernel.lane.take_waiting()
    kernel.cell()
    kernel.moment()
    assert kernel.taken == []
    kernel.moment()
    assert kernel.taken == [0, 1, 2]


def test_a_cell_that_comes_in_a_step_is_waited_for_before_the_next() -> None:
    kernel = Kernel()

    def begin() -> None:
        kernel.lane.running = request(PERSON)

    kernel.second_step = begin  # type: ignore[method-assign]
    kernel.cell()
    kernel.moment()
    assert kernel.taken == [0, 1]
    kernel.moment()
    assert kernel.taken == [0, 1]
    kernel.lane.running = None
    kernel.moment()
    assert kernel.taken == [0, 1, 2] and not kernel.timers


def test_a_cell_that_came_and_went_in_a_step_is_followed_by_a_moment_of_rest() -> None:
    kernel = Kernel()
    kernel.second_step = kernel.cell  # type: ignore[method-assign]
    kernel.cell()
    kernel.moment()
    assert kernel.taken == [0, 1]
    kernel.moment()
    assert kernel.taken == [0, 1, 2] and not kernel.timers


@pytest.mark.parametrize("error", [ImportError, RecursionError, ValueError])
def test_a_step_that_fails_is_the_last_and_nobody_is_told(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    kernel = Kernel(error)
    kernel.cell()
    kernel.moment()
    assert not kernel.timers and not caplog.messages
