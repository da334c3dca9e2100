"""What a cell writes by any way arrives whole and in its order, however the cell and its kernel end.

A case is a cell: the main thread writes numbered lines by one way after the other, and waits for children
that do; beside it other writers, each of one kind, write lines of their own. Then it ends, suddenly or not.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook
from tests.kernel.test_last_words import ENDS as DEATHS
from tests.kernel.test_last_words import FLUSHES, IMPORTS, end_of
from tests.trust.conftest import Kernels
from tests.trust.figures import Trial

#: A line says whose it is, its number, and where it ends.
LINE = re.compile(r"(\w+):(\d+):-*#")
#: What `LINE` may not leave over: no piece of a line that was torn.
PIECE = re.compile(r"\w+:\d+:|-+#|#")

PREPARE = """\
import asyncio, ctypes, logging, multiprocessing, os, signal, subprocess, sys, threading, time, warnings
from IPython.display import display
warnings.filterwarnings("ignore", "This process .*fork", DeprecationWarning)
context = multiprocessing.get_context("fork")
libc = ctypes.CDLL(None)
logging.basicConfig(force=True, format="%(message)s", stream=sys.stderr)
class Shown:
    def __init__(self, text): self.text = text
    def __repr__(self): return self.text
def line(who, number): return f"{who}:{number}:" + "-" * (number * 37 % 190) + "#"
def out(who, number): print(f"{who}:{number}", "-" * (number * 37 % 190) + "#", sep=":")
def err(who, number): print(f"{who}:{number}", "-" * (number * 37 % 190) + "#", sep=":", file=sys.stderr)
def flushed(who, number): print(line(who, number), flush=True)
def shown(who, number): display(Shown(line(who, number)))
def logged(who, number): logging.warning(line(who, number))
def descriptor(who, number): os.write(1 + number % 2, (line(who, number) + "\\n").encode())
def c(who, number): libc.printf(b"%s\\n", line(who, number).encode()); libc.fflush(None)
def fork(work, who, number):
    child = os.fork()
    if child == 0:
        try: work(who, number)
        finally: sys.stdout.flush(); sys.stderr.flush(); os._exit(0)
    os.waitpid(child, 0)
def forked(who, number): fork(out, who, number)
def forked_shown(who, number): fork(shown, who, number)
def ran(who, number): subprocess.run(["echo", line(who, number)])
def many(work, who, count):
    for number in range(count): work(who, number)
def process(work, who, count):
    one = context.Process(target=many, args=(work, who, count)); one.start(); one.join()
def command(who, count):
    lines = "\\n".join(line(who, number) for number in range(count))
    subprocess.run(["sh", "-c", "while read -r text; do echo $text; done"], input=lines + "\\n", text=True)
"""
#: What the main thread does, a line each. When what it writes to descriptors arrives is not promised.
STEPS = ("out", "out", "err", "flushed", "shown", "logged", "ran", "forked")
#: The kinds of writers beside it: in threads of their own, which wait for their children.
WRITERS = {
    "print": "many(out, {who}, {count})",
    "stderr": "many(err, {who}, {count})",
    "flush": "many(flushed, {who}, {count})",
    "display": "many(shown, {who}, {count})",
    "logging": "many(logged, {who}, {count})",
    "os.write": "many(descriptor, {who}, {count})",
    "printf": "many(c, {who}, {count})",
    "a forked child": "process(out, {who}, {count})",
    "a forked child that flushes": "process(flushed, {who}, {count})",
    "a forked child that logs": "process(logged, {who}, {count})",
    "a forked child that writes to descriptors": "process(descriptor, {who}, {count})",
    "a command": "command({who}, {count})",
}
#: Their lines leave by two descriptors, which keep no order between them.
TWO_WAYS = {"os.write", "a forked child that writes to descriptors"}
#: What they have written is with the system when the process dies, and then in the kernel's own output.
BY_DESCRIPTOR = {*TWO_WAYS, "printf", "a command"}
#: How it ends: `None` asks for the kernel's shutdown when the cell is done.
ENDS: dict[str, str | None] = {
    "a result": "'done'",
    "an error": "raise ValueError",
    "exit()": "exit()",
    "os._exit": "os._exit(0)",
    "SIGKILL": "os.kill(os.getpid(), 9)",
    "a segmentation fault": "ctypes.string_at(0)",
    "shutdown": None,
    "restart": None,
}
SUDDEN = {"os._exit", "SIGKILL", "a segmentation fault"}


@dataclass
class Case:
    """One cell: its end, the lines of the main thread, and the others' kinds and numbers of lines."""

    end: str
    awaits: bool
    steps: list[str]
    writers: dict[str, tuple[str, int]]

    @classmethod
    def drawn(cls, rng: random.Random, number: int) -> Case:
        """Each end comes as often as the others."""
        steps = rng.choices(STEPS, k=rng.randrange(5, 60))
        kinds = rng.sample(list(WRITERS), rng.randrange(5))
        writers = {f"w{at}": (kind, rng.randrange(1, 300)) for at, kind in enumerate(kinds)}
        return cls(list(ENDS)[number % len(ENDS)], rng.random() < 0.4, steps, writers)

    @property
    def code(self) -> str:
        """The cell. What it has flushed before a sudden end must have left."""
        starts = [
            f"threading.Thread(target=lambda: {WRITERS[kind].format(who=repr(who), count=count)})"
            for who, (kind, count) in self.writers.items()
        ]
        return "\n".join(
            (
                "await asyncio.sleep(0)" if self.awaits else "",
                f"writers = [{', '.join(starts)}]",
                "for one in writers: one.start()",
                *(f"{step}('m', {number})" for number, step in enumerate(self.steps)),
                "for one in writers: one.join()",
                "sys.stdout.flush(); sys.stderr.flush()" if self.end in SUDDEN else "",
                ENDS[self.end] or "",
            )
        )

    def check(self, cell: Cell, log: str) -> None:
        """All lines are there, whole and in order."""
        came = list(lines_of(cell))
        rest = LINE.sub("", "\n".join(came))
        assert not PIECE.search(rest), f"torn: {PIECE.search(rest)}"
        by_writer = numbers(came)
        assert by_writer.pop("m", []) == list(range(len(self.steps))), f"main: {differing(came)}"
        of_log = numbers(log.splitlines()) if self.end in SUDDEN else {}
        for who, (kind, count) in self.writers.items():
            found = by_writer.pop(who, [])
            if kind in BY_DESCRIPTOR:
                found = list(dict.fromkeys(found + of_log.get(who, [])))
            if kind in TWO_WAYS:
                assert [n for n in found if n % 2] == list(range(1, count, 2)), f"{kind}: {found}"
                found = sorted(found)
            assert found == list(range(count)), f"{kind}: {found} instead of {count} lines"
        assert not by_writer


def lines_of(cell: Cell) -> Iterator[str]:
    """The lines as they were completed, and what was displayed."""
    open_lines = {"stdout": "", "stderr": ""}
    for kind, content in cell.outputs:
        if kind == "stream":
            *whole, open_lines[content["name"]] = (open_lines[content["name"]] + content["text"]).split("\n")
            yield from whole
        elif "data" in content:
            yield content["data"].get("text/plain", "")
    yield from filter(None, open_lines.values())


def numbers(lines: list[str]) -> dict[str, list[int]]:
    """Of each writer, in the order in which they came."""
    found: dict[str, list[int]] = defaultdict(list)
    for text in lines:
        for who, number in LINE.findall(text):
            found[who].append(int(number))
    return found


def differing(lines: list[str]) -> str:
    """The main thread's numbers around the first that is not in its place."""
    found = numbers(lines)["m"]
    at = next((at for at, number in enumerate(found) if at != number), len(found))
    return f"{found[max(0, at - 2) : at + 4]} at {at} of {len(found)}"


@pytest.mark.trust(
    "order",
    "What is written arrives whole and in order, by every way and at every end",
    tries=240,
    short=16,
    unit="cases",
)
def test_what_is_written_arrives_whole_and_in_order(trial: Trial, kernels: Kernels) -> None:
    for attempt in trial.attempts():
        with attempt as rng:
            case = Case.drawn(rng, attempt.number)
            notebook = kernels.get()
            cell = notebook.run(PREPARE)
            assert cell.status == "ok", cell.text
            try:
                cell = ended(notebook, case)
                case.check(cell, notebook.log)
            except AssertionError as error:
                raise AssertionError(f"{case.end}, {case.writers}: {str(error)[:1500]}") from None
            finally:
                if case.end not in ("a result", "an error"):
                    kernels.drop()


def ended(notebook: Notebook, case: Case) -> Cell:
    """The cell, when it has ended as it should."""
    cell = notebook.submit(case.code)
    if case.end not in SUDDEN:
        cell.wait()
    if case.end in ("shutdown", "restart"):
        asked = {"restart": case.end == "restart"}
        notebook.request("shutdown_request", asked, channel="control").wait()
    if case.end not in ("a result", "an error"):
        notebook.wait_exit()
        notebook.take_rest()
    return cell


@pytest.mark.trust(
    "last_words",
    "What was flushed arrives, whatever ends the process next",
    tries=100,
    short=6,
    unit="deaths",
)
def test_what_was_flushed_arrives_whatever_ends_the_process(trial: Trial, kernels: Kernels) -> None:
    for attempt in trial.attempts():
        with attempt as rng:
            flush, death = rng.choice(list(FLUSHES)), rng.choice(list(DEATHS))
            try:
                cell = end_of(kernels.get(), f"{IMPORTS}{FLUSHES[flush]}; {DEATHS[death]}")
            finally:
                kernels.drop()
            assert "last words" in cell.text, f"{flush}, then {death}"
