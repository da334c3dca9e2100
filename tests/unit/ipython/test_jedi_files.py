"""jedi's names do not depend on the files of its cache."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jedi  # type: ignore[import-untyped]
import pytest
from parso import cache

CODE = "import library_of_mine\nlibrary_of_mine.fir"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """jedi's cache, which is empty."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(jedi.settings, "cache_directory", str(folder))
    monkeypatch.setattr(cache, "parser_cache", {})
    monkeypatch.setattr("parso.grammar.parser_cache", cache.parser_cache)
    monkeypatch.setattr("jedi.parser_utils.parser_cache", cache.parser_cache)
    return folder


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "library_of_mine.py").write_text("first = 1\nfirst_of_all = 2\n")
    monkeypatch.syspath_prepend(tmp_path)


def names() -> list[str]:
    cache.parser_cache.clear()  # as in a process that has just begun
    return [found.name for found in jedi.Interpreter(CODE, [{}]).complete()]


def written(folder: Path) -> Iterator[Path]:
    return folder.rglob("*.pkl")


@pytest.mark.parametrize("damage", ["empty", "half", "garbage", "a folder"])
def test_a_damaged_file_is_written_again(damage: str, folder: Path) -> None:
    assert names() == ["first", "first_of_all"]
    whole = {file: file.read_bytes() for file in written(folder)}
    assert whole
    for file, data in whole.items():
        if damage == "a folder":
            file.unlink()
            file.mkdir()
        else:
            kinds = {"empty": b"", "half": data[: len(data) // 2], "garbage": b"\xff" * 9}
            file.write_bytes(kinds[damage])
    assert names() == ["first", "first_of_all"]
    if damage != "a folder":
        assert {file: file.stat().st_size for file in whole} == {
            file: len(data) for file, data in whole.items()
        }
    assert names() == ["first", "first_of_all"]


def test_a_folder_that_cannot_be_made(folder: Path) -> None:
    folder.write_text("a file")
    with warnings.catch_warnings(record=True) as told:
        assert names() == names() == ["first", "first_of_all"]
    assert not told


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EIO])
def test_a_file_that_cannot_be_written(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save(*args: Any, **options: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(cache, "_get_hashed_path", save)
    with warnings.catch_warnings(record=True) as told:
        assert names() == names() == ["first", "first_of_all"]
    assert not told and not list(written(folder))
