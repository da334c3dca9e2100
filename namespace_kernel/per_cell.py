"""State that IPython keeps once per shell, kept once per running cell."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any


class PerCell:
    """An attribute whose value belongs to the context of the cell that set it.

    For the few attributes by which one running cell would otherwise overwrite another's. Read in a
    context that never set it, it is `default`. One shell per process, so one variable per attribute.
    """

    def __init__(self, default: Any = None) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._variable: ContextVar[Any] = ContextVar(f"{owner.__name__}.{name}")

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self._variable.get(self._default)

    def __set__(self, instance: object, value: Any) -> None:
        self._variable.set(value)
