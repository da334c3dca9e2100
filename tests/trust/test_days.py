"""A day's mixture of cells and requests, without its pauses: what of it stays in the process."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

import psutil
import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook
from tests.trust.conftest import Kernels
from tests.trust.figures import Trial

#: After so many acts the process is measured.
STRETCH = 50

SETUP = """\
import asyncio, collections, gc, sys, threading, time
import numpy as np, pandas as pd
frame = pd.DataFrame({'a': range(1000), 'b': np.random.default_rng(1).random(1000)})
class Model:
    \"\"\"Something with attributes.\"\"\"
    def __init__(self, size): self.weights = np.zeros(size); self.size = size
    def fit(self, rounds=3):
        for _ in range(rounds): self.weights = self.weights + 1
        return self
model = Model(100)
async def fetch(value): await asyncio.sleep(0.001); return value
def _count():
    gc.collect()
    try: tasks = len(asyncio.all_tasks(asyncio.get_event_loop()))
    except RuntimeError: tasks = 0
    return len(gc.get_objects()), threading.active_count(), tasks"""

#: What people run; `{n}` is the act's number. None of it keeps more than the last time.
CELLS = [
    "x = {n}\nx * 2",
    "print('epoch {n}', x)",
    "for step in range(20):\n    print(step, step ** 2)",
    "frame.groupby(frame.a % 7).b.mean()",
    "frame.describe()",
    "np.linalg.norm(np.random.default_rng({n}).random((50, 50)))",
    "model = Model({n} % 100 + 1).fit()\nmodel.size",
    "def helper_{m}(a, b={n}):\n    return a + b\nhelper_{m}(1)",
    "class Thing_{m}:\n    value = {n}\nThing_{m}().value",
    "undefined_{n}",
    "1 / 0",
    "frame['no such column']",
    "raise ValueError('act {n}')",
    "import json\njson.loads(json.dumps({{'a': [1, 2, {n}]}}))",
    "from IPython.display import display, Markdown\ndisplay(Markdown('**act {n}**'))",
    "_ = [fetch(1) for _ in ()]\ny = [i for i in range(1000)]\nlen(y)",
    "thread = threading.Thread(target=time.sleep, args=(0.001,))\nthread.start()\nthread.join()",
    "!echo act {n}",
    "%timeit -n 10 -r 1 sum(range(10))",
    "%who_ls",
    "await fetch({n})",
    "await asyncio.gather(*(fetch(i) for i in range(10)))",
    "t = asyncio.create_task(fetch({n}))\nawait t",
    "frame.head()\nframe?",
]
ONLY_OURS = [
    "%%background\ntime.sleep(0.005)\nz = {n}",
    "%%background\nz = await fetch({n})",
    "%ps",
    "%namespace",
    "asyncio.run(fetch({n}))",
    "fetch({n})",
]
CODES = ["fra", "frame.gro", "model.", "np.lin", "import js", "x.", "pd.DataFr"]

Act = Callable[[Notebook, random.Random, int], object]


def cell(cells: list[str]) -> Act:
    def run(notebook: Notebook, rng: random.Random, number: int) -> Cell:
        code = rng.choice(cells).format(n=number, m=number % 10)
        return notebook.run(code, stop_on_error=False)

    return run


def complete(notebook: Notebook, rng: random.Random, number: int) -> object:
    code = rng.choice(CODES)
    return notebook.ask("complete_request", {"code": code, "cursor_pos": len(code)})


def inspect(notebook: Notebook, rng: random.Random, number: int) -> object:
    code = rng.choice(["frame", "model.fit", "np.linalg.norm", "print"])
    return notebook.ask("inspect_request", {"code": code, "cursor_pos": len(code), "detail_level": 0})


def type_ahead(notebook: Notebook, rng: random.Random, number: int) -> None:
    for one in [notebook.submit(f"x = {number} + {i}") for i in range(5)]:
        one.wait()


def stop(notebook: Notebook, rng: random.Random, number: int) -> None:
    running = notebook.submit("print('begun', flush=True)\ntime.sleep(60)", stop_on_error=False)
    running.wait_for_text("begun")
    notebook.interrupt(rng.choice(("SIGINT", "interrupt_request")))
    running.wait()


def ask_others(notebook: Notebook, rng: random.Random, number: int) -> None:
    history = {"hist_access_type": "tail", "n": 5, "output": False, "raw": True}
    notebook.ask("history_request", history)
    notebook.ask("is_complete_request", {"code": "for x in y:"})
    notebook.ask("kernel_info_request", channel="control")
    notebook.request("comm_open", {"comm_id": f"c{number}", "target_name": "none", "data": {}}).wait_idle()


def measure(notebook: Notebook) -> dict[str, float]:
    """The process's size, and what the smallest cell takes."""
    times = []
    for _ in range(9):
        began = time.perf_counter()
        notebook.run("pass", store_history=False)
        times.append((time.perf_counter() - began) * 1e3)
    counted = notebook.run("_count()", store_history=False).result or "(0, 0, 0)"
    objects, threads, tasks = eval(counted)
    process = psutil.Process(notebook.pid)
    notebook.requests.clear()
    notebook.strays.clear()
    return {
        "MB": process.memory_info().rss / 1e6,
        "objects": objects,
        "descriptors": process.num_fds(),
        "threads": threads,
        "tasks": tasks,
        "ms of `pass`": statistics.median(times),
    }


def slope(values: list[float]) -> float:
    """Growth per stretch, by least squares."""
    return statistics.linear_regression(range(len(values)), values).slope


@pytest.mark.trust(
    "days",
    "A day's mixture of cells, completions, errors and Stops leaves no descriptors, threads and tasks, and"
    " `pass` takes as long as in the morning",
    tries=6_000,
    short=200,
    unit="acts",
)
def test_a_day_leaves_nothing(spec: str, trial: Trial, kernels: Kernels) -> None:
    kernels.drop()
    notebook = kernels.get()
    setup = notebook.run(SETUP)
    assert setup.status == "ok", setup.text
    cells = CELLS + (ONLY_OURS if spec == "namespace" else [])
    acts: list[Act] = [cell(cells)] * 12 + [complete] * 3 + [inspect, type_ahead, ask_others, stop]
    series: dict[str, list[float]] = {}
    for number in range(trial.count):
        rng = trial.random(number)
        trial.count_tries(1)
        with trial.holding(f"act {number}", number):
            rng.choice(acts)(notebook, rng, number)
        if number % STRETCH == STRETCH - 1:
            if spec == "namespace":
                notebook.run("%wait", stop_on_error=False)
            for name, value in measure(notebook).items():
                series.setdefault(name, []).append(value)
    trial.record.series = {"acts": [STRETCH * (i + 1.0) for i in range(len(series["MB"]))], **series}
    # What the first acts import and fill is no growth.
    later = {name: values[len(values) // 3 :] for name, values in series.items()}
    if len(later["MB"]) >= 4:
        per_thousand = {name: slope(values) * 1_000 / STRETCH for name, values in later.items()}
        size = f"per 1,000 acts {per_thousand['MB']:+.1f} MB, {per_thousand['objects']:+,.0f} objects"
        first, last = (statistics.median(later["ms of `pass`"][part]) for part in (slice(4), slice(-4, None)))
        trial.measure(f"{size}; `pass` {first:.1f} ms, at the end {last:.1f} ms")
        with trial.holding("`pass`"):  # in the short form other tests run beside it
            assert not trial.long or last < 3 * first, series["ms of `pass`"]
    with trial.holding("what stays"):
        for name in ("descriptors", "threads", "tasks"):
            first, last = min(later[name]), min(later[name][-2:])
            assert last - first <= 2, f"{name}: {series[name]}"
