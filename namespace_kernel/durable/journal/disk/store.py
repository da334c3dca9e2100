"""The journal on disk: SQLite for cells, names and pieces, and files beside it for large buffers.

A name's value has a row for each time that it changed: from which cell on, and until which. So a state is
what the rows say for one cell, and one more state costs what changed. All of a cell is one transaction, after
its buffers are there.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from namespace_kernel.base.errors import JournalError
from namespace_kernel.base.threads import RLock
from namespace_kernel.durable.journal.records import Kept, Lost, Maker, State
from namespace_kernel.durable.journal.surroundings import NAME

from .blobs import Blobs, digest_of
from .compression import squeeze, unsqueeze
from .steps import Step, Stored

FORMAT = 1
_DATABASE = "journal.db"
#: Streams from this size on have a file of their own.
_OWN_FILE = 1 << 18

_SCHEMA = f"""
PRAGMA user_version = {FORMAT};
CREATE TABLE IF NOT EXISTS cells (
  serial INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER, source TEXT, reads TEXT, ended REAL,
  duration REAL);
CREATE TABLE IF NOT EXISTS pieces (
  digest TEXT PRIMARY KEY, serial INTEGER, size INTEGER, codec TEXT, stream BLOB, stream_size INTEGER,
  stream_digest TEXT, buffers TEXT, needs TEXT);
CREATE TABLE IF NOT EXISTS names (
  name TEXT, since INTEGER, until INTEGER, maker INTEGER, piece TEXT, type TEXT, size INTEGER, reason TEXT);
CREATE INDEX IF NOT EXISTS open_names ON names (name) WHERE until IS NULL;
CREATE TABLE IF NOT EXISTS states (serial INTEGER PRIMARY KEY, parent INTEGER, at REAL);
"""


_LAST_SERIAL = "SELECT max(serial) FROM (SELECT serial FROM cells UNION SELECT serial FROM states)"


class Store:
    """One journal's files, which are there or made now.

    Thread: any; one at a time.
    """

    def __init__(self, path: Path) -> None:
        """Raises `OSError`, `sqlite3.Error`, and `JournalError` if it is of another format."""
        self.path = path
        self.blobs = Blobs(path / "buffers")
        self._lock = RLock()
        database = path / _DATABASE
        os.close(os.open(database, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        try:
            self._check_format()
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
            self.last_serial = self._one(_LAST_SERIAL) or 0
        except BaseException:
            self._db.close()
            raise

    def _check_format(self) -> None:
        found = self._one("PRAGMA user_version")
        if found not in (0, FORMAT):
            raise JournalError(
                f"another version of namespace_kernel has written {self.path}; name another place"
            )

    def _one(self, query: str, *values: object) -> int | None:
        with self._lock, closing(self._db.execute(query, values)) as rows:
            found: tuple[int | None, ...] | None = rows.fetchone()
        return None if found is None else found[0]

    def _rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self._lock, closing(self._db.execute(query, values)) as rows:
            return rows.fetchall()

    # Writing

    def has_piece(self, digest: str) -> bool:
        """Whether the piece is kept already."""
        return self._one("SELECT 1 FROM pieces WHERE digest = ?", digest) is not None

    def write(self, step: Step) -> None:
        """Add one state, whole or not at all; the pieces' buffers are there.

        Raises `sqlite3.Error` and `OSError`.
        """
        pieces = [self._piece_row(step.serial, piece) for piece in step.pieces]
        if step.pieces:
            self.blobs.sync()
        cells = [
            (
                serial,
                cell.number,
                cell.source,
                json.dumps(sorted(cell.reads or ())),
                time.time(),
                cell.duration,
            )
            for serial, cell in step.cells.items()
        ]
        ended = [(step.serial, name) for name in {*step.deleted, *(row.name for row in step.names)}]
        names = [
            (row.name, step.serial, None, row.maker, row.piece, row.type, row.size, row.reason)
            for row in step.names
        ]
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                run = self._db.executemany
                run("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?, ?)", cells)
                run("INSERT OR REPLACE INTO pieces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", pieces)
                run("UPDATE names SET until = ? WHERE name = ? AND until IS NULL", ended)
                run("INSERT INTO names VALUES (?, ?, ?, ?, ?, ?, ?, ?)", names)
                values = step.serial, step.parent, time.time()
                self._db.execute("INSERT OR REPLACE INTO states VALUES (?, ?, ?)", values)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self.last_serial = max(self.last_serial, step.serial)

    def _piece_row(self, serial: int, piece: Stored) -> tuple[object, ...]:
        codec, stream = squeeze(bytes(piece.stream))
        size = len(stream)
        if size >= _OWN_FILE:
            name = digest_of(stream)
            self.blobs.write(name, stream)
            codec, stream = f"{codec}@{name}", b""
        buffers, needs = json.dumps(piece.buffers), json.dumps(dict(piece.needs))
        return piece.digest, serial, piece.size, codec, stream, size, piece.stream_digest, buffers, needs

    # Reading

    def states(self) -> list[State]:
        """The states that are there, the oldest first."""
        rows = self._rows(
            "SELECT states.serial, number, at, source, parent, (SELECT count(*) FROM names WHERE name != '' "
            "AND since <= states.serial AND (until IS NULL OR until > states.serial)) FROM states LEFT "
            "JOIN cells USING (serial) ORDER BY states.serial"
        )
        return [
            State(serial, number or 0, at, source or "", count, parent)  # type: ignore[arg-type]
            for serial, number, at, source, parent, count in rows
        ]

    def last_state(self) -> int | None:
        """The serial of the newest state."""
        return self._one("SELECT max(serial) FROM states")

    def parent_of(self, serial: int) -> int | None:
        """The serial of the state before that of `serial`."""
        return self._one("SELECT parent FROM states WHERE serial = ?", serial)

    def cells_of(self, serial: int) -> dict[int, int]:
        """The cells that ran between the state before that of `serial` and it: their numbers, by serial."""
        rows = self._rows(
            "SELECT serial, number FROM cells WHERE serial <= ? AND serial > "
            "(SELECT coalesce(max(serial), 0) FROM states WHERE serial < ?) ORDER BY serial",
            serial,
            serial,
        )
        return {cell: number or 0 for cell, number in rows}  # type: ignore[misc]

    def surroundings_at(self, serial: int) -> Kept | None:
        """What surrounded the names of a state, kept as a name is."""
        found = [one for one in self._names_at(serial)[0] if one.name == NAME]
        return found[0] if found else None

    def names_at(self, serial: int) -> tuple[list[Kept], list[Lost]]:
        """The names of a state: those that are kept, and those that are not."""
        kept, lost = self._names_at(serial)
        return [one for one in kept if one.name != NAME], [one for one in lost if one.name != NAME]

    def _names_at(self, serial: int) -> tuple[list[Kept], list[Lost]]:
        rows = self._rows(
            "SELECT name, type, size, piece, reason, maker, number, source, reads, ended FROM names LEFT "
            "JOIN cells ON serial = maker WHERE since <= ? AND (until IS NULL OR until > ?) ORDER BY name",
            serial,
            serial,
        )
        kept, lost = [], []
        for name, kind, size, piece, reason, serial_, number, source, reads, ended in rows:
            maker = Maker()
            if number is not None:
                maker = Maker(serial_, number, source, frozenset(json.loads(reads)), ended)  # type: ignore[arg-type]
            if piece:
                kept.append(Kept(name, kind, size, maker, piece, reason))  # type: ignore[arg-type]
            else:
                lost.append(Lost(name, kind, reason, maker))  # type: ignore[arg-type]
        return kept, lost

    def head(self, digest: str) -> tuple[int, Mapping[str, str]] | None:
        """Of a piece: its serial, and the versions that it needs. Raises what reading raises."""
        rows = self._rows("SELECT serial, needs FROM pieces WHERE digest = ?", digest)
        return (rows[0][0], json.loads(rows[0][1])) if rows else None  # type: ignore[arg-type, return-value]

    def piece(self, digest: str) -> Stored | None:
        """A piece, its stream read and not checked. Raises what reading raises."""
        rows = self._rows(
            "SELECT serial, codec, stream, stream_size, stream_digest, buffers, needs FROM pieces "
            "WHERE digest = ?",
            digest,
        )
        if not rows:
            return None
        serial, codec, stream, size, stream_digest, buffers, needs = rows[0]
        how, _, file = str(codec).partition("@")
        data = bytes(self.blobs.read(file, size)) if file else stream  # type: ignore[arg-type]
        pairs = tuple((name, length) for name, length in json.loads(buffers))  # type: ignore[arg-type]
        whole = unsqueeze(how, data)  # type: ignore[arg-type]
        return Stored(digest, stream_digest, whole, pairs, json.loads(needs), serial)  # type: ignore[arg-type]

    # Room

    def size(self) -> int:
        """Bytes on disk."""
        files = (self.path / f"{_DATABASE}{end}" for end in ("", "-wal"))
        return sum(self.blobs.digests().values()) + sum(one.stat().st_size for one in files if one.exists())

    def prune(self, most: int, oldest: float) -> None:
        """Drop states from before `oldest` (`time.time()`), and further ones until no more than `most` bytes
        are used; never the last.
        """
        states = self._rows("SELECT serial, at FROM states ORDER BY serial")
        last = self.last_state()
        old = [serial for serial, at in states if float(at) < oldest and serial != last]  # type: ignore[arg-type]
        if old:
            self._drop(old)
        while self.size() > most:
            left = [s for (s, *_) in self._rows("SELECT serial FROM states ORDER BY serial") if s != last]
            if not left:
                return
            self._drop(left[: max(1, len(left) // 4)])

    def _drop(self, serials: list[object]) -> None:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            run: Callable[..., object] = self._db.execute
            self._db.executemany("DELETE FROM states WHERE serial = ?", [(one,) for one in serials])
            run(
                "DELETE FROM names WHERE until IS NOT NULL AND NOT EXISTS (SELECT 1 FROM states WHERE "
                "serial >= since AND serial < until)"
            )
            run("DELETE FROM pieces WHERE digest NOT IN (SELECT piece FROM names)")
            run(
                "DELETE FROM cells WHERE serial < (SELECT min(serial) FROM states) "
                "AND serial NOT IN (SELECT maker FROM names)"
            )
            run("COMMIT")
        self.collect()

    def collect(self) -> None:
        """Remove the files that no piece needs."""
        used: set[str] = set()
        for buffers, codec in self._rows("SELECT buffers, codec FROM pieces"):
            used.update(digest for digest, _ in json.loads(buffers))  # type: ignore[arg-type]
            used.add(str(codec).partition("@")[2])
        for digest in self.blobs.digests().keys() - used:
            self.blobs.remove(digest)

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self._db.close()


def remove_journal(path: Path) -> None:
    """Remove all that a journal has on disk. Raises `OSError`."""
    shutil.rmtree(path)


def names_kept_in(path: Path) -> int:
    """How many names the journal in `path` could give back; 0 if there is none. Raises nothing."""
    try:
        address = (path / _DATABASE).absolute().as_uri()  # "?", "#" and "%" in it are quoted
        with closing(sqlite3.connect(f"{address}?mode=ro", uri=True)) as db:
            query = "SELECT count(*) FROM names WHERE until IS NULL AND piece != '' AND name != ''"
            return int(db.execute(query).fetchone()[0])
    except (sqlite3.Error, OSError):
        return 0
