"""Messages of forked children: whole, in order, and nobody waits for a parent that is gone."""

from __future__ import annotations

import os
import random
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from namespace_kernel.attribution.from_children import FromChildren

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forked children"),
    pytest.mark.filterwarnings("ignore:This process .*fork:DeprecationWarning"),
]


def in_child(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def code_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


SIZES = (0, 1, 100, 4086, 4087, 10_000, 70_000)


def test_messages_of_many_children_and_their_threads_are_whole_and_in_order() -> None:
    pipe = FromChildren()

    def message(number: int) -> list[bytes]:
        seeded = random.Random(number)
        return [str(number).encode(), *(seeded.randbytes(seeded.choice(SIZES)) for _ in range(4)), b""]

    def work(child: int) -> None:
        pipe.become_child()
        threads = [
            threading.Thread(target=lambda first=first: [pipe.send(message(first + n)) for n in range(20)])
            for first in (1000 * child, 1000 * child + 100)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    children = [in_child(lambda child=child: work(child)) for child in range(6)]
    came: dict[int, list[int]] = defaultdict(list)

    def take(parts: list[bytes]) -> None:
        number = int(parts[0])
        assert parts == message(number)
        came[number // 100].append(number % 100)

    while sum(map(len, came.values())) < 6 * 2 * 20:
        pipe.receive(take)
    assert all(numbers == list(range(20)) for numbers in came.values()) and len(came) == 12
    assert [code_of(child) for child in children] == [0] * 6


def test_what_a_child_was_sending_when_it_was_killed_harms_no_other_message() -> None:
    pipe = FromChildren()
    killed = in_child(lambda: [pipe.send([b"x" * 500_000]) for _ in range(1000)])
    while not pipe.has_come():
        pass
    os.kill(killed, 9)
    assert code_of(killed) == -9
    came: list[list[bytes]] = []
    pipe.receive(lambda parts: None)
    assert code_of(in_child(lambda: pipe.send([b"whole", b""]))) == 0
    pipe.receive(came.append)
    assert came == [[b"whole", b""]]


def test_a_child_whose_parent_is_gone_goes_on() -> None:
    pipe = FromChildren()
    reader, writer = os.pipe()

    def parent() -> None:
        def child() -> None:
            pipe.become_child()
            os.close(reader)
            for _ in range(100):
                pipe.send([b"x" * 100_000])
            os.write(writer, b"went on")

        in_child(child)

    assert code_of(in_child(parent)) == 0
    pipe.become_child()  # this process, too, does not read any more
    assert os.read(reader, 100) == b"went on"


def test_the_number_of_a_closed_descriptor_may_be_another_file_s(tmp_path: Path) -> None:
    pipe = FromChildren()

    def work() -> None:
        os.closerange(3, 1000)
        other = os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY)
        for number in range(other + 1, 1000):
            os.dup2(other, number)
        assert not pipe.send([b"x"])
        pipe.become_child()
        os.write(other, b"still open")

    assert code_of(in_child(work)) == 0
    assert not pipe.has_come() and (tmp_path / "file").read_bytes() == b"still open"
