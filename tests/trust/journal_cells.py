"""A process that runs cells beside a journal until it is killed.

`python -m tests.trust.journal_cells FOLDER SEED POINT NTH`

It writes to standard output before a cell begins (`begin 3`), when it has ended (`end 3`), and when its state
is on disk (`kept 3`). Each cell is a function of its number and the seed, so who comes later knows what every
name must be after each of them. `POINT` names a place at which the process ends itself, see `POINTS`; "" for
none.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from namespace_kernel import AsyncNamespaceManager
from namespace_kernel.durable.journal.journal import Journal
from namespace_kernel.durable.journal.records import CellRecord

#: The states that a process keeps at most: so that old ones are dropped, too.
MOST_BYTES = 6 << 20

SETUP = """\
import numpy as np
class Thing:
    mark, made = 0, []
    def __init__(self, n): self.n, self.with_ = n, []
    def __eq__(self, other): return self.n == other.n and len(self.with_) == len(other.with_)
def counter():
    n = 0
    def up(by):
        nonlocal n
        n += by
    return up, lambda: n
up, get = counter()
def total(): return sum(map(int, numbers))
numbers, things, table, arrays = [], {}, {"a": []}, []
alias = table["a"]
lock = __import__("threading").Lock()
"""


def cell(seed: int, number: int) -> str:
    """The source of a cell."""
    if number == 1:
        return SETUP
    rng = random.Random(f"{seed} {number}")
    kinds = (
        f"numbers.append({number})",
        f"x = {number}; y = [x, {rng.random()}]; z = y",
        f"alias.append({number}); table['b'] = alias",
        f"things[{number}] = Thing({number}); things[{number}].with_.append(things)",
        f"arrays.append(np.full({rng.choice((10, 20_000, 100_000))}, {number}))",
        "if arrays: arrays[-1][:3] += 1",
        f"big = np.arange({number}, {number} + 60_000); view = big[5:500]",
        "if 'view' in globals(): view += 1",
        f"def f(v=[{number}]):\n    v.append(total())\n    return v\nf()",
        "globals().pop('x', None)",
        f"k_{number} = {{i: str(i) * 20 for i in range(2000)}}",
        "if arrays: del arrays[0]",
        f"Thing.mark = {number}",
        f"spare = Thing({number}); Thing.made.append(spare)",
        f"up({number})",
        "import pandas as pd; df = pd.DataFrame({'a': range(9000), 'b': 1.0}); top = df[['a']]",
        f"if 'df' in globals(): df.iloc[{number}, 1] = {number}; col = df['b']",
        f"chain = [{number}, globals().get('chain')]; link = chain[1]",
    )
    return rng.choice(kinds)


def facts(names: dict[str, Any]) -> dict[str, Any]:
    """What the names hold, for comparison; aliases are said as such."""
    found: dict[str, Any] = {}
    for name, value in names.items():
        if name in ("numbers", "x", "y", "z", "table", "alias") or name.startswith("k_"):
            found[name] = repr(value)
        elif name in ("arrays", "big", "view"):
            found[name] = [one.tolist() for one in (value if name == "arrays" else [value])]
        elif name == "things":
            found[name] = [
                (key, one.n, one.with_[0] is value, type(one) is names.get("Thing"))
                for key, one in value.items()
            ]
        elif name == "Thing":
            found[name] = (
                value.mark,
                [one.n for one in value.made],
                all(type(one) is value for one in value.made),
            )
        elif name == "spare":
            found[name] = (value.n, value is value.made[-1])
        elif name == "get":
            found[name] = value()
        elif name in ("df", "top", "col"):
            found[name] = value.sum().tolist() if name == "col" else value.sum().to_dict()
        elif name == "chain":
            found[name] = repr(value)
        elif name == "f":
            found[name] = (value.__defaults__, value.__globals__ is names)
        elif name in ("total", "np", "pd"):
            found[name] = True
    pairs = {
        "alias of table": ("table", "alias", lambda a, b: a["a"] is b),
        "link of chain": ("chain", "link", lambda a, b: a[1] is b),
        "z of y": ("y", "z", lambda a, b: a is b),
        "view of big": ("big", "view", lambda a, b: bool((a[5:500] == b).all())),
    }
    for what, (one, other, same) in pairs.items():
        if one in names and other in names:
            found[what] = same(names[one], names[other])
    return found


def expected(seed: int, number: int) -> dict[str, Any]:
    """The facts after cell `number`."""
    names = types.ModuleType("__main__").__dict__
    for one in range(1, number + 1):
        exec(compile(cell(seed, one), "<cell>", "exec"), names)
    return facts(names)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _at(owner: Any, name: str, nth: int, *, after: bool = False) -> None:
    """End the process at the `nth` call of a function, before it or after it."""
    real, left = getattr(owner, name), [nth]

    def replaced(*args: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and not after:
            _kill()
        done = real(*args, **options)
        if left[0] == 0:
            _kill()
        return done

    setattr(owner, name, replaced)


class _Connection(sqlite3.Connection):
    """Ends the process at a statement that begins with `word`."""

    word, left, after = "", 0, False

    def execute(self, sql: str, *args: Any) -> Any:  # type: ignore[override]
        return self._ended(sql, super().execute, args)

    def executemany(self, sql: str, *args: Any) -> Any:  # type: ignore[override]
        return self._ended(sql, super().executemany, args)

    def _ended(self, sql: str, run: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        cls = type(self)
        hit = bool(cls.word) and sql.startswith(cls.word)
        cls.left -= hit
        if hit and cls.left == 0 and not cls.after:
            _kill()
        done = run(sql, *args)
        if hit and cls.left == 0:
            _kill()
        return done


def _sql(word: str, nth: int, *, after: bool = False) -> None:
    _Connection.word, _Connection.left, _Connection.after = word, nth, after
    real = sqlite3.connect
    sqlite3.connect = lambda *args, **options: real(*args, factory=_Connection, **options)  # type: ignore[assignment]


def _in_write(nth: int) -> None:
    """In the midst of a buffer's file: half of a slice is written."""
    from namespace_kernel.durable.journal.disk import blobs

    real, left = blobs._write_all, [nth]

    def replaced(file: Any, data: bytes) -> None:
        left[0] -= 1
        if left[0] == 0:
            file.write(data[: len(data) // 2])
            _kill()
        real(file, data)

    blobs._write_all = replaced


#: Places at which the process ends itself, by name; `nth` says at which time.
POINTS: dict[str, Callable[[int], None]] = {
    "in the midst of a buffer": _in_write,
    "before a buffer is synced": lambda nth: _at(os, "fsync", nth),
    "after a buffer is synced": lambda nth: _at(os, "fsync", nth, after=True),
    "before a buffer is renamed": lambda nth: _at(os, "replace", nth),
    "between a buffer and the transaction": lambda nth: _at(os, "replace", nth, after=True),
    "before the transaction": lambda nth: _sql("BEGIN", nth),
    "in the transaction, cells": lambda nth: _sql("INSERT OR REPLACE INTO cells", nth, after=True),
    "in the transaction, pieces": lambda nth: _sql("INSERT OR REPLACE INTO pieces", nth, after=True),
    "in the transaction, old names": lambda nth: _sql("UPDATE names", nth, after=True),
    "in the transaction, names": lambda nth: _sql("INSERT INTO names", nth, after=True),
    "before the commit": lambda nth: _sql("COMMIT", nth),
    "after the commit": lambda nth: _sql("COMMIT", nth, after=True),
    "while old states are dropped": lambda nth: _sql("DELETE FROM states", nth, after=True),
    "while old pieces are dropped": lambda nth: _sql("DELETE FROM pieces", nth, after=True),
    "between the drop and its files": lambda nth: _sql("SELECT buffers, codec", nth),
    "while files are removed": lambda nth: _at(Path, "unlink", nth),
}


def say(word: str, number: int) -> None:
    """In one piece."""
    os.write(1, f"{word} {number}\n".encode())


def main(folder: Path, seed: int, point: str, nth: int) -> None:
    """Run cells for ever."""
    names = types.ModuleType("__main__")
    sys.modules["__main__"] = names
    live = names.__dict__
    if point:
        POINTS[point](nth)
    journal = Journal(AsyncNamespaceManager(names), folder, most_bytes=MOST_BYTES)
    rng = random.Random(f"{seed} pace")
    number = 0
    while True:
        number += 1
        source = cell(seed, number)
        before = dict(live)
        say("begin", number)
        journal.cell_began()
        exec(compile(source, "<cell>", "exec"), live)
        written = frozenset(name for name, value in live.items() if before.get(name, journal) is not value)
        deleted = frozenset(before.keys() - live.keys())
        journal.cell_ended(CellRecord(number, source, written, deleted, 0.001))
        say("end", number)
        if rng.random() < 0.7:
            journal.flush(5.0)
            say("kept", number)
        if number % 10 == 0:
            journal.prune() if hasattr(journal, "prune") else journal._store.prune(MOST_BYTES, 0.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
