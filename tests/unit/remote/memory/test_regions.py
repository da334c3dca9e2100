"""Memory that processes share: what is in it stays, what is written to it is seen by nobody else."""

from __future__ import annotations

import errno
import gc
import io
import logging
import mmap
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from namespace_kernel.remote.memory import pages, regions
from namespace_kernel.remote.memory.blocks import content_digest, digest_in_blocks
from namespace_kernel.remote.memory.handover import Handover, handover_pair
from namespace_kernel.remote.memory.regions import LARGE, Region, address_of, fill
from namespace_kernel.remote.memory.shelf import Maps, Shelf
from namespace_kernel.remote.transfer.frames import read_message, write_message
from namespace_kernel.remote.transfer.packing import Draft, Piece, new_arrival, unpack
from tests import shared_memory
from tests.unit.remote.transfer.travel import namespace, parcel

pytestmark = pytest.mark.skipif(not regions.can_share(), reason="no such memory")

#: From the fourth but last on in huge pages, where there are such: whole ones, and parts of one more.
HUGE = regions._WORTH
SIZES = [1, 4095, 4096, LARGE, LARGE + 1, 3 * LARGE + 5, HUGE - 1, HUGE, HUGE + 1, 2 * HUGE - 4096]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def raw_of(array: Any) -> memoryview:
    return pickle.PickleBuffer(array).raw()


@pytest.fixture
def ends() -> Iterator[tuple[Handover, Handover]]:
    here, there = handover_pair()
    assert here is not None
    other = Handover(there[0])
    yield here, other
    here.close()
    other.close()


def sent(message: object, ends: tuple[Handover, Handover]) -> Any:
    """What arrives of `message`."""
    with io.FileIO(os.memfd_create("message"), "w+b") as file:
        write_message(file, message, ends[0])
        file.seek(0)
        return read_message(file, ends[1])


@pytest.mark.parametrize("size", SIZES)
def test_it_holds_what_was_there(size: int) -> None:
    content = bytearray(os.urandom(size))
    region = fill(memoryview(content))
    before = bytes(content)
    content[:] = bytes(size)
    assert bytes(region.map()) == before and region.digest == content_digest(before)
    assert len(region) == size


def in_huge_pages(mapped: mmap.mmap) -> int:
    """How many bytes of `mapped` lie in such pages."""
    with open("/proc/self/smaps") as smaps:
        own = smaps.read().partition(f"\n{address_of(mapped):x}-")[2]
    return sum(1024 * int(own.partition(f"\n{kind}PmdMapped:")[2].split()[0]) for kind in ("File", "Shmem"))


def gives_huge_pages() -> bool:
    """Whether the system gives them to memory without a name, where they fit."""
    size = 2**21
    with open(os.memfd_create("tried"), "wb", 0) as file:
        file.write(bytes(size))
        mapped = regions._map(file.fileno(), size)
        try:
            mapped.madvise(regions._COLLAPSE)
        except OSError:
            return False
        return address_of(mapped) % size == 0


def test_a_large_one_lies_in_huge_pages_where_there_are_such() -> None:
    if not gives_huge_pages():
        pytest.skip("there are none")
    mapped = fill(memoryview(bytes(HUGE + 5))).map()
    assert sum(mapped[:: mmap.PAGESIZE]) == 0 and in_huge_pages(mapped) >= HUGE // 2
    assert pages.is_untouched(mapped) == pages._can_tell()
    mapped[5 * mmap.PAGESIZE] = 1
    parts = [slice(5 * mmap.PAGESIZE, 6 * mmap.PAGESIZE)] if pages._can_tell() else None
    assert pages.written(mapped) == parts
    mapped[HUGE + 4] = 1
    assert (sum(mapped), fill(memoryview(mapped)).digest) == (2, content_digest(mapped[:]))


def test_where_there_are_no_huge_pages_it_holds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    without = SimpleNamespace(mmap=regions._libc().mmap, madvise=lambda address, size, advice: -1)
    monkeypatch.setattr(regions, "_libc", lambda: without)
    content = os.urandom(HUGE + 4097)
    region = fill(memoryview(content))
    assert bytes(region.map()) == content and region.digest == content_digest(content)


@pytest.mark.filterwarnings("ignore:This process .*fork:DeprecationWarning")
def test_a_child_that_is_forked_meanwhile_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()

    def fork(size: int, digest_of: Any) -> bytes:
        child = os.fork()
        if not child:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        children.append(child)
        return digest_in_blocks(size, digest_of)

    children: list[int] = []
    monkeypatch.setattr(regions, "digest_in_blocks", fork)
    content = os.urandom(LARGE)
    assert bytes(fill(memoryview(content)).map()) == content
    os.close(writer)
    os.close(reader)
    assert os.waitpid(children[0], 0)[1] == 0


@pytest.mark.parametrize("way", ["write", "shared mapping", "truncate", "grow", "unseal"])
def test_nobody_can_change_it(way: str) -> None:
    import fcntl

    region = fill(memoryview(bytes(LARGE)))
    with pytest.raises(OSError):
        if way == "write":
            os.pwrite(region.descriptor, b"x", 0)
        elif way == "shared mapping":
            mmap.mmap(region.descriptor, LARGE)
        elif way == "unseal":
            fcntl.fcntl(region.descriptor, fcntl.F_ADD_SEALS, 0)
            raise PermissionError if not fcntl.fcntl(region.descriptor, fcntl.F_GET_SEALS) else OSError
        else:
            os.ftruncate(region.descriptor, 10 if way == "truncate" else 2 * LARGE)
    assert bytes(region.map()) == bytes(LARGE)


def test_what_is_written_to_a_mapping_is_seen_there_alone() -> None:
    region = fill(memoryview(bytes(LARGE)))
    one, other = region.map(), region.map()
    one[5] = 7
    assert (one[5], other[5], region.map()[5]) == (7, 0, 0)


def test_mappings_keep_no_descriptor_and_live_without_the_region() -> None:
    fill(memoryview(b"x")).map()  # what is imported and opened once is there
    before = descriptors()
    region = fill(memoryview(b"y" * LARGE))
    mapped = [region.map() for _ in range(20)]
    assert descriptors() == before + 1
    del region
    assert descriptors() == before
    assert all(one[LARGE - 1] == ord("y") for one in mapped)
    array = np.frombuffer(mapped[0], np.uint8)
    del mapped
    array += 1
    assert array.sum() == LARGE * (ord("y") + 1)


def test_a_mapping_in_use_is_not_closed_nor_resized() -> None:
    mapped = fill(memoryview(bytes(LARGE))).map()
    array = np.frombuffer(mapped, np.uint8)
    with pytest.raises(BufferError):
        mapped.close()
    with pytest.raises(ValueError, match="own"):
        array.resize(2 * LARGE)


WRITES = {
    "one byte": lambda array: array.__setitem__(5, 1),
    "the last byte": lambda array: array.__setitem__(-1, 1),
    "the same value": lambda array: array.__setitem__(3 * 4096, array[3 * 4096]),
    "all": lambda array: array.fill(1),
    "by C code": lambda array: os.preadv(os.open("/dev/zero", os.O_RDONLY), [array[100:200]], 0),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_write_is_known(write: Any) -> None:
    mapped = fill(memoryview(os.urandom(LARGE + 5))).map()
    array = np.frombuffer(mapped, np.uint8)
    array.sum()
    assert pages.is_untouched(mapped) == pages._can_tell()
    write(array)
    assert not pages.is_untouched(mapped)


@pytest.mark.filterwarnings("ignore:This process .*fork:DeprecationWarning")
def test_a_child_that_was_forked_changes_nothing_here() -> None:
    mapped = fill(memoryview(bytes(LARGE))).map()
    child = os.fork()
    if child == 0:
        mapped[0] = 1
        os._exit(0 if not pages.is_untouched(mapped) or not pages._can_tell() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert mapped[0] == 0 and pages.is_untouched(mapped) == pages._can_tell()


def test_where_the_system_does_not_tell_all_counts_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_can_tell", lambda: False)
    assert not pages.is_untouched(fill(memoryview(bytes(LARGE))).map())


# Among processes


@pytest.mark.parametrize("count", [0, 1, 3, 100])
def test_they_travel_beside_a_message(count: int, ends: tuple[Handover, Handover]) -> None:
    sent([fill(memoryview(b"x"))], ends)
    before = descriptors()
    content = [bytes([number]) * 5000 for number in range(count)]
    for _ in range(2):
        arrived = sent([fill(memoryview(one)) for one in content], ends)
        assert [bytes(one.map()) for one in arrived] == content
        assert [one.digest for one in arrived] == [content_digest(one) for one in content]
        del arrived
    gc.collect()
    assert descriptors() == before


def test_without_a_socket_its_content_travels() -> None:
    region = fill(memoryview(b"z" * LARGE))
    piece = Piece(("a",), "digest", b"", (region, b"small"))
    for protocol in (4, 5):
        assert [bytes(one) for one in pickle.loads(pickle.dumps(piece, protocol)).buffers] == [
            b"z" * LARGE,
            b"small",
        ]


def test_descriptors_that_did_not_come_are_an_error(ends: tuple[Handover, Handover]) -> None:
    reader, writer = os.pipe()
    with open(reader, "rb", 0) as source, open(writer, "wb", 0) as sink:
        write_message(sink, fill(memoryview(b"x")), ends[0])  # type: ignore[arg-type]
        ends[1]._end.recv(1)
        with pytest.raises(ValueError, match="could not be taken over"):
            read_message(source, ends[1])  # type: ignore[arg-type]


@pytest.mark.parametrize("what", ["a file", "unsealed memory", "a pipe", "less than it says"])
def test_something_else_is_never_mapped(what: str, ends: tuple[Handover, Handover]) -> None:
    region = fill(memoryview(b"x" * LARGE))
    if what == "less than it says":
        region.size += 4096
    else:
        other = {
            "a file": lambda: os.open(__file__, os.O_RDONLY),
            "unsealed memory": lambda: os.memfd_create("other"),
            "a pipe": lambda: os.pipe()[0],
        }[what]()
        os.dup2(other, region.descriptor)
        os.close(other)
    before = descriptors()
    with pytest.raises(ValueError, match="something else"):
        sent(region, ends)
    gc.collect()
    assert descriptors() == before


def test_a_process_that_is_killed_leaves_nothing() -> None:
    code = (
        "import os, signal, sys\nfrom namespace_kernel.remote.memory.regions import fill\n"
        "region = fill(memoryview(bytes(2**20)))\nmapped = region.map()\nmapped[0] = 1\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    before = shared_memory.names()
    assert subprocess.run([sys.executable, "-c", code]).returncode < 0
    assert shared_memory.left_behind(before) == set()


# What a buffer travels as

ARRAYS: dict[str, Any] = {
    "floats": np.arange(300_000.0),
    "in Fortran's order": np.asfortranarray(np.arange(300_000.0).reshape(500, 600)),
    "read only": np.arange(300_000.0),
    "a slice": np.arange(900_000.0)[100:400_000],
    "every second": np.arange(900_000.0)[::2],
    "turned round": np.arange(300_000.0)[::-1],
    "a subclass": np.arange(300_000.0).view(np.recarray),
    "dates": np.arange(300_000).astype("M8[s]"),
    "records": np.zeros(200_000, [("a", "i4"), ("b", "f8")]),
    "objects": np.array([{"x": 1}, None] * 10, object),
    "nothing": np.empty((0, 5)),
    "a bytearray": bytearray(b"b" * (LARGE + 1)),
    "bytes": b"b" * (LARGE + 1),
}
ARRAYS["read only"].flags.writeable = False


@pytest.mark.parametrize("name", ARRAYS)
def test_every_array_arrives_as_it_is(name: str, ends: tuple[Handover, Handover]) -> None:
    live = namespace("")
    live["a"] = array = ARRAYS[name]
    pieces = parcel(live, "a", share=Shelf().share).pieces
    arrived = unpack(sent(pieces, ends)[0], new_arrival(namespace("")))["a"]
    assert type(arrived) is type(array)
    if isinstance(array, np.ndarray):
        assert arrived.dtype == array.dtype and arrived.shape == array.shape
        assert arrived.flags.writeable == array.flags.writeable
        assert np.array_equal(arrived, array)
        if arrived.flags.writeable and arrived.size:
            arrived.flat[0] = arrived.flat[1]
    else:
        assert arrived == array
    if type(array) is np.ndarray:
        assert parcel(live, "a").pieces[0].digest == pieces[0].digest


def test_tables_arrive_and_can_be_changed(ends: tuple[Handover, Handover]) -> None:
    pandas = pytest.importorskip("pandas")
    live = namespace("")
    live["t"] = table = pandas.DataFrame({"a": np.arange(300_000.0), "b": np.arange(300_000), "c": "text"})
    arrived = unpack(sent(parcel(live, "t", share=Shelf().share).pieces, ends)[0], new_arrival({}))["t"]
    assert arrived.equals(table)
    arrived["a"] += 1
    arrived.loc[5, "b"] = -1
    assert arrived["a"].sum() == table["a"].sum() + 300_000 and table.loc[5, "b"] == 5


def test_the_same_content_is_placed_once_and_a_change_is_seen() -> None:
    shelf, array = Shelf(), np.arange(300_000.0)
    first = shelf.share(raw_of(array))
    assert isinstance(first, Region) and shelf.share(raw_of(array)) is first
    array[7] = -1
    second = shelf.share(raw_of(array))
    assert isinstance(second, Region) and second is not first and second.digest != first.digest
    assert np.frombuffer(second.map())[7] == -1 and np.frombuffer(first.map())[7] == 7


def test_another_array_at_the_same_place_is_not_taken_for_the_first() -> None:
    memory, shelf = bytearray(os.urandom(LARGE)), Shelf()
    first = shelf.share(memoryview(memory))
    memory[:] = os.urandom(LARGE)
    second = shelf.share(memoryview(memory))
    assert isinstance(first, Region) and isinstance(second, Region)
    assert bytes(second.map()) == bytes(memory) != bytes(first.map())


def test_what_came_goes_back_without_a_copy_until_it_is_changed() -> None:
    shelf, region = Shelf(), fill(memoryview(np.arange(300_000.0)).cast("B"))
    array = np.frombuffer(shelf.map(region))
    if pages._can_tell():
        assert shelf.share(raw_of(array)) is region
    array[5] = -1
    changed = shelf.share(raw_of(array))
    assert isinstance(changed, Region) and changed is not region
    assert np.frombuffer(changed.map())[5] == -1


def test_a_shelf_keeps_nothing() -> None:
    shelf, array = Shelf(), np.arange(300_000.0)
    fill(memoryview(b"x"))
    before, count = descriptors(), Region.count
    shelf.share(raw_of(array))
    mapped = shelf.map(fill(raw_of(array)))
    assert Region.count == count + 1
    del mapped
    assert (descriptors(), Region.count) == (before, count)


FAILURES: dict[str, Any] = {
    "no memory": OSError(errno.ENOSPC, "No space left on device"),
    "no descriptor": OSError(errno.EMFILE, "Too many open files"),
    "no such call": OSError(errno.ENOSYS, "Function not implemented"),
    "no memory for Python": MemoryError("none"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_without_memory_the_buffer_itself_goes_and_the_log_says_so_once(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> int:
        raise failure

    monkeypatch.setattr(os, "memfd_create", fail)
    before = descriptors()
    one, raw = Shelf(), raw_of(np.arange(300_000.0))
    with caplog.at_level(logging.WARNING):
        assert one.share(raw) is raw and one.share(raw) is raw
    assert len(caplog.records) == 1 and "through a pipe" in caplog.text and str(failure) in caplog.text
    maps = Maps()
    maps.room = 5
    assert maps.share(raw) is raw
    assert descriptors() == before


@pytest.mark.parametrize("numbers", [300_000, 6_000_000], ids=["small pages", "huge pages"])
def test_memory_that_ends_half_way_leaves_nothing(numbers: int) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    fill(memoryview(b"x"))
    before, count = descriptors(), Region.count
    resource.setrlimit(resource.RLIMIT_FSIZE, (numbers * 4, limits[1]))
    try:
        raw = raw_of(np.arange(float(numbers)))
        assert len(raw) >= LARGE and Shelf().share(raw) is raw
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (descriptors(), Region.count) == (before, count)


def test_where_there_is_no_such_memory_everything_goes_by_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    raw = raw_of(np.arange(300_000.0))
    assert handover_pair() == (None, []) and Shelf().share(raw) is raw and regions.room() == 0


def test_descriptors_of_the_users_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "_MOST", Region.count + 2)
    one, arrays = Shelf(), [np.arange(300_000.0) + number for number in range(4)]
    placed = [one.share(raw_of(array)) for array in arrays]
    assert sum(isinstance(place, Region) for place in placed) == 2


@pytest.mark.parametrize("tells", [True, False], ids=["the system tells how many", "they are counted"])
def test_the_room_follows_the_descriptors_that_are_open(tells: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    if not tells:
        monkeypatch.setattr(os, "stat", lambda path: os.stat_result([0] * 10))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 400, limits[1]))
    try:
        before = regions.room()
        opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(200)]
        after = regions.room()
        for one in opened:
            os.close(one)
        assert before - after == 50 and regions.room() == before
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


# In a worker


def test_memory_is_used_again_only_if_nobody_has_written_to_it_or_uses_it() -> None:
    maps, region = Maps(), fill(memoryview(np.arange(300_000.0)).cast("B"))

    def address() -> int:
        return address_of(maps.map(region))

    first = address()
    assert not pages._can_tell() or address() == first
    kept = np.frombuffer(maps.map(region))
    assert address() != address_of(raw_of(kept))
    kept[5] = -1
    assert np.frombuffer(maps.map(region))[5] == 5
    del kept
    maps.tidy()
    fresh = np.frombuffer(maps.map(region))
    assert fresh[5] == 5
    fresh[5] = 0
    del fresh
    assert np.frombuffer(maps.map(region))[5] == 5


def test_a_worker_sends_back_what_came_without_a_copy() -> None:
    maps, region = Maps(), fill(memoryview(np.arange(300_000.0)).cast("B"))
    array = np.frombuffer(maps.map(region))
    maps.room = 3
    if pages._can_tell():
        assert maps.share(raw_of(array)) is region and maps.digest_of(raw_of(array)) == region.digest
    array[5] = 7
    back = maps.share(raw_of(array))
    assert isinstance(back, Region) and np.frombuffer(back.map())[5] == 7
    assert maps.digest_of(raw_of(array)) not in (region.digest, content_digest(b""))
    array[5] = 5  # what was there: it has been written to, and is the same
    assert maps.digest_of(raw_of(array)) == region.digest
    maps.room = 0
    assert maps.share(raw_of(array)) == raw_of(array)


def test_a_draft_is_torn_by_nobody() -> None:
    """The digest is that of what the region holds, though a thread writes to the array."""
    import threading

    array, stop = np.zeros(2_000_000), threading.Event()

    def write() -> None:
        while not stop.is_set():
            array[:] += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(5):
            piece = Draft({}).add({"a": array}).piece(Shelf().share)
            assert content_digest(bytes(piece.regions[0].map())) == piece.regions[0].digest
    finally:
        stop.set()
        thread.join()


PARTS = {
    "the first": [0],
    "the last": [-1],
    "two together": [0, 600],
    "here and there": [5, 100_000, 299_999],
    "every page": list(range(0, 300_000, 500)),
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_what_was_changed_in_place_travels_and_nothing_else(
    parts: list[int], ends: tuple[Handover, Handover]
) -> None:
    maps, region = Maps(), fill(memoryview(np.arange(300_000.0)).cast("B"))
    array = np.frombuffer(maps.map(region))
    array[parts] = -1
    maps.room = 1
    back = maps.share(raw_of(array))
    assert isinstance(back, Region) and back is not region
    if pages._can_tell():
        travels = sum(len(content) for _, content in back.changes)
        assert travels <= len(parts) * mmap.PAGESIZE and (travels > 0) == (len(parts) < 100)
    shelf = Shelf()
    there = np.frombuffer(shelf.map(sent(back, ends)))
    assert np.array_equal(there, array)
    assert np.array_equal(np.frombuffer(region.map()), np.arange(300_000.0))
    again = shelf.share(raw_of(there))
    assert isinstance(again, Region) and again.digest == content_digest(array.tobytes()) and not again.changes


WRITTEN = {
    "one number": slice(5, 6),
    "the last": slice(-1, None),
    "more than is compared at a time": slice(1000, 200_000),
    "all": slice(None),
}


@pytest.mark.parametrize("part", WRITTEN.values(), ids=WRITTEN)
def test_what_is_written_anew_is_a_change_only_if_it_is_another_value(part: slice) -> None:
    maps, region = Maps(), fill(memoryview(np.arange(300_000.0)).cast("B"))
    array = np.frombuffer(maps.map(region))
    array[part] = array[part].copy()
    assert maps.digest_of(raw_of(array)) == region.digest
    array[part][-1] += 1
    assert maps.digest_of(raw_of(array)) != region.digest
    array[part][-1] -= 1
    assert maps.digest_of(raw_of(array)) == region.digest
