"""A worker stands where the kernel stands, also if that has moved since the worker was started."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from namespace_kernel.remote.transfer.messages import Surroundings
from namespace_kernel.worker.run import _move_to


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    directory, path, environment = os.getcwd(), list(sys.path), dict(os.environ)
    finders = list(sys.meta_path)
    yield
    os.chdir(directory)
    sys.path[:], sys.meta_path[:] = path, finders
    os.environ.clear()
    os.environ.update(environment)


def here(**changes: str) -> dict[str, str]:
    return {**os.environ, **changes}


def test_variables_that_were_set_changed_and_deleted_since_are_so_there(tmp_path: Path) -> None:
    os.environ |= {"GONE": "1", "CHANGED": "1", "KEPT": "1"}
    there = here(NEW="2", CHANGED="2")
    del there["GONE"]
    _move_to(Surroundings(str(tmp_path), tuple(sys.path), there))
    assert dict(os.environ) == there
    assert (os.environ["NEW"], os.environ["CHANGED"], os.environ["KEPT"]) == ("2", "2", "1")
    said = subprocess.run("echo $NEW$CHANGED$GONE", shell=True, capture_output=True, text=True, check=True)
    assert said.stdout == "22\n", "children have them, too"


def test_the_directory_and_the_path_are_the_kernel_s(tmp_path: Path) -> None:
    before = sys.path
    _move_to(Surroundings(str(tmp_path), ("somewhere", *sys.path), here()))
    assert Path.cwd() == tmp_path.resolve()
    assert sys.path is before and sys.path[0] == "somewhere"
