"""Memory that several threads hash, a block each: one digest, whoever does how much; and they all end."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator

import pytest

from namespace_kernel.remote.memory import blocks
from namespace_kernel.remote.memory.blocks import BLOCK, content_digest, digest_in_blocks

SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 7]


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    yield
    assert "Memory" not in [thread.name for thread in threading.enumerate()]


@pytest.fixture(params=[1, 2, 3, 64])
def processors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(blocks, "_processors", lambda: request.param)
    count: int = request.param
    return count


def test_what_is_hashed_by_one_or_by_many_has_one_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for count in (1, 2, 3, 64):
        monkeypatch.setattr(blocks, "_processors", lambda count=count: count)
        found.add(tuple(content_digest(bytes(size)) for size in SIZES))
    assert len(found) == 1 and len(set(*found)) == len(SIZES)


def test_where_there_are_no_more_threads_one_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    content = os.urandom(4 * BLOCK)
    expected = content_digest(content)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(blocks, "_processors", lambda: 4)
    monkeypatch.setattr(blocks.HiddenThread, "start", refuse)
    assert content_digest(content) == expected


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_byte_counts_and_where_it_stands(kind: type, processors: int) -> None:
    content = bytearray(random.Random(5).randbytes(3 * BLOCK + 5))
    digests = {content_digest(kind(content))}
    for place in (0, BLOCK - 1, BLOCK, 2 * BLOCK + 3, len(content) - 1):
        content[place] ^= 1
        digests.add(content_digest(kind(content)))
    digests.add(content_digest(kind(content[BLOCK : 2 * BLOCK] + content[:BLOCK] + content[2 * BLOCK :])))
    assert len(digests) == 7


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, IndexError, MemoryError])
def test_the_first_error_is_raised_when_all_have_stopped(error: type, processors: int) -> None:
    begun: list[int] = []
    ended: list[int] = []

    def fail_in_the_third(part: slice) -> bytes:
        begun.append(part.start)
        try:
            if part.start == 2 * BLOCK:
                raise error("no")
            return b""
        finally:
            ended.append(part.start)

    with pytest.raises(error, match="no"):
        digest_in_blocks(1_000 * BLOCK, fail_in_the_third)
    assert sorted(begun) == sorted(ended) and len(begun) < 1_000


def test_a_stop_is_raised_when_the_others_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    main, both, ended = threading.get_ident(), threading.Barrier(2), []

    def work(part: slice) -> bytes:
        both.wait(30)
        if threading.get_ident() == main:
            raise KeyboardInterrupt
        ended.append(part)
        return b""

    monkeypatch.setattr(blocks, "_processors", lambda: 2)
    with pytest.raises(KeyboardInterrupt):
        digest_in_blocks(2 * BLOCK, work)
    assert len(ended) == 1


def test_all_processors_work_at_once(processors: int) -> None:
    count = min(processors, blocks._MOST)
    together = threading.Barrier(count)

    def meet(part: slice) -> bytes:
        together.wait(30)
        return b""

    digest_in_blocks(count * 3 * BLOCK, meet)
