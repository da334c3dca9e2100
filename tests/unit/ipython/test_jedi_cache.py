"""jedi reads a file that it knows only if it has changed."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jedi  # type: ignore[import-untyped]
import pytest
from jedi.inference.compiled import mixed  # type: ignore[import-untyped]

from namespace_kernel.ipython.completion.jedi_cache import FILES, read_files_once


@pytest.fixture(autouse=True)
def jedi_as_it_is() -> Iterator[None]:
    """What is changed in jedi is undone after the test."""
    original = mixed._load_module
    read_files_once()
    assert mixed._load_module is not original
    yield
    FILES.undo()
    assert mixed._load_module is original


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "a_module_of_mine.py"
    yield path
    sys.modules.pop(path.stem, None)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that jedi reads."""
    files: list[str] = []
    original = jedi.file_io.FileIO.read

    def reading(self: Any) -> Any:
        files.append(Path(self.path).name)
        return original(self)

    monkeypatch.setattr(jedi.file_io.FileIO, "read", reading)
    return files


def names(code: str, module: ModuleType) -> list[str]:
    found = jedi.Interpreter(code, [{"module": module}]).complete()
    return [f"{one.name} {one.docstring(raw=True)}" for one in found]


def test_a_known_file_is_not_read_again(file: Path, read: list[str]) -> None:
    file.write_text("def function(alpha, beta=1): 'told'")
    module = importlib.import_module(file.stem)
    first = names("module.func", module)
    assert first == ["function told"] and file.name in read
    read.clear()
    assert names("module.func", module) == first
    assert file.name not in read


def test_a_file_that_has_changed_is_read_again(file: Path, read: list[str]) -> None:
    file.write_text("class Result:\n    first = 1\ndef function(): return Result()")
    module = importlib.import_module(file.stem)
    assert [name.split()[0] for name in names("module.function().f", module)] == ["first"]
    file.write_text("class Result:\n    fast = fun = 1\ndef function(): return Result()")
    os.utime(file, (os.stat(file).st_atime, os.stat(file).st_mtime + 5))
    importlib.reload(module)
    read.clear()
    assert [name.split()[0] for name in names("module.function().f", module)] == ["fast", "fun"]
    assert file.name in read


def test_a_file_that_is_gone_is_no_error(file: Path) -> None:
    file.write_text("def function(): 'told'")
    module = importlib.import_module(file.stem)
    assert names("module.func", module)
    file.unlink()
    assert names("module.func", module) == ["function told"]
