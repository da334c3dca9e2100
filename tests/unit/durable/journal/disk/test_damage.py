"""What is damaged on disk, or of another version, makes no name wrong: it is right, or named as lost."""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from namespace_kernel.base.errors import JournalError
from namespace_kernel.durable.journal.disk import store
from tests.unit.durable.journal.conftest import Start

CELLS = (
    "import numpy as np\nsmall = 'text ' * 50\nbig = np.arange(200_000)",
    "both = [1]\nalias = both\ndef f(): return small[:4]\nnoise = np.random.default_rng(0).random(50_000)",
    "both.append(2)\nbig[0] = 7\nlarge = {i: str(i) * 9 for i in range(60_000)}",
)


def kept(start: Start) -> dict[str, Any]:
    """Cells whose names are on disk; how they were."""
    session = start()
    for code in CELLS:
        session.keep(code)
    values = dict(session.names)
    session.journal.close(0.0)
    return values


def is_right(name: str, value: Any, was: dict[str, Any], names: dict[str, Any]) -> bool:
    if name == "f":
        return callable(value) and ("small" not in names or value() == "text")
    if name == "np":
        return value is np
    if isinstance(value, np.ndarray):
        return np.array_equal(value, was[name]) or (
            name == "big" and np.array_equal(value[1:], was[name][1:])
        )
    return value == was[name] or (name in ("both", "alias") and value == [1])


def files_of(folder: Path) -> list[Path]:
    return sorted(one for one in folder.rglob("*") if one.is_file() and one.name != "lock")


def flip(file: Path, rng: random.Random) -> None:
    data = bytearray(file.read_bytes())
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        file.write_bytes(data)


DAMAGES: dict[str, Callable[[Path, random.Random], object]] = {
    "cut to nothing": lambda file, rng: os.truncate(file, 0),
    "cut in the middle": lambda file, rng: os.truncate(file, file.stat().st_size // 2),
    "cut by a byte": lambda file, rng: os.truncate(file, max(0, file.stat().st_size - 1)),
    "a bit is flipped": flip,
    "zeros": lambda file, rng: file.write_bytes(bytes(file.stat().st_size)),
    "gone": lambda file, rng: file.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_makes_no_name_wrong(start: Start, tmp_path: Path, damage: str) -> None:
    was = kept(start)
    folder, rng = tmp_path / "journal", random.Random(damage)
    whole = {file: file.read_bytes() for file in files_of(folder)}
    assert len(whole) >= 4
    for file in whole:
        for other, content in whole.items():
            other.write_bytes(content)
        DAMAGES[damage](file, rng)
        try:
            session = start()
            back = session.journal.restore()
        except JournalError as error:
            assert str(folder) in str(error) or "%restore --list" in str(error)
        else:
            wrong = [
                one.name
                for one in back.back
                if not is_right(one.name, session.names[one.name], was, session.names)
            ]
            assert wrong == [], f"{file.name}: {wrong}"
            assert all(one.reason for one in back.lost)
            session.keep("more = 1")
            session.journal.close(0.0)


def test_flipped_bits_of_the_database_make_no_name_wrong(start: Start, tmp_path: Path) -> None:
    was = kept(start)
    folder, rng = tmp_path / "journal", random.Random(5)
    whole = {file: file.read_bytes() for file in files_of(folder)}
    for number in range(60):
        for file, content in whole.items():
            file.write_bytes(content)
        flip(rng.choice([one for one in whole if one.name.startswith("journal.db")]), rng)
        try:
            session = start()
            back = session.journal.restore()
        except JournalError:
            continue
        wrong = [
            one.name
            for one in back.back
            if one.name not in was or not is_right(one.name, session.names[one.name], was, session.names)
        ]
        assert wrong == [], f"flip {number}"
        session.journal.close(0.0)


def test_code_of_another_python_is_named_and_data_is_there(start: Start, tmp_path: Path) -> None:
    kept(start)
    with sqlite3.connect(tmp_path / "journal" / "journal.db") as database:
        rows = database.execute("SELECT digest, needs FROM pieces").fetchall()
        for digest, needs in rows:
            changed = needs.replace(f'"{sys.version_info[0]}.{sys.version_info[1]}"', '"3.1"')
            database.execute("UPDATE pieces SET needs = ? WHERE digest = ?", (changed, digest))
    database.close()
    session, told = start(), list[str]()
    back = session.journal.restore(tell=told.append)
    assert [one.name for one in back.lost] == ["f"] and "Python 3.1" in back.lost[0].reason
    assert any("Python was 3.1" in line for line in told) and session.names["both"] == [1, 2]


def test_another_version_of_a_package_is_told_before_anything_is_loaded(start: Start, tmp_path: Path) -> None:
    kept(start)
    with sqlite3.connect(tmp_path / "journal" / "journal.db") as database:
        database.execute("UPDATE pieces SET needs = replace(needs, ?, '0.1')", (np.__version__,))
    database.close()
    session = start()
    seen = []
    session.journal.restore(tell=lambda line: seen.append((line, "big" in session.names)))
    assert (f"numpy was 0.1 and is {np.__version__}", False) in seen


def test_a_clock_that_is_set_back_loses_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session, now = start(), time.time()
    for number, at in enumerate((now, now - 10**8, now + 10**9, now - 5)):
        monkeypatch.setattr(store.time, "time", lambda at=at: at)
        session.keep(f"x = {number}")
    second = start()
    second.journal.restore()
    assert second.names["x"] == 3
