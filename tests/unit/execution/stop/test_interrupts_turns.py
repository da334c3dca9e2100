"""`%stop N`: a signal that is meant for one cell, sent by another thread, hits that cell or nothing."""

from __future__ import annotations

import itertools
import signal
import sys
import threading
from typing import Any

import pytest

from namespace_kernel.execution.stop import interrupts
from tests.unit.execution.stop.test_interrupts import Desk, desk
from tests.unit.fakes import PATIENCE

__all__ = ["desk"]

ROUNDS = 2_000


class SlowSystem:
    """The `signal` module where a signal arrives with the main thread's next call of the system."""

    def __init__(self) -> None:
        self.on_its_way: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(signal, name)

    def pthread_kill(self, thread: int, number: int) -> None:
        self.on_its_way.append(number)

    def pthread_sigmask(self, how: int, numbers: object) -> None:
        self.arrive()

    def arrive(self) -> None:
        while self.on_its_way:
            signal.raise_signal(self.on_its_way.pop())


def test_the_cell_that_is_meant_is_stopped(desk: Desk) -> None:
    controller = desk.controller
    controller.begin_cell()
    turn = controller.turn
    stopper = threading.Thread(target=controller.stop_turn, args=(turn,))

    def cell() -> None:
        stopper.start()
        threading.Event().wait(PATIENCE)

    assert isinstance(desk.run_sync(cell).error, KeyboardInterrupt)
    controller.end_cell()


def test_a_stop_for_a_cell_that_has_ended_is_not_sent(desk: Desk) -> None:
    controller = desk.controller
    assert not controller.stop_turn(controller.turn), "none has begun"
    controller.begin_cell()
    turn = controller.turn
    controller.end_cell()
    assert not controller.stop_turn(turn)
    controller.begin_cell()
    assert not controller.stop_turn(turn)
    assert desk.run_sync(lambda: 42).unwrap() == 42
    controller.end_cell()


def test_a_stop_that_arrives_at_a_cell_s_end_hits_neither_the_next_nor_a_side_cell(desk: Desk) -> None:
    controller = desk.controller
    controller.begin_cell()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # so it is on its way for a while
    assert controller.stop_turn(controller.turn)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    controller.end_cell()
    controller.begin_cell()
    assert desk.run_sync(lambda: 42).unwrap() == 42
    controller.end_cell()
    assert desk.strayed == []


def test_the_end_of_a_cell_lets_arrive_what_was_sent_for_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal may take a moment to another processor, and the main thread is elsewhere by then."""
    system = SlowSystem()
    monkeypatch.setattr(interrupts, "signal", system)
    desk.controller.begin_cell()
    assert desk.controller.stop_turn(desk.controller.turn) and system.on_its_way
    desk.controller.end_cell()
    system.arrive()
    assert desk.strayed == []


def test_in_a_storm_each_stop_hits_the_cell_that_it_names_or_none(desk: Desk) -> None:
    controller = desk.controller
    sent: set[int] = set()
    over = threading.Event()

    def storm() -> None:
        while not over.is_set():
            turn = controller.turn
            if controller.stop_turn(turn):
                sent.add(turn)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # or the storm would only ever come between two cells
    thread = threading.Thread(target=storm)
    thread.start()
    hit: set[int] = set()
    try:
        for number in itertools.count():
            if number >= ROUNDS and hit:  # on a busy machine the storm may begin late
                break
            controller.begin_cell()
            try:
                outcome = desk.run_sync(lambda: sum(range(200)))
                stopped = isinstance(outcome.error, KeyboardInterrupt)
            except KeyboardInterrupt:
                stopped = True
            controller.end_cell()
            assert desk.is_ours()
            if stopped:
                hit.add(controller.turn)
    finally:
        over.set()
        thread.join(PATIENCE)
        sys.setswitchinterval(interval)
    assert hit and hit <= sent
    assert desk.strayed == []
