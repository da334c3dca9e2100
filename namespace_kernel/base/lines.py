"""Lines of code, as a user knows them: a place in a cell, and a coroutine that was left there."""

from __future__ import annotations

from dataclasses import dataclass
from types import CoroutineType
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """A line of code."""

    filename: str
    line: int


@dataclass(frozen=True, slots=True)
class Leak:
    """A coroutine that was closed, and the line that created it (`line` 0 if unknown)."""

    name: str
    filename: str
    line: int


def leak_of(coroutine: CoroutineType[Any, Any, Any]) -> Leak:
    """Describe `coroutine` by what Python noted."""
    origin = coroutine.cr_origin
    filename, line = origin[0][:2] if origin else ("", 0)
    return Leak(coroutine.__qualname__, filename, line)
