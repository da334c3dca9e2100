"""Values of every kind that people keep come back from a journal as they were, or are named as lost."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.client import ROOT, SPEC
from tests.trust.figures import Trial
from tests.zoo.__main__ import KINDS

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or SPEC != "namespace", reason="signals are POSIX's, and the journal is ours"
)

NAMES = [name for name, kind in KINDS.items() if not kind.needs or importlib.util.find_spec(kind.needs)]


def run(folder: Path, what: str, names: list[str]) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "tests.zoo.journal", str(folder), what, *names]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.mark.timeout(600)
@pytest.mark.trust(
    "journal_zoo",
    "A value comes back from a killed process as it was, or is named as lost",
    tries=len(NAMES),
    short=40,
    unit="kinds of values",
)
def test_each_kind_of_value_comes_back_or_is_named(trial: Trial, tmp_path: Path) -> None:
    names = NAMES if trial.long else trial.random().sample(NAMES, trial.count)
    for at in range(0, len(names), 40):
        some, folder = names[at : at + 40], tmp_path / str(at)
        folder.mkdir()
        kept = run(folder, "keep", some)
        assert kept.returncode == -signal.SIGKILL, kept.stderr
        back = run(folder, "restore", some)
        assert back.returncode == 0, back.stderr
        trial.count_tries(len(some))
        for name, found in (json.loads(line) for line in back.stdout.splitlines() if line.startswith("[")):
            kind = KINDS[name]
            with trial.holding(name):
                assert bool(found["lost"]) == (not kind.check), found
                assert not found["wrong"], found
                assert not kind.lost or found["without"], found
