"""Questions to the user: one at a time, and behind what was printed."""

from __future__ import annotations

import threading
from typing import Any

from namespace_kernel.kernel.stdin import Questions
from tests.unit.fakes import PATIENCE, WatchedLock


class Desk:
    """The streams, the publishing thread and the socket; writes down what is done in which order."""

    router_mandatory = False

    def __init__(self) -> None:
        self.done: list[str] = []
        parts: Any = self
        self.questions = Questions(parts, parts, parts)

    def flush(self) -> None:
        self.done.append("flushed")

    def wait_until_sent(self) -> None:
        self.done.append("sent")


def test_what_was_printed_has_arrived_before_a_question_is_asked() -> None:
    desk = Desk()

    def question() -> str:
        desk.done.append("asked")
        return "an answer"

    assert desk.questions.ask(question) == "an answer"
    assert desk.done == ["flushed", "sent", "asked"]


def test_of_two_cells_that_ask_at_once_the_second_waits_for_the_first_one_s_answer() -> None:
    desk = Desk()
    lock = WatchedLock(desk.questions._asking)
    desk.questions._asking = lock  # type: ignore[assignment]
    answers: list[str] = []

    def first() -> str:
        other.start()
        assert lock.moved.wait(PATIENCE)  # it waits, or has asked
        desk.done.append("first is answered")
        return "one"

    def second() -> str:
        desk.done.append("second is asked")
        lock.moved.set()
        return "two"

    other = threading.Thread(target=lambda: answers.append(desk.questions.ask(second)))
    answers.append(desk.questions.ask(first))
    other.join(PATIENCE)
    assert [one for one in desk.done if "is" in one] == ["first is answered", "second is asked"]
    assert answers == ["one", "two"]
