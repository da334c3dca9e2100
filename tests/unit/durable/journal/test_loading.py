"""What comes back takes no more memory than it must."""

from __future__ import annotations

import os
import tracemalloc

from .conftest import Start

SIZE = 3 * 2**20


def test_one_stream_at_a_time_is_in_memory(start: Start) -> None:
    first = start()
    first.names["urandom"] = os.urandom
    for number in range(6):
        first.keep(f"text_{number} = urandom({SIZE // 2}).hex()")
    second = start()
    tracemalloc.start()
    try:
        back = second.journal.restore()
        values = 6 * SIZE
        assert len(back.back) == 7 and tracemalloc.get_traced_memory()[1] < values + 5 * SIZE
    finally:
        tracemalloc.stop()
