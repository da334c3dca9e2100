"""Bad things get a clear line and harm nothing: what comes back is right, or is named as lost."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from namespace_kernel.base.errors import JournalError
from namespace_kernel.durable.journal import store
from tests.unit.fakes import PATIENCE

from .conftest import Session, Start

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


PLACES: dict[str, Callable[[Path], Path]] = {
    "in a file": lambda folder: _in_a_file(folder),
    "where nobody may write": lambda folder: Path("/proc/self/journal"),
    "open to others": lambda folder: _made(folder, lambda path: path.chmod(0o777)),
    "of another user": lambda folder: _made(folder, lambda path: os.chown(path, 12345, -1)),
    "a link": lambda folder: _linked(folder),
}


def _made(folder: Path, change: Callable[[Path], object]) -> Path:
    path = folder / "other"
    path.mkdir()
    change(path)
    return path


def _in_a_file(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file" / "journal"


def _linked(folder: Path) -> Path:
    (folder / "real").mkdir()
    (folder / "link").symlink_to(folder / "real")
    return folder / "link"


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_cannot_be_trusted_is_one_line(place: str, tmp_path: Path) -> None:
    if place == "of another user" and os.getuid():
        pytest.skip("only root can give a directory away")
    with pytest.raises(JournalError) as caught:
        Session(PLACES[place](tmp_path))
    assert "\n" not in str(caught.value)


def test_one_kernel_at_a_time_also_of_another_process(start: Start, tmp_path: Path) -> None:
    first = start()
    first.keep("x = 1")
    with pytest.raises(JournalError, match="another kernel"):
        Session(tmp_path / "journal")
    code = (
        "import sys; from pathlib import Path; from namespace_kernel import *\n"
        "try: Journal(AsyncNamespaceManager(), Path(sys.argv[1]))\n"
        "except Exception as error: print(error)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "journal")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE)
    assert "another kernel keeps its names" in done.stdout, done.stderr
    first.keep("y = x + 1")
    first.journal.close(0.0)
    assert {one.name for one in start().journal.restore().back} == {"x", "y"}


FULL = """
import resource, sys
from pathlib import Path
from namespace_kernel import *
from namespace_kernel.durable.journal.records import CellRecord
told, manager = [], AsyncNamespaceManager()
journal = Journal(manager, Path(sys.argv[1]), tell=told.append)
def cell(number, code):
    journal.cell_began()
    exec(code, manager.live)
    journal.cell_ended(CellRecord(number, code, frozenset(manager.live)))
    return journal.flush(30)
assert cell(1, 'a = 1')
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
assert not cell(2, "import os; b = os.urandom(10_000_000); c = bytearray(b)")
assert not cell(3, "a = 2")
assert len(told) == 1 and "the cells go on" in told[0], told
assert journal.status().problem
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert cell(4, "d = a")
assert not journal.status().problem
journal.close(); del journal
manager = AsyncNamespaceManager(); journal = Journal(manager, Path(sys.argv[1])); back = journal.restore()
assert manager.live["a"] == manager.live["d"] == 2 and manager.live["b"] == manager.live["c"], back
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX's")
def test_a_full_disk_is_one_line_and_the_cells_go_on(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", FULL, str(tmp_path / "journal")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100)
    assert done.stdout == "done\n", done.stderr


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


ODD = {
    "raises": "def __reduce__(self): raise RuntimeError('no')",
    "exits": "def __reduce__(self): raise SystemExit(3)",
    "is stopped": "def __reduce__(self): raise KeyboardInterrupt",
    "gives nonsense": "def __reduce__(self): return object()",
    "is endless": "def __reduce__(self): return list, ([type(self)()],)",
}


@pytest.mark.parametrize("what", ODD)
def test_an_object_that_cannot_be_pickled_is_named_and_the_others_are_kept(start: Start, what: str) -> None:
    session = start()
    session.keep(f"class Odd:\n    {ODD[what]}\nodd = Odd(); holder = [odd]; fine = [1]")
    assert set(session.lost()) == {"odd", "holder"}
    second = start()
    back = second.journal.restore()
    assert second.names["fine"] == [1] and {one.name for one in back.lost} == {"odd", "holder"}


CHANGES = {
    "counts": "def __getstate__(self): self.n = getattr(self, 'n', 0) + 1; return self.__dict__",
    "grows": "def __getstate__(self): self.__dict__.setdefault('all', []).append(1); return self.__dict__",
    "asks the clock": "def __getstate__(self): return {'at': __import__('time').time()}",
    "binds a name": "def __getstate__(self): globals()['made'] = object(); return {}",
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_object_that_changes_itself_is_kept_and_nothing_goes_on_for_ever(start: Start, what: str) -> None:
    session = start()
    session.keep(f"class Odd:\n    {CHANGES[what]}\nodd = Odd(); fine = [1]")
    for number in range(3):
        session.keep(f"fine.append({number}); odd")
    assert len(session.journal.states()) <= 8
    second = start()
    second.journal.restore()
    assert second.names["fine"] == [1, 0, 1, 2] and type(second.names["odd"]) is second.names["Odd"]


def test_an_object_that_asks_a_network_is_given_up(start: Start) -> None:
    session = start(patience=0.3)
    session.run(
        "import socket\nhere, there = socket.socketpair()\nclass Far:\n"
        "    def __reduce__(self): return str, (here.recv(1).decode(),)\nfar = Far(); fine = 1"
    )
    assert session.journal.flush(PATIENCE)
    assert {"far", "here", "there"} <= session.lost().keys() and "fine" not in session.lost()
    for end in ("there", "here"):
        session.names[end].close()
    session.keep("more = 2")
    assert {one.name for one in start().journal.restore().back} >= {"fine", "more"}


def test_a_clock_that_is_set_back_loses_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session, now = start(), time.time()
    for number, at in enumerate((now, now - 10**8, now + 10**9, now - 5)):
        monkeypatch.setattr(store.time, "time", lambda at=at: at)
        session.keep(f"x = {number}")
    second = start()
    second.journal.restore()
    assert second.names["x"] == 3
