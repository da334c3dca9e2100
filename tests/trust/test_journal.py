"""Killed at any instant, a process leaves the state after one of its cells on disk, whole."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest

from namespace_kernel import AsyncNamespaceManager
from namespace_kernel.durable.journal.journal import Journal
from tests.kernel.cells import PATIENCE
from tests.kernel.client import ROOT, SPEC
from tests.trust.figures import SCALE, Trial
from tests.trust.journal_cells import POINTS, expected, facts

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or SPEC != "namespace", reason="signals are POSIX's, and the journal is ours"
)

PROMISE = "Killed at any instant, the names come back as they were after a cell, none torn, each loss named"
#: Names that cannot be kept: each is named.
NOT_KEPT = {"lock"}
LAST = 40


class Victim:
    """A process that runs cells, and what it has said."""

    def __init__(self, folder: Path, seed: int, point: str = "", nth: int = 1) -> None:
        argv = [sys.executable, "-m", "tests.trust.journal_cells", str(folder), str(seed), point, str(nth)]
        self.process = subprocess.Popen(
            argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.said: list[tuple[str, int]] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith("\n"):
                return  # it was killed while it wrote that
            word, number = line.split()
            with self._changed:
                self.said.append((word, int(number)))
                self._changed.notify_all()

    def last(self, word: str) -> int:
        """The last cell of which it has said that."""
        return max((number for said, number in self.said if said == word), default=0)

    def wait_for(self, word: str, number: int) -> bool:
        """Wait until it has said so; whether it lives."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.last(word) >= number or self.process.poll() is not None, timeout=0.2
            )
        return self.process.poll() is None

    def kill(self) -> None:
        """End it, and read what it has said."""
        self.process.kill()
        self.end()

    def end(self) -> None:
        """It has ended, or does so."""
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stderr is not None and self.process.stdout is not None
        errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        assert self.process.returncode == -signal.SIGKILL, errors


def restored(folder: Path) -> tuple[int, dict[str, Any], dict[str, str]]:
    """The number of the cell after which the names are, the names, and what is lost."""
    module = types.ModuleType("__main__")
    journal = Journal(AsyncNamespaceManager(module), folder)
    try:
        if not journal.states():
            return 0, {}, {}
        back = journal.restore()
        return back.state.number, module.__dict__, {one.name: one.reason for one in back.lost}
    finally:
        journal.close()


def check(victim: Victim, folder: Path, seed: int) -> None:
    """What is on disk is the state after a cell, no later than the last one, nor earlier than one kept."""
    number, names, lost = restored(folder)
    assert victim.last("kept") <= number <= victim.last("end") + 1, f"{number}: {victim.said[-4:]}"
    if number:
        assert facts(names) == expected(seed, number), f"not the state after cell {number}"
        assert set(lost) == NOT_KEPT, lost
    left = [one.name for one in (folder / "buffers").iterdir() if one.name.endswith(".new")]
    assert len(left) <= 1, left


@pytest.mark.timeout(0 if SCALE else 600)
@pytest.mark.trust("journal", PROMISE, tries=1_000, short=8, unit="kills")
def test_a_process_that_is_killed_at_any_instant(trial: Trial, tmp_path: Path) -> None:
    for attempt in trial.attempts():
        with attempt as rng:
            folder, seed = tmp_path / f"journal-{rng.random()}", rng.randrange(10**6)
            victim = Victim(folder, seed)
            until, pause = rng.randrange(LAST), rng.random() * 0.03
            while victim.wait_for("begin", until) and victim.last("begin") < until:
                pass
            threading.Event().wait(pause)
            victim.kill()
            check(victim, folder, seed)


@pytest.mark.timeout(0 if SCALE else 600)
@pytest.mark.trust("journal", PROMISE, unit="kills")
@pytest.mark.parametrize("point", POINTS)
def test_a_process_that_ends_in_the_midst_of_a_write(point: str, tmp_path: Path) -> None:
    folder, seed = tmp_path / "journal", random.Random(point).randrange(10**6)
    folder.mkdir()
    for nth in (1, 3):
        victim = Victim(folder / str(nth), seed, point, nth)
        victim.end()
        check(victim, folder / str(nth), seed)
