"""A Stop at any instruction leaves no lock taken."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from operator import call
from types import FrameType
from typing import Any

import pytest

from namespace_kernel.base import threads

INTERRUPT = partial(_thread.interrupt_main, signal.SIGINT)
KINDS = {"Lock": threads.Lock, "RLock": threads.RLock}
pytestmark = pytest.mark.skipif(sys.gettrace() is not None, reason="the tracer is needed")


def use(lock: Any) -> None:
    with lock:
        pass


def take(lock: Any, taken: list[bool]) -> None:
    taken.append(lock.acquire(timeout=0))


def stop_at(number: int, function: Callable[[], object]) -> bool:
    """Call `function` with a Stop before its instruction of that number; whether it has one."""
    seen = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal seen
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen += 1
            if seen == number:
                sys.settrace(None)
                [_] = map(call, (INTERRUPT,))
        return trace

    try:
        sys._getframe().f_trace_opcodes = True  # Python 3.12 must know of it before `settrace`
        sys.settrace(trace)
        function()
        sys.settrace(None)
        for _ in range(10):
            int("5")
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    return seen >= number


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("warm", [False, True])
def test_a_stop_at_any_instruction_leaves_it_free(kind: Callable[[], Any], warm: bool) -> None:
    """`warm`: Python has put quicker instructions in the place of those that it has seen often."""
    lock = kind()
    for _ in range(1000 if warm else 0):
        use(lock)
    before, number = signal.signal(signal.SIGINT, signal.default_int_handler), 1
    try:
        while stop_at(number, partial(use, lock)):
            free: list[bool] = []
            other = threading.Thread(target=take, args=(lock, free))
            other.start()
            other.join()
            assert free == [True], number
            lock = kind()
            number += 1
    finally:
        signal.signal(signal.SIGINT, before)
    assert number > 10


def test_one_waits_for_it_and_only_a_reentrant_one_is_taken_twice() -> None:
    for kind, again in ((threads.Lock, False), (threads.RLock, True)):
        lock: Any = kind()
        with lock:
            assert lock.acquire(blocking=False) is again
            if again:
                lock.release()
            entered = threading.Event()
            other = threading.Thread(target=lambda taken=lock, said=entered: (use(taken), said.set()))
            other.start()
        other.join()
        assert entered.is_set()


def test_a_condition_may_have_it() -> None:
    lock: Any = threads.RLock()
    condition = threading.Condition(lock)
    with lock, condition:
        assert condition.wait(timeout=0) is False  # it gave all of it back meanwhile
    use(condition)


def test_a_child_may_make_it_free() -> None:
    for kind in KINDS.values():
        lock: Any = kind()
        lock.acquire()
        lock._at_fork_reinit()
        use(lock)
