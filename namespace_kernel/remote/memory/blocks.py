"""Large memory in blocks, of which several processors each take one, and the digest of such memory.

What is called for a block lets go of the interpreter's lock once, and for long. Pieces that fit a cache would
save some reading, but beside a thread that computes in Python each call waits 5 ms for that lock.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable

from namespace_kernel.base.threads import HiddenThread

#: Bytes of a block: some milliseconds of work.
BLOCK = 2**24
#: Threads at most: memory is no faster for more.
_MOST = 4


def content_digest(raw: bytes | bytearray | memoryview) -> bytes:
    """The digest of what `raw`, bytes in a row, holds now. Thread: any."""
    whole = memoryview(raw)
    return digest_in_blocks(len(whole), lambda part: _digest(whole[part]))


def digest_in_blocks(size: int, digest_of: Callable[[slice], bytes]) -> bytes:
    """The digest of `size` bytes, of which `digest_of` tells that of a block.

    Raises what that raises. It is called in several threads at once.
    """
    if size <= BLOCK:
        return digest_of(slice(0, size))
    parts = [slice(begin, min(begin + BLOCK, size)) for begin in range(0, size, BLOCK)]
    return _digest(b"".join(_each(digest_of, parts)))


def _each(digest_of: Callable[[slice], bytes], parts: list[slice]) -> list[bytes]:
    waiting = deque(range(len(parts)))
    digests = [b""] * len(parts)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while (number := _next(waiting)) is not None:
                digests[number] = digest_of(parts[number])
        except BaseException as error:
            errors.append(error)
            waiting.clear()

    helpers: list[HiddenThread] = []
    try:
        with contextlib.suppress(RuntimeError):  # the system has no more threads
            for _ in range(min(_MOST, _processors(), len(parts)) - 1):
                helper = HiddenThread(target=work, name="Memory", daemon=True)
                helper.start()
                helpers.append(helper)
        work()
    finally:
        waiting.clear()
        for helper in helpers:
            helper.join()
    if errors:
        raise errors.pop()
    return digests


def _next(waiting: deque[int]) -> int | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _digest(content: bytes | memoryview) -> bytes:
    from xxhash import xxh3_128

    return xxh3_128(content).digest()
