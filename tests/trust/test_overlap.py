"""Cells that overlap, in the foreground, the background and subshells: what is each one's stays its own."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.kernel.cells import Cell, Message
from tests.kernel.client import Notebook
from tests.kernel.test_subshells import Subshell, create, delete
from tests.trust.conftest import Kernels, paired
from tests.trust.figures import Trial

#: So many cells are sent at once.
GROUP = 20

IMPORTS = """\
import asyncio, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from IPython.display import display
pool = ThreadPoolExecutor(4)
def say(mark, number, wait):
    for step in range(number):
        print(f"{mark}:{step}")
        time.sleep(wait)
async def say_later(mark, number, wait):
    for step in range(number):
        print(f"{mark}:{step}")
        await asyncio.sleep(wait)"""

#: What a cell does with its mark. The last line shows something; the lines of all are the same.
BODIES = {
    "plain": "say('{mark}', {number}, {wait})",
    "awaiting": "await say_later('{mark}', {number}, {wait})",
    "a task": "await asyncio.create_task(say_later('{mark}', {number}, {wait}))",
    "a thread": "t{mark} = threading.Thread(target=say, args=('{mark}', {number}, {wait}))\n"
    "t{mark}.start()\nt{mark}.join()",
    "to_thread": "await asyncio.to_thread(say, '{mark}', {number}, {wait})",
    "a pool": "pool.submit(say, '{mark}', {number}, {wait}).result()",
    "asyncio.run": "asyncio.run(say_later('{mark}', {number}, {wait}))",
}
#: What kernels promise elsewhere; here it would only count as cells that are not apart.
ONLY_OURS = {"asyncio.run"}


class Frontend(Subshell):
    """A subshell whose cells have ids, as JupyterLab's have."""

    def _message(self, msg_type: str, content: Message) -> Message:
        return {**super()._message(msg_type, content), "metadata": {"cellId": uuid.uuid4().hex}}


@dataclass
class Sent:
    """A cell, and what is expected of it."""

    mark: str
    lines: list[str]
    fails: bool
    shows: bool
    cell: Cell


def send(
    number: int, rng: random.Random, submit: Callable[..., Cell], bodies: list[str], background: bool
) -> Sent:
    mark = f"m{number}"
    steps = rng.randrange(6)
    body = rng.choice(bodies).format(mark=mark, number=steps, wait=rng.choice((0, 0, 0.001, 0.01)))
    shows, fails = rng.random() < 0.3, rng.random() < 0.1
    end = [f"display('{mark}')"] if shows else []
    end.append(f"raise ValueError('{mark}')" if fails else f"'{mark}'")
    code = "\n".join([*(["%%background"] if background else []), body, f"name_{mark} = '{mark}'", *end])
    return Sent(
        mark, [f"{mark}:{step}" for step in range(steps)], fails, shows, submit(code, stop_on_error=False)
    )


def check(sent: Sent) -> None:
    """What came for this cell is this cell's, all of it, once."""
    cell, mark = sent.cell, sent.mark
    assert len(cell.replies) == 1 and paired(cell.states), (cell.states, cell.text)
    assert cell.stdout.split() == sent.lines, f"{mark}: {cell.stdout!r}"
    assert not cell.stderr, f"{mark}: {cell.stderr}"
    assert [one["text/plain"] for one in cell.displays] == [repr(mark)] * sent.shows, cell.text
    assert cell.error == (("ValueError", mark) if sent.fails else None), cell.text
    assert cell.result == (None if sent.fails else repr(mark)), cell.text
    inputs = [
        one["content"]["execution_count"] for one in cell.messages if one["msg_type"] == "execute_input"
    ]
    results = [
        one["content"]["execution_count"] for one in cell.messages if one["msg_type"] == "execute_result"
    ]
    assert inputs == [cell.count] and set(results) <= {cell.count}, (inputs, results, cell.count)


@pytest.fixture
def prepared(kernels: Kernels) -> Iterator[Callable[[], tuple[Notebook, list[Subshell]]]]:
    """A kernel with two subshells, a new one where it died."""
    made: list[tuple[Notebook, list[Subshell]]] = []

    def get() -> tuple[Notebook, list[Subshell]]:
        notebook = kernels.get()
        if not made or made[-1][0] is not notebook:
            assert notebook.run(IMPORTS).status == "ok"
            # After a thousand results IPython warns under the next, once.
            assert notebook.run("get_ipython().displayhook.cache_size = 10**6").status == "ok"
            made.append((notebook, [Frontend(notebook, create(notebook).id) for _ in range(2)]))
        return made[-1]

    yield get
    notebook, subshells = made[-1]
    for subshell in subshells if notebook.alive else ():
        delete(subshell)


@pytest.mark.trust(
    "overlap",
    "Of cells that overlap, in the background, the foreground and subshells, each has its own output, number,"
    " reply and error, and what it assigns is there",
    tries=2_000,
    short=200,
    unit="cells",
)
def test_cells_that_overlap_are_apart(
    spec: str, trial: Trial, prepared: Callable[[], tuple[Notebook, list[Subshell]]]
) -> None:
    places = (
        ["front", "front", "back", "back", "back", "subshell"]
        if spec == "namespace"
        else ["front", "subshell"]
    )
    bodies = [body for kind, body in BODIES.items() if spec == "namespace" or kind not in ONLY_OURS]
    attempts = trial.attempts()
    while group := [attempt for _, attempt in zip(range(GROUP), attempts, strict=False)]:
        notebook, subshells = prepared()
        sent: list[Sent] = []
        for attempt in group:
            rng = trial.random(attempt.number)
            place = rng.choice(places)
            submit = rng.choice(subshells).submit if place == "subshell" else notebook.submit
            sent.append(send(attempt.number, rng, submit, bodies, place == "back"))
        for attempt, one in zip(group, sent, strict=True):
            with attempt:
                one.cell.wait()
                check(one)
        with trial.holding("names and numbers after the group", group[0].number):
            # Printed: of a thousand names a result shows some and dots.
            names = notebook.run(
                "print({k: v for k, v in globals().items() if k.startswith('name_')})"
            ).stdout
            wanted = {f"name_{one.mark}": one.mark for one in sent if one.cell.done}
            assert wanted.items() <= eval(names).items(), f"{names} {wanted}"
            counts = [one.cell.count for one in sent if one.cell.done and isinstance(one.cell, Cell)]
            assert len(counts) == len(set(counts)), counts
            assert not [m for m in notebook.strays if m["msg_type"] not in ("status", "iopub_welcome")]
