"""The user's modules are new in the next cell if a file of theirs has changed; others are not looked at."""

from __future__ import annotations

import importlib
import json
import os
import sys
import types
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from namespace_kernel.worker import run


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(run, "_others", {})
    before = dict(sys.modules)
    yield
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


def write(path: Path, text: str, when: int) -> None:
    path.write_text(text)
    os.utime(path, (when, when))


@pytest.mark.parametrize("looked_at_before", [False, True])
def test_a_file_that_was_changed_is_read_again(tmp_path: Path, looked_at_before: bool) -> None:
    seen: dict[str, float] = {}
    if looked_at_before:
        run._note_modules(seen)
    write(tmp_path / "mine.py", "x = 1", 1_000_000)
    assert importlib.import_module("mine").x == 1
    run._note_modules(seen)
    run._forget_changed_modules(seen)
    assert "mine" in sys.modules, "nothing has changed"
    write(tmp_path / "mine.py", "x = 2", 1_000_010)
    run._forget_changed_modules(seen)
    assert importlib.import_module("mine").x == 2
    (tmp_path / "mine.py").unlink()
    run._forget_changed_modules(seen)
    assert "mine" in sys.modules, "of a file that is gone nothing newer can be read"


def test_a_module_in_the_place_of_an_installed_one_is_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "json" not in run._own_modules() and run._others["json"] is json
    write(tmp_path / "json.py", "", 1_000_000)
    mine = types.ModuleType("json")
    mine.__file__ = str(tmp_path / "json.py")
    monkeypatch.setitem(sys.modules, "json", mine)
    assert run._own_modules()["json"] == 1_000_000


def test_what_has_no_file_and_what_is_the_users_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made = types.ModuleType("__main__")
    sys.modules["made"] = made
    monkeypatch.setitem(sys.modules, "odd", 5)  # type: ignore[arg-type]
    run._own_modules()
    kept = weakref.ref(made)
    del sys.modules["made"], made
    assert kept() is None
