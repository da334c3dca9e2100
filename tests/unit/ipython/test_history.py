"""The history's database is opened when it is used, once, and whatever is in its place."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from namespace_kernel.ipython.history import BatchedHistory
from tests.unit.fakes import PATIENCE, WatchedLock

Make = Callable[..., Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


@pytest.fixture
def make(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setenv("IPYTHONDIR", str(path.parent / "ipython"))
    shell: Any = InteractiveShell()
    made: list[Any] = []

    def history(**options: Any) -> Any:
        options = {"hist_file": path, "later": lambda seconds, function: None, **options}
        made.append(BatchedHistory(shell=shell, **options))
        return made[-1]

    yield history
    for one in made:
        one.close()
    shell._atexit_once()


def rows(path: Path, query: str) -> list[Any]:
    with sqlite3.connect(path) as database:
        found = database.execute(query).fetchall()
    database.close()
    return found


def write(history: Any) -> None:
    """What the timer does, and wait for it."""
    history._write()
    until = time.monotonic() + 30
    while history.db_input_cache and time.monotonic() < until:
        time.sleep(0.01)
    assert not history.db_input_cache
    with history._changing:  # what has been taken out is in the file
        pass


def test_nothing_is_opened_for_a_kernel_that_runs_nothing(make: Make, path: Path) -> None:
    history = make()
    history.end_session()
    history.close()
    assert not path.exists()


def test_what_was_run_is_written_at_the_end_at_the_latest(make: Make, path: Path) -> None:
    history = make()
    history.store_inputs(1, "x = 1")
    assert not path.exists()
    history.end_session()
    assert rows(path, "select session, line, source from history") == [(1, 1, "x = 1")]
    assert rows(path, "select session, num_cmds from sessions where end is not null") == [(1, 1)]


def test_the_thread_opens_it_and_the_session_is_the_same_for_all(make: Make, path: Path) -> None:
    history = make()
    history.store_inputs(1, "x = 1")
    write(history)
    assert rows(path, "select session, source from history") == [(1, "x = 1")]
    assert history.session_number == 1
    assert [row[2] for row in history.get_tail(include_latest=True)] == ["x = 1"]
    assert make().session_number == 2


def test_threads_that_open_it_at_once_begin_one_session(make: Make, path: Path) -> None:
    history = make()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(history.session_number)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 8
    assert rows(path, "select session from sessions") == [(1,)]


CHANGES: dict[str, Callable[[Any], Any]] = {
    "begins a session": lambda history: history.session_number,
    "writes": lambda history: history.writeout_cache(),
    "ends the session": lambda history: history.end_session(),
    "begins another": lambda history: history.new_session(),
    "names it": lambda history: history.name_session("mine"),
}


@pytest.mark.filterwarnings("ignore:name_session")
@pytest.mark.parametrize("second", [one for one in CHANGES if one != "begins a session"])
@pytest.mark.parametrize("first", CHANGES)
def test_what_changes_it_waits_for_what_another_thread_changes(first: str, second: str, make: Make) -> None:
    """Two transactions over one connection: the first `commit` ends both, and the other one has none to end.

    Then the session was not begun, and the history not saved from there on.
    """
    waits_or_changes = threading.Event()
    changed: list[str] = []

    class Connection(sqlite3.Connection):
        """Before its first commit the other thread begins to change what it can."""

        def __enter__(self) -> Any:
            if other.ident is not None and not waits_or_changes.is_set():
                changed.append(second)
                waits_or_changes.set()
            return super().__enter__()

        def __exit__(self, *details: Any) -> Any:
            if isinstance(history._changing, WatchedLock) and other.ident is None:
                other.start()
                assert waits_or_changes.wait(PATIENCE)
            return super().__exit__(*details)

    history = make(connection_options={"factory": Connection, "check_same_thread": False})
    history.store_inputs(1, "x = 1")
    other = threading.Thread(target=CHANGES[second], args=(history,))
    assert history.db and (first == "begins a session" or history.session_number == 1)
    history._changing = watched = WatchedLock(history._changing)
    watched.moved = waits_or_changes
    CHANGES[first](history)
    other.join(PATIENCE)
    assert (changed, other.is_alive()) == ([], False)


def test_of_two_kernels_with_one_session_number_the_later_writes_in_a_new_one(make: Make, path: Path) -> None:
    """Both may have asked for a number before the other's was in the file."""
    first, second = make(), make()
    assert first.session_number == 1
    second.session_number = 1
    for history, source in ((first, "one"), (second, "two")):
        history.store_inputs(1, source)
        history.writeout_cache()
    assert rows(path, "select session, line, source from history") == [(1, 1, "one"), (2, 1, "two")]
    assert second.session_number == 2


@pytest.mark.parametrize(
    "read",
    [
        lambda history: history.search("x*"),
        lambda history: history.get_range(0),
        lambda history: history.get_tail(5, include_latest=True),
        lambda history: history.get_range(1, raw=False),
    ],
    ids=["search", "range", "tail", "range of a session"],
)
def test_whoever_reads_finds_what_was_run_just_now(read: Callable[[Any], Any], make: Make) -> None:
    history = make()
    history.store_inputs(1, "x = 1")
    assert [row[2] for row in read(history)] == ["x = 1"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, sqlite3.OperationalError])
def test_what_cannot_be_written_now_is_written_later_and_in_its_order(
    error: type[BaseException], make: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise error

    history = make(db_log_output=True)
    history.store_inputs(1, "x = 1")
    history.output_hist_reprs[1] = "1"
    history.store_output(1)
    with monkeypatch.context() as patched, pytest.raises(error):
        patched.setattr(history, "_insert", fail)
        history.writeout_cache()
    history.store_inputs(2, "y = 2")
    history.writeout_cache()
    assert rows(path, "select line, source from history") == [(1, "x = 1"), (2, "y = 2")]
    assert rows(path, "select line, output from output_history") == [(1, "1")]


def test_reset_begins_another_session(make: Make, path: Path) -> None:
    history = make()
    history.store_inputs(1, "x = 1")
    history.reset()
    assert history.session_number == 2
    assert rows(path, "select session, source from history") == [(1, "x = 1")]


def test_a_spoilt_file_is_moved_away_and_nothing_is_lost(make: Make, path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    history = make()
    history.store_inputs(1, "x = 1")
    write(history)
    assert rows(path, "select source from history") == [("x = 1",)]
    assert [one.name for one in path.parent.glob("*corrupt*")] == ["history-corrupt.sqlite"]


def test_where_no_session_can_be_created_it_is_kept_in_memory(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_session, tries = BatchedHistory.new_session, []

    def refuse_once(self: Any, connection: Any = None) -> None:
        tries.append(connection)
        if len(tries) == 1:
            raise sqlite3.OperationalError("attempt to write a readonly database")
        new_session(self, connection)

    monkeypatch.setattr(BatchedHistory, "new_session", refuse_once)
    history = make()
    history.store_inputs(1, "x = 1")
    history._write()
    history.save_thread.join(30)
    assert (history.using_thread, str(history.hist_file)) == (False, ":memory:")
    assert [row[2] for row in history.get_tail(include_latest=True)] == ["x = 1"]


UNOPENED = [
    *(OSError(24, "Too many open files"), MemoryError(), KeyboardInterrupt()),
    TypeError("'NoneType' object is not iterable"),  # `sys.path = None`
]


@pytest.mark.parametrize("error", UNOPENED)
def test_what_cannot_be_opened_now_is_opened_with_a_later_cell_and_told_in_one_line(
    error: BaseException,
    make: Make,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)

    def refuse(self: Any) -> None:
        raise error

    history = make()
    history.store_inputs(1, "x = 1")
    with monkeypatch.context() as full:
        full.setattr(BatchedHistory, "init_db", refuse)
        history._write()
        history.save_thread.join(30)
    history.store_inputs(2, "x = 2")
    write(history)
    assert rows(path, "select source from history") == [("x = 1",), ("x = 2",)]
    assert told == []
    words = f"the history is not saved yet: {type(error).__name__}: {error}"
    assert [(one.message, one.exc_info) for one in caplog.records if one.levelname == "ERROR"] == [
        (words, None)
    ]


def test_without_a_database_all_goes_on(make: Make, path: Path) -> None:
    history = make(enabled=False)
    history.store_inputs(1, "x = 1")
    history.end_session()
    assert (history.session_number, path.exists(), history.input_hist_raw) == (0, False, ["", "x = 1"])


def test_without_sqlites_library_all_goes_on(make: Make, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = make()
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "sqlite3", None)  # importing it fails
        history.store_inputs(1, "x = 1")
        history._write()
        history.save_thread.join(30)
        assert (history.session_number, history.enabled) == (0, False)
        assert list(history.get_range()) == [(0, 1, "x = 1")]
        history.end_session()
    assert (path.exists(), history.input_hist_raw) == (False, ["", "x = 1"])
