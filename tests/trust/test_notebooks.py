"""Notebooks that are interrupted after each of their cells go on, with the outputs of a run to the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.client import ROOT, SPEC
from tests.notebooks import NOTEBOOKS
from tests.trust.figures import Trial

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or SPEC != "namespace", reason="processes are forked, and the journal is ours"
)

#: With what is hardest first: the short form takes as many as it may.
NAMES = sorted(
    NOTEBOOKS,
    key=lambda name: (
        name not in ("accounts", "copy on write", "pyplot's state", "time series", "what cannot be kept")
    ),
)


@pytest.mark.timeout(600)
@pytest.mark.trust(
    "journal_notebooks",
    "Interrupted after any cell, a notebook goes on with the outputs of an uninterrupted run",
    tries=len(NAMES),
    short=4,
    unit="notebooks",
)
def test_a_notebook_goes_on_after_each_of_its_cells(trial: Trial, tmp_path: Path) -> None:
    for attempt in trial.attempts():
        with attempt:
            name = NAMES[attempt.number]
            done = subprocess.run(
                [sys.executable, "-m", "tests.notebooks", str(tmp_path), name],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert done.returncode == 0, done.stderr
            _, _, wrong = json.loads(done.stdout.splitlines()[-1])
            assert not wrong, "\n".join(wrong)
