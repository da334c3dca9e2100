"""What a process that runs cells sends to its kernel."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from io import FileIO

import pytest

from namespace_kernel.remote.transfer.frames import read_message
from namespace_kernel.remote.transfer.messages import Cleared, Displayed, Printed, Report
from namespace_kernel.worker.outgoing import Outgoing, joined
from tests.unit.fakes import PATIENCE


def out(text: str) -> Printed:
    return Printed("stdout", text)


def err(text: str) -> Printed:
    return Printed("stderr", text)


@pytest.fixture
def pipe() -> Iterator[tuple[FileIO, FileIO]]:
    reader, writer = os.pipe()
    with FileIO(reader, "rb") as read, FileIO(writer, "wb") as write:
        yield read, write


def test_neighbours_of_one_stream_are_joined() -> None:
    shown, cleared = Displayed({}, {}), Cleared(True)
    messages = [out("a"), out("b"), err("c"), out("d"), shown, out("e"), out("f"), cleared]
    assert joined(messages) == [out("ab"), err("c"), out("d"), shown, out("ef"), cleared]
    assert joined([]) == []
    assert joined([out(str(i)) for i in range(3)]) == [out("012")]


def test_a_text_has_left_when_send_returns(pipe: tuple[FileIO, FileIO]) -> None:
    outgoing = Outgoing(pipe[1])
    outgoing.send(out("now"))
    assert read_message(pipe[0]) == out("now")


def test_a_flood_is_sent_in_few_messages_and_whole(pipe: tuple[FileIO, FileIO]) -> None:
    outgoing = Outgoing(pipe[1])
    received: list[object] = []

    def read() -> None:
        while not received or not isinstance(received[-1], Report):
            received.append(read_message(pipe[0]))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(20_000):
        outgoing.send(out(f"{number}\n"))
    outgoing.send(Report())
    reader.join(PATIENCE)
    texts = [message.text for message in received if isinstance(message, Printed)]
    assert "".join(texts).split() == [str(number) for number in range(20_000)]
    assert len(texts) < 2_000


def test_threads_do_not_mix_their_messages(pipe: tuple[FileIO, FileIO]) -> None:
    outgoing = Outgoing(pipe[1])
    senders = [
        threading.Thread(target=lambda i=i: [outgoing.send(err(f"{i}")) for _ in range(200)])
        for i in range(4)
    ]
    for sender in senders:
        sender.start()
    text = ""
    while len(text) < 800:
        text += read_message(pipe[0]).text
    for sender in senders:
        sender.join(PATIENCE)
    assert sorted(text) == sorted("0123" * 200)


def test_an_interrupt_comes_between_two_messages_never_within(pipe: tuple[FileIO, FileIO]) -> None:
    outgoing = Outgoing(pipe[1])
    large = out("x" * 300_000)  # more than a pipe holds: the sender waits for the reader
    received: list[object] = []
    armed: list[bool] = []
    over = threading.Event()

    def read() -> None:
        while not received or not isinstance(received[-1], Report):
            received.append(read_message(pipe[0]))

    def interrupt() -> None:
        while not over.wait(0.001):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def on_interrupt(*details: object) -> None:
        if armed:
            armed.clear()
            raise KeyboardInterrupt

    threads = [threading.Thread(target=read), threading.Thread(target=interrupt)]
    previous = signal.signal(signal.SIGINT, on_interrupt)
    interrupted = 0
    try:
        for thread in threads:
            thread.start()
        for _ in range(300):
            try:
                armed.append(True)
                outgoing.send(large)
                armed.clear()
            except KeyboardInterrupt:
                interrupted += 1
    finally:
        over.set()
        threads[1].join(PATIENCE)
        signal.signal(signal.SIGINT, previous)
    outgoing.send(Report())
    threads[0].join(PATIENCE)
    assert interrupted > 0
    assert {type(one) for one in received} == {Printed, Report}
    text = "".join(one.text for one in received if isinstance(one, Printed))
    assert set(text) == {"x"} and len(text) % 300_000 == 0 and len(text) >= (300 - interrupted) * 300_000


def test_what_prints_while_a_message_is_made_comes_after_it(pipe: tuple[FileIO, FileIO]) -> None:
    outgoing = Outgoing(pipe[1])

    class Chatty:
        def __reduce__(self) -> object:
            outgoing.send(out("meanwhile"))
            return str, ("shown",)

    outgoing.send(Displayed({"text/plain": Chatty()}, {}))
    assert read_message(pipe[0]) == Displayed({"text/plain": "shown"}, {})
    assert read_message(pipe[0]) == out("meanwhile")


def test_a_kernel_that_has_gone_is_no_error(pipe: tuple[FileIO, FileIO]) -> None:
    outgoing = Outgoing(pipe[1])
    pipe[0].close()
    outgoing.send(out("to nobody"))
