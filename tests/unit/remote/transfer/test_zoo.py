"""Values that people keep arrive in another process as they were, or are refused: never as something else."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.zoo.__main__ import KINDS

#: Two processes import all libraries there are; the machine may be busy.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of each kind: packed in one process, restored in another."""
    file = tmp_path_factory.mktemp("zoo") / "pieces"
    for what in ("pack", "restore"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.zoo", what, str(file)],
            cwd=Path(__file__).parents[4],
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_restored_equal_or_refused(told: dict[str, Any], name: str) -> None:
    kind = KINDS[name]
    if kind.needs and importlib.util.find_spec(kind.needs) is None:
        pytest.skip(f"{kind.needs} is not installed")
    one = told[name]
    assert "error" not in one, one["error"]
    if kind.check:
        assert (one["refused"], one["wrong"], one["lost"]) == ({}, "", sorted(kind.lost)), one
    else:
        assert one["refused"]


def test_there_are_enough_kinds() -> None:
    assert len(KINDS) >= 150 and sum(bool(kind.check) for kind in KINDS.values()) >= 150
