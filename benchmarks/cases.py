"""What is measured. Each case yields samples, in the unit of its table; smaller is better."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .wire import Client, KernelSilent, Message

Measure = Callable[[Client], Iterator[float]]


@dataclass(frozen=True, slots=True)
class Case:
    """`unit` is ms, MiB or s. `skip` names kernels for which the case means nothing, `prepare` is a cell."""

    name: str
    unit: str
    measure: Measure
    prepare: str = ""
    skip: tuple[str, ...] = ()


def _timed(client: Client, code: str) -> float:
    """Milliseconds from sending to reply and idle."""
    began = time.perf_counter()
    client.wait(client.execute(code))
    return (time.perf_counter() - began) * 1000


def round_trip(code: str, count: int = 40) -> Measure:
    """A cell, one after the other."""

    def measure(client: Client) -> Iterator[float]:
        for _ in range(5):
            client.run(code)
        for _ in range(count):
            yield _timed(client, code)

    return measure


def at_once(code: str, count: int) -> Measure:
    """Many cells sent at once, until the last has been answered."""

    def measure(client: Client) -> Iterator[float]:
        began = time.perf_counter()
        last = [client.execute(code) for _ in range(count)][-1]
        client.wait(last)
        yield (time.perf_counter() - began) * 1000

    return measure


def output(code: str, counted: Callable[[list[Message]], int], expected: int) -> Measure:
    """A cell with much output; all of it must arrive."""

    def measure(client: Client) -> Iterator[float]:
        began = time.perf_counter()
        messages = client.run(code)
        elapsed = (time.perf_counter() - began) * 1000
        if counted(messages) != expected:
            raise KernelSilent(f"{client.kernel.name} lost output: {counted(messages)} of {expected}")
        yield elapsed

    return measure


def _lines(messages: list[Message]) -> int:
    return sum(message.content["text"].count("\n") for message in messages if message.kind == "stream")


def _characters(messages: list[Message]) -> int:
    return sum(len(message.content["text"]) for message in messages if message.kind == "stream")


def _displays(messages: list[Message]) -> int:
    return sum(message.kind == "display_data" for message in messages)


def request(kind: str, content: dict[str, object], during: str = "", count: int = 20) -> Measure:
    """A request, answered while the cell `during` runs; for at most 5 seconds."""

    def measure(client: Client) -> Iterator[float]:
        running = client.execute(during) if during else ""
        if during:
            client.pump(lambda message: message.kind == "stream" and message.parent == running)
        try:
            for _ in range(count):
                began = time.perf_counter()
                asked = client.send(kind, content)
                client.pump(lambda m, asked=asked: m.parent == asked and _answers(m), 5.0)  # type: ignore[misc]
                yield (time.perf_counter() - began) * 1000
        finally:
            if during:
                _stop(client, running)

    return measure


def _answers(message: Message) -> bool:
    return message.kind.endswith("_reply") or message.kind == "comm_msg"


def _stop(client: Client, running: str) -> None:
    """End the running cell, whatever it takes."""
    for _ in range(20):
        os.kill(client.process.pid, signal.SIGINT)
        client.send("interrupt_request", {}, "control")
        try:
            client.pump(lambda message: message.parent == running and message.kind == "execute_reply", 1.0)
            return
        except KernelSilent:
            continue
    raise KernelSilent(f"{client.kernel.name} does not stop")


def stop(code: str, count: int = 5) -> Measure:
    """From Stop (SIGINT, and the interrupt request) to the reply; at most 5 seconds."""

    def measure(client: Client) -> Iterator[float]:
        for _ in range(count):
            running = client.execute(f"print('ready', flush=True)\n{code}")
            client.pump(lambda message: message.kind == "stream" and message.parent == running)  # noqa: B023
            time.sleep(0.1)
            began = time.perf_counter()
            if client.kernel.name == "async-kernel":  # its kernelspec asks for messages
                client.send("interrupt_request", {}, "control")
            else:
                os.kill(client.process.pid, signal.SIGINT)
            client.pump(
                lambda message: message.parent == running and message.kind == "execute_reply",  # noqa: B023
                5.0,
            )
            yield (time.perf_counter() - began) * 1000

    return measure


def self_timed(code: str, count: int = 3) -> Measure:
    """Code that prints how many milliseconds it took, so that the wire is not in it."""

    def measure(client: Client) -> Iterator[float]:
        for _ in range(count):
            texts = [m.content["text"] for m in client.run(code) if m.kind == "stream"]
            yield float("".join(texts))

    return measure


def cpu_per_cell(client: Client) -> Iterator[float]:
    """Milliseconds of the process's time for one `x = 1`."""
    count = 200
    before = client.cpu()
    for _ in range(count):
        client.run("x = 1")
    yield (client.cpu() - before) * 1000 / count


def memory_growth(client: Client) -> Iterator[float]:
    """MiB that 5,000 cells of several kinds leave behind."""
    codes = ["x = 1", "x", "print(x)", "[i for i in range(100)]", "def f(): return 1", "1 / 0"]
    for code in codes * 10:
        client.run(code)
    before = client.memory()
    ids = []
    for number in range(5000):
        ids.append(client.execute(codes[number % len(codes)]))
        if len(ids) == 50:
            client.wait(ids[-1])
            ids.clear()
    client.wait(client.execute("pass"))
    yield max(0.1, client.memory() - before)


_TIMER = "import time; _began = time.perf_counter()\n{}\nprint((time.perf_counter() - _began) * 1000)"
_LOOP = _TIMER.format("t = 0\nfor i in range(3_000_000): t += i % 7")
_AWAITS = "async def f(): pass\nimport asyncio\n" + _TIMER.format("for i in range(1_000_000): await f()")
_READY = "import time; print('ready', flush=True)\n"
_COMM = (
    "from comm import get_comm_manager\n"
    "get_comm_manager().register_target('echo', lambda comm, m: comm.on_msg(lambda m: comm.send('echo')))"
)
_COMPLETE: dict[str, object] = {"code": "import os; os.pa", "cursor_pos": 16}
_NO_IPYTHON = ("floor",)
_SLEEP, _BUSY = f"{_READY}time.sleep(60)", f"{_READY}while True: pass"

CASES = [
    *(Case(f"`{code}`", "ms", round_trip(code)) for code in ("pass", "x = 1", "1+1")),
    Case("`print(1)`", "ms", round_trip("print(1)"), skip=_NO_IPYTHON),
    Case(
        "`await asyncio.sleep(0)`", "ms", round_trip("await asyncio.sleep(0)"), "import asyncio", _NO_IPYTHON
    ),
    Case("`display(1)`", "ms", round_trip("display(1)"), skip=_NO_IPYTHON),
    Case("500 cells at once", "ms", at_once("x = 1", 500)),
    Case(
        "100,000 printed lines",
        "ms",
        output("for i in range(100_000): print(i)", _lines, 100_000),
        skip=_NO_IPYTHON,
    ),
    Case(
        "100 MB in one string",
        "ms",
        output("print('x' * 100_000_000, end='')", _characters, 100_000_000),
        skip=_NO_IPYTHON,
    ),
    Case(
        "2,000 displays", "ms", output("for i in range(2000): display(i)", _displays, 2000), skip=_NO_IPYTHON
    ),
    Case("`1/0`", "ms", round_trip("1/0", 20), skip=_NO_IPYTHON),
    Case("RecursionError", "ms", round_trip("def r(n): return r(n + 1)\nr(0)", 1), skip=_NO_IPYTHON),
    Case("completion", "ms", request("complete_request", _COMPLETE), skip=_NO_IPYTHON),
    Case(
        "completion during time.sleep",
        "ms",
        request("complete_request", _COMPLETE, _SLEEP, 10),
        skip=_NO_IPYTHON,
    ),
    Case(
        "completion during while True",
        "ms",
        request("complete_request", _COMPLETE, _BUSY, 10),
        skip=_NO_IPYTHON,
    ),
    *(
        Case(f"Stop: {name}", "ms", stop(code), "import asyncio, queue, subprocess, time", _NO_IPYTHON)
        for name, code in {
            "time.sleep": "time.sleep(60)",
            "while True": "while True: pass",
            "queue.get": "queue.Queue().get()",
            "subprocess.run": "subprocess.run(['sleep', '60'])",
            "await sleep": "await asyncio.sleep(60)",
            "await, while True": "await asyncio.sleep(0)\nwhile True: pass",
            "await, time.sleep": "await asyncio.sleep(0); time.sleep(60)",
        }.items()
    ),
    Case("pure-Python loop", "ms", self_timed(_LOOP), skip=_NO_IPYTHON),
    Case("a million awaits", "ms", self_timed(_AWAITS), skip=_NO_IPYTHON),
    Case("CPU of `x = 1`", "ms", cpu_per_cell),
    Case(
        "`x = 1`, 10,000 names",
        "ms",
        round_trip("x = 1"),
        "globals().update({f'n{i}': i for i in range(10_000)})",
    ),
    Case(
        "`x = 1`, 100,000 names",
        "ms",
        round_trip("x = 1", 10),
        "globals().update({f'n{i}': i for i in range(100_000)})",
    ),
    Case("`x = 1`, heap of 2 million", "ms", round_trip("x = 1"), "heap = [[i] for i in range(2_000_000)]"),
    Case("memory growth, 5,000 cells", "MiB", memory_growth, skip=_NO_IPYTHON),
]


def comm_case(name: str, during: str) -> Case:
    """Echo of a comm message."""

    def measure(client: Client) -> Iterator[float]:
        client.run(_COMM)
        client.send("comm_open", {"comm_id": "bench", "target_name": "echo", "data": {}})
        yield from request("comm_msg", {"comm_id": "bench", "data": {}}, during, 10)(client)

    return Case(name, "ms", measure, skip=(*_NO_IPYTHON, "xeus-python"))


CASES[13:13] = [comm_case("comm echo", ""), comm_case("comm echo during time.sleep", _SLEEP)]
