"""Every case that is measured, in the order of the table."""

from __future__ import annotations

from collections.abc import Iterator

from . import case as c
from .case import BARE, PLAIN, Case, Group
from .wire import Client

_TIMER = "import time; _began = time.perf_counter()\n{}\nprint((time.perf_counter() - _began) * 1000)"
#: Code that a cell and a plain Python run alike, at the top level.
LOOPS = {
    "a loop over globals": "t = 0\nfor i in range(2_000_000): t += i % 7",
    "a million calls": "def f(n): return n + 1\nt = 0\nfor i in range(1_000_000): t = f(t)",
    "lists and strings": "t = [str(i) for i in range(500_000)]\nt = ''.join(s[-1] for s in t)",
    "a million awaits": "async def g(): pass\nfor i in range(1_000_000): await g()",
}
TIMED_LOOPS = {name: _TIMER.format(code) for name, code in LOOPS.items()}

_COMPLETE: dict[str, object] = {"code": "os.pa", "cursor_pos": 5}
_SLEEP, _BUSY = "import time; time.sleep(60)", "while True: pass"
_DURING = {"": "", " during time.sleep": _SLEEP, " during while True": _BUSY}
_BUSY_SETUP = "import asyncio, queue, socket, subprocess, time"

#: The cells that users want to stop.
STOPS = {
    "time.sleep": "time.sleep(60)",
    "while True": "while True: pass",
    "queue.get": "queue.Queue().get()",
    "subprocess.run": 'subprocess.run(["sleep", "60"])',
    "socket.recv": "a, b = socket.socketpair(); a.recv(1)",
    "await sleep": "await asyncio.sleep(60)",
    "await, while True": "await asyncio.sleep(0)\nwhile True: pass",
    "await, time.sleep": "await asyncio.sleep(0); time.sleep(60)",
    "await beside tasks": """\
async def worker():
    while True: n.append(1); await asyncio.sleep(.1)
n = []; tasks = [asyncio.create_task(worker()) for _ in range(3)]
await asyncio.sleep(60)""",
}

_COMM = """\
def echo(comm, message): comm.on_msg(lambda m: comm.send('echo'))
try: manager = get_ipython().kernel.comm_manager
except AttributeError: from comm import get_comm_manager; manager = get_comm_manager()
manager.register_target('echo', echo)"""

_TASKS = """\
import asyncio
async def tick():
    while True: await asyncio.sleep(.1)
if 'tasks' not in globals(): tasks = [asyncio.create_task(tick()) for _ in range(100)]
await asyncio.sleep(0)"""


def _comm(name: str, during: str) -> Case:
    def measure(client: Client) -> Iterator[float]:
        client.run(_COMM)
        client.send("comm_open", {"comm_id": "bench", "target_name": "echo", "data": {}})
        yield from c.request("comm_msg", {"comm_id": "bench", "data": {}}, during, 15)(client)

    return Case(name, "ms", Group.ANSWERS, measure, skip=BARE)


def _names(group: Group, setup: str, count: int = 20) -> list[Case]:
    return [
        Case(f"`x = 1`, {group}", "ms", group, c.round_trip("x = 1", count), setup),
        Case(f"`x = int(1)`, which calls, {group}", "ms", group, c.round_trip("x = int(1)", count), setup),
        Case(f"500 cells at once, {group}", "ms", group, c.at_once("x = 1", 500), setup, rounds=3),
    ]


def make_names(count: int) -> str:
    """A cell that makes `count` names."""
    return f"globals().update({{f'name{{i}}': i for i in range({count})}})"


CASES = [
    *(Case(f"`{code}`", "ms", Group.CELLS, c.round_trip(code)) for code in ("pass", "1+1", "x = 1")),
    Case("`print(1)`", "ms", Group.CELLS, c.round_trip("print(1)"), skip=BARE),
    Case(
        "`await asyncio.sleep(0)`",
        "ms",
        Group.CELLS,
        c.round_trip("await asyncio.sleep(0)"),
        "import asyncio",
        BARE,
    ),
    Case("`display(1)`", "ms", Group.CELLS, c.round_trip("display(1)"), skip=BARE),
    Case("500 cells at once", "ms", Group.CELLS, c.at_once("x = 1", 500)),
    Case("processor time of `x = 1`", "ms", Group.CELLS, c.cpu_per_cell),
    *(
        Case(f"`{code}`, {Group.TASKS}", "ms", Group.TASKS, c.round_trip(code), _TASKS, BARE)
        for code in ("pass", "await asyncio.sleep(0)")
    ),
    *_names(Group.NAMES_10K, make_names(10_000)),
    *_names(Group.NAMES_100K, make_names(100_000)),
    *_names(Group.NAMES_1M, make_names(1_000_000)),
    *_names(Group.HEAP, "if 'heap' not in globals(): heap = [[i] for i in range(2_000_000)]"),
    Case(
        "100,000 printed lines",
        "ms",
        Group.OUTPUT,
        c.output("for i in range(100_000): print(i)", c.count_lines, 100_000),
        skip=BARE,
    ),
    Case(
        "2,000 displays",
        "ms",
        Group.OUTPUT,
        c.output("for i in range(2000): display(i)", c.count_displays, 2000),
        skip=BARE,
    ),
    Case(
        "100 MB in one string",
        "ms",
        Group.OUTPUT,
        c.output("print('x' * 100_000_000, end='')", c.count_characters, 100_000_000),
        skip=BARE,
    ),
    Case("`1/0`", "ms", Group.ERRORS, c.round_trip("1/0", 20), skip=BARE),
    Case(
        "a RecursionError",
        "ms",
        Group.ERRORS,
        c.round_trip("def r(n): return r(n + 1)\nr(0)", 1, warm_up=1),
        skip=BARE,
        rounds=2,
    ),
    *(
        Case(
            f"completion{when}",
            "ms",
            Group.ANSWERS,
            c.request("complete_request", _COMPLETE, during),
            "import os",
            BARE,
        )
        for when, during in _DURING.items()
    ),
    *(_comm(f"comm echo{when}", during) for when, during in _DURING.items()),
    *(
        Case(f"Stop: {name}", "ms", Group.STOP, c.stop(code), _BUSY_SETUP, BARE, rounds=3)
        for name, code in STOPS.items()
    ),
    *(
        Case(name, "ms", Group.CODE, c.self_timed(code), skip=BARE, reference=PLAIN)
        for name, code in TIMED_LOOPS.items()
    ),
    Case("memory growth, 5,000 cells", "MiB", Group.GROWTH, c.memory_growth, skip=BARE, rounds=1),
]
