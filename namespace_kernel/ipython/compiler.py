"""The compiler of cells, safe for cells that are compiled at the same time."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

from ipykernel.compiler import XCachingCompiler

from namespace_kernel.base.syntax import parse

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

    def ast_parse(self, source: str, filename: str = "<unknown>", symbol: str = "exec") -> Any:
        """Overridden: for threads that parse at the same time."""
        return parse(source, filename, symbol, self.flags)

    def extra_flags(self, flags: int) -> Any:
        """Overridden: for the calling context only."""
        return _ExtraFlags(flags)


class _ExtraFlags(AbstractContextManager[None]):
    """No generator: one that a Stop leaves open would be closed later, by whatever context, and complain."""

    def __init__(self, flags: int) -> None:
        self._flags = flags
        self._before = 0

    def __enter__(self) -> None:
        self._before = _extra.get()
        _extra.set(self._before | self._flags)

    def __exit__(self, *error: object) -> None:
        _extra.set(self._before)
