"""The compiler of cells, safe for cells that are compiled at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ipykernel.compiler import XCachingCompiler

_extra: ContextVar[int] = ContextVar("extra_compiler_flags", default=0)


class CellCompiler(XCachingCompiler):
    """Keeps the flags for the moment (top-level await) apart from the session's (`__future__` imports).

    IPython switches a bit of the shared flags on and off around each compilation; of two cells that
    overlap, the one that ends first would take top-level await from the other.
    """

    @property
    def flags(self) -> int:
        """The session's flags and those of the moment."""
        return self._session_flags | _extra.get()

    @flags.setter
    def flags(self, value: int) -> None:
        self._session_flags = value & ~_extra.get()

    @contextmanager
    def extra_flags(self, flags: int) -> Iterator[None]:
        """Overridden: for the calling context only."""
        token = _extra.set(_extra.get() | flags)
        try:
            yield
        finally:
            _extra.reset(token)
