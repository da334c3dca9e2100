"""Where a journal may lie, who may write to it, and what happens if nothing can be written."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from namespace_kernel.base.errors import JournalError
from namespace_kernel.durable.journal.disk.store import names_kept_in
from tests.unit.durable.journal.conftest import Session, Start
from tests.unit.fakes import PATIENCE

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


def test_a_journal_of_another_format_is_one_line_and_stays_as_it_is(start: Start, tmp_path: Path) -> None:
    start().keep("x = 1")
    start().journal.close()
    with sqlite3.connect(tmp_path / "journal" / "journal.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    for _ in range(2):  # it is not locked by the first
        with pytest.raises(JournalError, match="another version of namespace_kernel has written"):
            start()


@pytest.mark.parametrize("folder", ["plain", "a?b", "50%25", "x#y", "ö é"])
def test_the_names_on_disk_are_counted_wherever_they_lie(folder: str, tmp_path: Path) -> None:
    session = Session(tmp_path / folder / "journal")
    session.keep("x, y = 1, 2")
    session.journal.close()
    assert names_kept_in(tmp_path / folder / "journal") == 2
