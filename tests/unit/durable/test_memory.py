"""How much memory is in use, of how much: as the files of control groups of both versions say it."""

from __future__ import annotations

import mmap
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from namespace_kernel.durable.memory import Level, _levels_above, of_tree

MIB = 2**20
#: By version: the files of limit and use, and how the lines begin that count what lies below a group, too.
VERSIONS = {
    "v1": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    "v2": ("memory.max", "memory.current", ""),
}


class Groups:
    """A directory that looks like that of control groups."""

    def __init__(self, root: Path, version: str) -> None:
        self.root = root
        self.limit_file, self.used_file, self.prefix = VERSIONS[version]

    def add(self, path: str, limit: str, used: int, **stat: int) -> None:
        """A group whose memory is used so, in MiB."""
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.limit_file).write_text(f"{limit}\n")
        (folder / self.used_file).write_text(f"{used * MIB}\n")
        own = "".join(f"{name} 1\n" for name in stat if self.prefix)  # without what lies below
        lines = own + "".join(f"{self.prefix}{name} {size * MIB}\n" for name, size in stat.items())
        (folder / "memory.stat").write_text(lines)

    def levels(self, path: str) -> list[Level]:
        """The levels of a process in the group `path`, that of the innermost group first."""
        gauges = _levels_above(self.root, path, self.limit_file, self.used_file, self.prefix)
        return [level for level in (gauge() for gauge in gauges) if level is not None]


@pytest.fixture(params=VERSIONS)
def groups(request: pytest.FixtureRequest, tmp_path: Path) -> Groups:
    return Groups(tmp_path, request.param)


@pytest.mark.parametrize(
    ("stat", "used"),
    [
        ({"anon": 300}, 900),
        ({"inactive_file": 200}, 700),
        ({"active_file": 500}, 400),
        ({"inactive_file": 200, "active_file": 500}, 200),
        ({"inactive_anon": 200, "active_anon": 500, "shmem": 100}, 900),  # nobody gives that back
        ({"inactive_file": 600, "active_file": 600}, 0),
    ],
)
def test_what_the_system_caches_of_files_does_not_count(
    groups: Groups, stat: dict[str, int], used: int
) -> None:
    groups.add("one", str(1000 * MIB), 900, **stat)
    assert groups.levels("/one") == [Level(used * MIB, 1000 * MIB, "the container")]


def test_each_group_around_the_process_counts_if_it_has_a_limit(groups: Groups) -> None:
    groups.add("outer", str(1000 * MIB), 500)
    groups.add("outer/open", "max", 400)
    groups.add("outer/open/huge", str(2**63 - 4096), 400)
    groups.add("outer/open/huge/inner", str(600 * MIB), 300)
    assert [level.limit // MIB for level in groups.levels("/outer/open/huge/inner")] == [600, 1000]


def test_in_a_container_its_own_group_is_the_root(groups: Groups) -> None:
    groups.add(".", str(800 * MIB), 300)
    assert [level.limit // MIB for level in groups.levels("/docker/0123")] == [800]


def _mapped(path: Path, access: int) -> mmap.mmap:
    path.write_bytes(b"x" * 64 * MIB)
    with open(path, "r+b") as file:
        return mmap.mmap(file.fileno(), 0, access=access)


def _written(memory: Any) -> Any:
    for at in range(0, 64 * MIB, mmap.PAGESIZE):
        memory[at] = 1
    return memory


def _read(memory: Any) -> Any:
    assert sum(memory[at] for at in range(0, 64 * MIB, mmap.PAGESIZE))
    return memory


#: What is taken, and whether it is memory that nobody gives back.
TAKEN: dict[str, tuple[Callable[[Path], Any], bool]] = {
    "its own": (lambda path: _written(bytearray(64 * MIB)), True),
    "shared with children": (lambda path: _written(mmap.mmap(-1, 64 * MIB)), True),
    "a file that is read": (lambda path: _read(_mapped(path, mmap.ACCESS_READ)), False),
    "a private file that is read": (lambda path: _read(_mapped(path, mmap.ACCESS_COPY)), False),
    "a private file that is written to": (lambda path: _written(_mapped(path, mmap.ACCESS_COPY)), True),
}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the memory is not watched")
@pytest.mark.parametrize("what", TAKEN)
def test_mapped_files_are_no_memory_that_a_cell_has_taken(what: str, tmp_path: Path) -> None:
    take, counts = TAKEN[what]
    before = of_tree()
    taken = take(tmp_path / "file")
    grown = of_tree() - before
    assert grown > 48 * MIB if counts else grown < 16 * MIB
    del taken


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the memory is not watched")
def test_what_children_of_children_take_counts() -> None:
    grandchild = "k = bytearray(b'1') * (64 << 20); print('taken', flush=True); input()"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    before = of_tree()
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", child], **pipes) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == b"taken\n"
        assert of_tree() - before > 60 * MIB
        process.stdin.close()


class _Strange(threading.Thread):
    """As a library may replace it."""

    @property
    def native_id(self) -> int:
        raise AssertionError("asked")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the memory is not watched")
def test_a_thread_that_does_not_know_its_number_is_no_obstacle() -> None:
    over = threading.Event()
    threads = [_Strange(target=over.wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    number = vars(threads[0]).pop("_native_id")  # as eventlet's
    try:
        assert of_tree() > 0
    finally:
        vars(threads[0])["_native_id"] = number
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the memory is not watched")
def test_a_look_keeps_the_interpreter_so_that_it_need_not_wait_for_its_turn() -> None:
    """In a process of its own: threads take turns every two seconds there."""
    done = subprocess.run(
        [sys.executable, "-c", LOOKS], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "kept\n", done


LOOKS = """
import sys, threading, time
from pathlib import Path
from namespace_kernel.durable.memory import _text
slow = Path("/proc/self/smaps")
turns = 0
def compute():
    global turns
    while True: turns += 1
threading.Thread(target=compute, daemon=True).start()
sys.setswitchinterval(2)
time.sleep(0)  # whoever waits already has its turn, and then we
seen = turns
for _ in range(20): _text(slow)
print("kept" if turns == seen else "lost", flush=True)
sys.setswitchinterval(0.005)
"""
