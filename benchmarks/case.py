"""What a case is, and the measures that cases are made of. Samples are better the smaller they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from .environments import FLOOR, REFERENCE
from .wire import Client, KernelSilent, Message

Measure = Callable[[Client], Iterator[float]]

#: Kernels that have no IPython, so that most cases mean nothing to them.
BARE = (FLOOR, "akernel")
#: Seconds that an answer may take which a person waits for; an idle kernel takes milliseconds.
_PATIENCE = 5.0
#: Not a kernel: the same code in a Python process.
PLAIN = "plain python"


class Group(StrEnum):
    """Cases that share a process. Each group of each round has a new one."""

    CELLS = "cells"
    TASKS = "100 live tasks"
    OUTPUT = "output"
    ERRORS = "errors"
    ANSWERS = "answers"
    STOP = "stop"
    CODE = "code"
    NAMES_10K = "10,000 names"
    NAMES_100K = "100,000 names"
    NAMES_1M = "1,000,000 names"
    HEAP = "heap of two million"
    GROWTH = "growth"


@dataclass(frozen=True, slots=True)
class Case:
    """`prepare` is a cell that runs before. `reference` is what the ratios are to.

    `rounds` is in how many rounds, at most, it is measured: what takes long is measured less often.
    """

    name: str
    unit: str
    group: Group
    measure: Measure
    prepare: str = ""
    skip: tuple[str, ...] = ()
    reference: str = REFERENCE
    rounds: int = 100


def timed(client: Client, code: str) -> float:
    """Milliseconds from sending to reply and idle."""
    began = time.perf_counter()
    client.wait(client.execute(code))
    return (time.perf_counter() - began) * 1000


def round_trip(code: str, count: int = 40, warm_up: int = 5) -> Measure:
    """A cell, one after the other."""

    def measure(client: Client) -> Iterator[float]:
        for _ in range(warm_up):
            client.run(code)
        for _ in range(count):
            yield timed(client, code)

    return measure


def at_once(code: str, count: int) -> Measure:
    """Many cells sent at once, until the last has been answered; all of them are."""

    def measure(client: Client) -> Iterator[float]:
        client.run(code)
        began = time.perf_counter()
        last = [client.execute(code) for _ in range(count)][-1]
        messages = client.wait(last)
        elapsed = (time.perf_counter() - began) * 1000
        _expect("replies", sum(m.kind == "execute_reply" for m in messages), count)
        yield elapsed

    return measure


def output(code: str, counted: Callable[[list[Message]], int], expected: int) -> Measure:
    """A cell with much output; all of it must arrive before idle."""

    def measure(client: Client) -> Iterator[float]:
        began = time.perf_counter()
        messages = client.run(code)
        elapsed = (time.perf_counter() - began) * 1000
        _expect("of its output", counted(messages), expected)
        yield elapsed

    return measure


def _expect(what: str, arrived: int, expected: int) -> None:
    if arrived != expected:
        raise KernelSilent(f"{arrived:,} of {expected:,} {what} arrived")


def count_lines(messages: list[Message]) -> int:
    """How many lines were printed."""
    return sum(message.content["text"].count("\n") for message in messages if message.kind == "stream")


def count_characters(messages: list[Message]) -> int:
    """How many characters were printed."""
    return sum(len(message.content["text"]) for message in messages if message.kind == "stream")


def count_displays(messages: list[Message]) -> int:
    """How many objects were displayed."""
    return sum(message.kind == "display_data" for message in messages)


def running(client: Client, code: str) -> str:
    """Start a cell that prints a line first, and wait for that; the cell's message id."""
    msg_id = client.execute(f"print('ready', flush=True)\n{code}")
    client.pump(lambda message: message.parent == msg_id and message.kind == "stream")
    return msg_id


def request(kind: str, content: dict[str, object], during: str = "", count: int = 20) -> Measure:
    """A request, answered while the cell `during` runs."""

    def measure(client: Client) -> Iterator[float]:
        warm_up = client.send(kind, content)
        client.pump(lambda message: message.parent == warm_up and _answers(message), _PATIENCE)
        cell = running(client, during) if during else ""
        for _ in range(count):
            began = time.perf_counter()
            asked = client.send(kind, content)
            client.pump(lambda m, asked=asked: m.parent == asked and _answers(m), _PATIENCE)  # type: ignore[misc]
            yield (time.perf_counter() - began) * 1000
        if cell:
            _end_cell(client, cell)

    return measure


def _answers(message: Message) -> bool:
    return message.kind.endswith("_reply") or message.kind == "comm_msg"


def _end_cell(client: Client, msg_id: str) -> None:
    """End the running cell, whatever it takes."""
    for _ in range(5):
        client.interrupt()
        try:
            client.wait(msg_id, 2.0)
            return
        except KernelSilent:
            if client.process.poll() is not None:
                raise
    raise KernelSilent("the running cell does not stop")


def stop(code: str, count: int = 5) -> Measure:
    """From Stop to the reply, which says that the cell was interrupted."""

    def measure(client: Client) -> Iterator[float]:
        for _ in range(count):
            cell = running(client, code)
            client.receive(0.1)  # so that it is well inside
            began = time.perf_counter()
            client.interrupt()
            messages = client.pump(
                lambda message: message.parent == cell and message.kind == "execute_reply",  # noqa: B023
                _PATIENCE,
            )
            elapsed = (messages[-1].at - began) * 1000
            if messages[-1].content["status"] == "ok":
                raise KernelSilent("the cell ends as if nothing had happened")
            client.run("pass")
            yield elapsed

    return measure


def self_timed(code: str, count: int = 3) -> Measure:
    """Code that prints how many milliseconds it took, so that the wire is not in it."""

    def measure(client: Client) -> Iterator[float]:
        for _ in range(count):
            texts = [m.content["text"] for m in client.run(code) if m.kind == "stream"]
            try:
                yield float("".join(texts))
            except ValueError:
                raise KernelSilent(f"it printed {''.join(texts)!r}") from None

    return measure


def cpu_per_cell(client: Client) -> Iterator[float]:
    """Milliseconds of the process's time for one `x = 1`."""
    count = 300
    for _ in range(20):
        client.run("x = 1")
    before = client.cpu()
    for _ in range(count):
        client.run("x = 1")
    yield (client.cpu() - before) * 1000 / count


def memory_growth(client: Client) -> Iterator[float]:
    """MiB that 5,000 cells of several kinds leave behind."""
    codes = ["x = 1", "x", "print(x)", "[i for i in range(100)]", "def f(): return 1", "1 / 0"]
    for code in codes * 10:
        client.run(code)
    client.receive(0.5)  # what a kernel loads a moment after its first cells is in "memory, idle"
    before = client.memory()
    for batch in range(100):
        ids = [client.execute(codes[(batch * 50 + number) % len(codes)]) for number in range(50)]
        client.wait(ids[-1])
    client.run("pass")
    yield max(0.1, client.memory() - before)
