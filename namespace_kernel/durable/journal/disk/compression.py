"""Streams: compressed where Python or a package can do it."""

from __future__ import annotations

import importlib
from typing import Any

from namespace_kernel.base.errors import JournalError

#: Streams from this size on are worth it.
_LEAST = 1024


def _find() -> Any:
    """What compresses: Python's own from 3.14 on, or the package `zstandard`."""
    for name in ("compression.zstd", "zstandard"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


_zstd = _find()


def squeeze(data: bytes) -> tuple[str, bytes]:
    """`data`, compressed if that can be done and helps, and by what; "" if it is as it was."""
    if _zstd is None or len(data) < _LEAST:
        return "", data
    squeezed: bytes = _zstd.compress(data)
    return ("zstd", squeezed) if len(squeezed) < len(data) else ("", data)


def unsqueeze(how: str, data: bytes) -> bytes:
    """The opposite. Raises `JournalError` if nothing here can do it, and what the library raises."""
    if not how:
        return data
    if _zstd is None:
        raise JournalError(
            "to read it takes the package `zstandard`: `pip install 'namespace_kernel[durable]'`"
        )
    whole: bytes = _zstd.decompress(data)
    return whole
