"""What processes leave in shared memory that has names, though tests beside this one make and remove some."""

from __future__ import annotations

import time
from pathlib import Path

from tests.kernel.cells import PATIENCE

FOLDER = Path("/dev/shm")


def names() -> set[str]:
    """What is there now."""
    return {path.name for path in FOLDER.iterdir()}


def left_behind(before: set[str], *own: int) -> set[str]:
    """What has come since `before` and stays, and is used by no process but `own`."""
    left = names() - before
    deadline = time.monotonic() + PATIENCE
    while left and time.monotonic() < deadline:
        left -= _used_by_others({str(one) for one in own})
        left &= names()
        time.sleep(0.05)  # nobody tells when such a name goes
    return left


def _used_by_others(own: set[str]) -> set[str]:
    used = set()
    for process in Path("/proc").glob("[0-9]*"):
        if process.name in own:
            continue
        try:
            maps = (process / "maps").read_text()
        except OSError:  # it has ended
            continue
        used.update(line.partition(f"{FOLDER}/")[2] for line in maps.splitlines())
    return used - {""}
