"""How much memory is in use, and how much there may be: of control groups, the process, the machine."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from namespace_kernel.base.threads import attributes_of

if sys.platform != "win32":
    import resource

if sys.platform == "linux":
    _libc = ctypes.PyDLL(None, use_errno=True)
#: More than most of these files have.
_AT_ONCE = 4096
_GROUPS = Path("/sys/fs/cgroup")
#: What a process has in memory that is no file's; older systems do not say.
_RESIDENT = re.compile(r"^(RssAnon|RssShmem):\s*(\d+) kB$", re.MULTILINE)


class Level(NamedTuple):
    """Bytes in use of those that there may be. `limit_name` says what limits them.

    `own` are those of this process, if they are counted otherwise than by what is in memory.
    """

    used: int
    limit: int
    limit_name: str
    own: int | None = None

    @property
    def share(self) -> float:
        """The part that is in use, 0 to 1."""
        return self.used / self.limit if self.limit else 0.0


Gauge = Callable[[], Level | None]


def tightest() -> Level:
    """The level that is nearest to its limit; the limit is 0 where none is known. Thread: any."""
    known = []
    for gauge in _gauges():
        with contextlib.suppress(OSError, ValueError):
            level = gauge()
            if level is not None:
                known.append(level)
    return max(known, key=lambda level: level.share, default=Level(0, 0, ""))


@functools.cache
def _gauges() -> tuple[Gauge, ...]:
    """All that limit this process here; none where nothing is known of it."""
    if not Path("/proc/self/statm").exists():
        return ()
    return (_machine, _address_space, *_groups())


def of_tree() -> int:
    """Bytes in memory of this process and of all that it has started, also through others. Thread: any.

    Not those of files that are mapped, as values that `%restore` has brought back: the system drops them.
    """
    total, waiting = 0, ["self"]
    while waiting:
        process = Path("/proc", waiting.pop())
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += _of_process(process)
            for task in _threads_of(process):
                waiting += _text(process / "task" / task / "children").split()
    return total


def _threads_of(process: Path) -> list[str]:
    """Those that may have started a process."""
    if process.name != "self":
        return os.listdir(process / "task")
    numbers = (
        attributes_of(thread).get("_native_id") for thread in threading.enumerate()
    )  # eventlet's: none
    return [str(number) for number in numbers if number is not None]


def _of_process(process: Path) -> int:
    sizes = dict(_RESIDENT.findall(_text(process / "status")))
    if sizes:
        return sum(map(int, sizes.values())) * 1024
    return int(_text(process / "statm").split()[1]) * _page_size()


def _text(path: Path) -> str:
    """What one of the system's small files says.

    While a cell computes, a thread waits for its turn after each call that lets go of the interpreter. With
    Python's own calls a look took 0.4 s, and by then the memory was gone. These keep it, for microseconds.
    """
    descriptor, parts = _libc.open(os.fsencode(path), os.O_RDONLY | os.O_CLOEXEC), []
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "cannot be read", str(path))
    try:
        buffer = ctypes.create_string_buffer(_AT_ONCE)
        while (count := _libc.read(descriptor, buffer, _AT_ONCE)) > 0:
            parts.append(buffer.raw[:count])
    finally:
        _libc.close(descriptor)
    return b"".join(parts).decode()


def _page_size() -> int:
    return resource.getpagesize()


def _machine() -> Level:
    lines = _text(Path("/proc/meminfo")).splitlines()
    sizes = {name: int(value.split()[0]) * 1024 for name, _, value in (line.partition(":") for line in lines)}
    total = sizes["MemTotal"] + sizes["SwapTotal"]
    return Level(total - sizes["MemAvailable"] - sizes["SwapFree"], total, "this machine")


def _address_space() -> Level | None:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    used = int(_text(Path("/proc/self/statm")).split()[0]) * _page_size()
    return Level(used, limit, "`ulimit -v`", used)


def _groups() -> Iterator[Gauge]:
    """Of the control groups that this process is in, also outer ones: each may have a limit."""
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from _levels_above(_GROUPS, path, "memory.max", "memory.current", "")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
            yield from _levels_above(_GROUPS / "memory", path, *names)


def _levels_above(root: Path, path: str, limit: str, used: str, prefix: str) -> Iterator[Gauge]:
    folder = root / path.lstrip("/")
    # In a container the path may be that of the machine outside, where this one's group is the root.
    for group in (folder, *folder.parents) if folder.is_dir() else (root,):
        if (group / limit).exists():
            yield functools.partial(_group, group, limit, used, prefix)
        if group == root:
            return


def _group(folder: Path, limit_file: str, used_file: str, prefix: str) -> Level | None:
    """Of a control group. What the system would give back before it kills, cached files, does not count."""
    limit = _text(folder / limit_file).strip()
    if limit == "max" or int(limit) >= 2**60:
        return None
    lines = _text(folder / "memory.stat").splitlines()
    sizes = {name: int(size) for name, _, size in (line.partition(" ") for line in lines)}
    cached = sum(sizes.get(f"{prefix}{kind}_file", 0) for kind in ("active", "inactive"))
    used = max(0, int(_text(folder / used_file)) - cached)
    return Level(used, int(limit), "the container")
