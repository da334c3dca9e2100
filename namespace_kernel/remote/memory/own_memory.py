"""Memory that is made for values that arrive: no name has it, so arrays over it share it with nobody."""

from __future__ import annotations

import mmap


class OwnMap(mmap.mmap):
    """Mapped for a value's buffers."""


class OwnBytes(bytearray):
    """Made for a value's buffers."""
