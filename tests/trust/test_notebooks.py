"""Notebooks that are interrupted after each of their cells go on, with the outputs of a run to the end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.kernel.client import ROOT, SPEC
from tests.notebooks import NOTEBOOKS
from tests.trust.figures import SCALE, Trial

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or SPEC != "namespace", reason="processes are forked, and the journal is ours"
)


def _can_run(cells: list[str]) -> bool:
    """Whether all that they import is installed."""
    imported = re.findall(r"^ *(?:import|from) (\w+)", "\n".join(cells), re.MULTILINE)
    return all(find_spec(name) is not None for name in imported)


#: With what is hardest first: the short form takes as many as it may.
NAMES = sorted(
    (name for name, cells in NOTEBOOKS.items() if _can_run(cells)),
    key=lambda name: (
        name not in ("accounts", "copy on write", "pyplot's state", "time series", "what cannot be kept")
    ),
)


@pytest.mark.timeout(0 if SCALE else 600)
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
