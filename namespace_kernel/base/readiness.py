"""Which file descriptors can be read: `select.select` refuses numbers above 1,023, which open files reach."""

from __future__ import annotations

import math
import select
from collections.abc import Iterable


def readable(descriptors: Iterable[int], seconds: float | None = None) -> list[int]:
    """Wait until one of `descriptors` can be read, is at its end, or is closed, but no longer than `seconds`.

    Return those of which that is true. Thread: any.
    """
    if not hasattr(select, "poll"):  # Windows, which knows no such limit
        return select.select(list(descriptors), [], [], seconds)[0]
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    ready = poll.poll(None if seconds is None else math.ceil(seconds * 1000))
    return [descriptor for descriptor, _ in ready]
