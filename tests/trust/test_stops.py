"""Stop at a random instant of any cell: it hits this cell or nothing, and leaves nothing behind."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from tests.kernel.cells import Cell, Request
from tests.kernel.client import INTERRUPTS, Notebook
from tests.trust.conftest import Kernels, paired
from tests.trust.figures import Trial
from tests.trust.stop_cells import KINDS, PREPARE, Kind

#: A cell that is to be stopped ends by itself after so many seconds: then the Stop is lost.
LONG = 20.0

#: Names that must be whole, a task that must tick, and what no cell may leave behind.
WATCH = """\
import asyncio, contextlib, gc, os, psutil, sys, threading, time
canary = {'list': [1, 2, 3], 'dict': {'a': 1}, 'function': len}
canary_ids = {name: id(value) for name, value in canary.items()}
def is_whole():
    return (
        {name: id(value) for name, value in canary.items()} == canary_ids
        and canary == {'list': [1, 2, 3], 'dict': {'a': 1}, 'function': len}
        and globals() is get_ipython().user_ns is sys.modules['__main__'].__dict__
    )
def _files():
    found = {}
    for number in os.listdir('/proc/self/fd'):
        try: found[int(number)] = os.readlink(f'/proc/self/fd/{number}')
        except OSError: pass
    return found
def _children(): return {one.pid: one.name() for one in psutil.Process().children()}
def _threads(): return [one for one in threading.enumerate() if one.name.startswith('Thread')]
def _tasks(): return [one for one in asyncio.all_tasks() if 'anap' in repr(one) or 'busy' in repr(one)]
def leftovers(starts):
    files = [one for one in _files().items() if one[0] not in before[0]]
    more = files if len(_files()) > len(before[0]) else []
    children = [one for one in _children().items() if one[0] not in before[1]]
    if starts:  # what Python leaves of a process that it was about to start
        for pid, _ in children:
            with contextlib.suppress(ChildProcessError): os.waitpid(pid, os.WNOHANG)
        return [*children, *(one for one in _threads() if one not in before[2]), *_tasks()]
    return [*more, *children, *(one for one in _threads() if one not in before[2]), *_tasks()]
async def watch(starts=False, seconds=10):
    ticked, until = len(ticks), time.monotonic() + seconds
    while (left := leftovers(starts)) or len(ticks) == ticked:
        if time.monotonic() > until: break
        gc.collect()
        await asyncio.sleep(0.005)
    return is_whole(), len(ticks) > ticked and not earlier.done(), left
async def tick():
    while True: ticks.append(1); await asyncio.sleep(0.005)
ticks = []
earlier = asyncio.create_task(tick())
"""
#: What is there before the first Stop, once everything has been used.
BEFORE = "gc.collect(); before = set(_files()), set(_children()), _threads()"
CHECK = "await watch({})"
WHOLE = "(True, True, [])"
#: What the kernel makes when it is used first, and keeps.
WARM = (
    "await asyncio.gather(*(asyncio.to_thread(nap) for _ in range(40)))",
    "!true",
    "1 / 0",
    "%time 1",
    "print('x' * 200_000)",
)


class Watched:
    """A kernel with a canary, a task that ticks, and a list of what was there before."""

    def __init__(self, kernels: Kernels, spec: str) -> None:
        self._kernels = kernels
        self._spec = spec
        self._known: Notebook | None = None

    def get(self) -> Notebook:
        notebook = self._kernels.get()
        if notebook is not self._known:
            for code in (PREPARE, WATCH, *WARM):
                assert notebook.run(code).done
            if self._spec == "namespace":
                assert notebook.run(KINDS["%%isolated"].code).status == "ok"
            assert notebook.run(BEFORE).status == "ok"
            self._known = notebook
        return notebook

    def drop(self) -> None:
        self._kernels.drop()
        self._known = None


def press(notebook: Notebook, how: str) -> Request | None:
    if how == "SIGINT":
        notebook.interrupt(how)
        return None
    return notebook.request("interrupt_request", channel="control")


def wait_until(notebook: Notebook, moment: float, over: Callable[[], bool] = lambda: False) -> None:
    """Take in what comes until then, to the millisecond."""
    while (left := moment - time.monotonic()) > 0 and not over():
        notebook.take_in(left) if left > 0.002 else time.sleep(left)


def finish(cell: Cell, kind: Kind) -> None:
    """Wait for the cell's end; one that takes the first Stop gets more."""
    pause, until = (0.2, time.monotonic() + LONG) if kind.swallows else (5.0, time.monotonic() + LONG)
    while (kind.swallows or kind.starts) and not cell.done and time.monotonic() < until:
        wait_until(cell.notebook, time.monotonic() + pause, lambda: cell.done)
        if not cell.done:
            press(cell.notebook, "SIGINT")
    cell.wait()


def stop_once(notebook: Notebook, kind: Kind, rng: random.Random) -> tuple[Cell, bool]:
    """Run the cell and press Stop at an instant from before its start to after its end."""
    how, completes = rng.choice(INTERRUPTS), rng.random() < 0.1
    moment = rng.choice((-1.0, rng.uniform(0, 0.01), rng.uniform(0, 0.05), rng.uniform(0, 0.2)))
    asked = press(notebook, how) if moment < 0 else None
    began = time.monotonic()
    cell = notebook.submit(kind.once())
    if completes:
        notebook.request("complete_request", {"code": "canary.", "cursor_pos": 7})
    if moment >= 0:
        wait_until(notebook, began + moment)
        asked = press(notebook, how)
    finish(cell, kind)
    if asked is not None:
        asked.wait()
    return cell, False


def stop_surely(notebook: Notebook, kind: Kind, rng: random.Random) -> tuple[Cell, bool]:
    """Let the cell go on and on, and press Stop after its start: only that ends it."""
    how = rng.choice(INTERRUPTS)
    cell = notebook.submit(kind.again(LONG)).wait_started()
    wait_until(notebook, time.monotonic() + rng.choice((0.0, rng.uniform(0, 0.05), rng.uniform(0, 0.4))))
    asked = press(notebook, how)
    finish(cell, kind)
    if asked is not None:
        asked.wait()
    return cell, True


def check_end(cell: Cell, kind: Kind, surely: bool) -> None:
    """It is `KeyboardInterrupt`, or the cell's own end."""
    assert len(cell.replies) == 1 and paired(cell.states), (cell.states, cell.text)
    ename = cell.reply.get("ename", "")
    if surely:
        if ename != "KeyboardInterrupt":
            raise AssertionError(f"the Stop was lost: {cell.reply} {cell.text[-500:]}")
    elif ename:
        # A script that ends by a signal may have an error of its own.
        own = {
            kind.fails,
            "KeyboardInterrupt",
            *(["CalledProcessError"] if kind.code.startswith("%%") else []),
        }
        assert ename in own, cell.text[-2000:]
    elif "'own end'" in kind.once():
        assert cell.result == "'own end'", cell.text[-500:]
    assert "Exception ignored" not in cell.text, cell.text[-2000:]


@pytest.mark.timeout(0)  # each of its waits has an end, and a loaded machine takes its time
@pytest.mark.trust(
    "stops",
    "Stop, at any instant of any kind of cell, ends this cell by `KeyboardInterrupt` or finds it ended; the"
    " next cell runs, names are whole, earlier cells' tasks go on, no process, file, thread or task is left",
    tries=1_000,
    short=30,
    unit="Stops",
)
def test_stops_hit_the_cell_and_leave_nothing_behind(spec: str, trial: Trial, kernels: Kernels) -> None:
    watched = Watched(kernels, spec)
    names = [name for name, kind in KINDS.items() if spec == "namespace" or not kind.ours]
    for attempt in trial.attempts():
        with attempt as rng:
            name = rng.choice(names)
            kind = KINDS[name]
            notebook = watched.get()
            way = stop_surely if kind.again(LONG) and rng.random() < 0.6 else stop_once
            good = False
            try:
                cell, surely = way(notebook, kind, rng)
                check_end(cell, kind, surely)
                following = notebook.run("6 * 7")
                if following.result != "42":
                    raise AssertionError(f"the next cell: {following.text[-2000:]}")
                checked = notebook.run(CHECK.format(kind.starts))
                if checked.result != WHOLE:
                    raise AssertionError(f"left behind: {checked.text[-2000:]}")
                if kind.starts:
                    notebook.run(BEFORE)
                good = True
            except AssertionError as error:
                raise AssertionError(f"{name}, {way.__name__}: {error}") from error
            finally:
                if not good:
                    watched.drop()
