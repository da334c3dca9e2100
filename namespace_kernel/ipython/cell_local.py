"""State that IPython keeps once per shell, kept once per running cell."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any
from weakref import ReferenceType, ref

from IPython.core.payload import PayloadManager

from namespace_kernel.namespace.manager import AsyncNamespaceManager


class PerCell:
    """An attribute whose value belongs to the context of the cell that set it.

    For the few attributes by which one running cell would otherwise overwrite another's. Read in a
    context that never set it, it is `default`. One shell per process, so one variable per attribute.
    """

    def __init__(self, default: object = None) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._variable: ContextVar[Any] = ContextVar(f"{owner.__name__}.{name}")

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self._variable.get(self._default)

    def __set__(self, instance: object, value: object) -> None:
        self._variable.set(value)


class WeakPerCell(PerCell):
    """One that does not keep its value: tasks and timers live longer, and have copies of the context."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        value = super().__get__(instance, owner)
        return value() if isinstance(value, ReferenceType) else value

    def __set__(self, instance: object, value: object) -> None:
        super().__set__(instance, None if value is None else ref(value))


class CellPayloads(PayloadManager):
    """What `%load`, `?` and `set_next_input` put into the reply: of the cell that does it."""

    _own = PerCell()

    @property
    def _payload(self) -> list[dict[str, object]]:
        if self._own is None:
            self._own = []
        payloads: list[dict[str, object]] = self._own
        return payloads

    @_payload.setter
    def _payload(self, payloads: list[dict[str, object]]) -> None:
        self._own = payloads


class CellNumbers:
    """Mixed into the shell: `execution_count`. Thread: any."""

    namespace: AsyncNamespaceManager
    _own_count = PerCell()
    _next_count = 1

    @property
    def execution_count(self) -> int:
        """Overridden: in a cell, the cell's own count, whatever other cells have begun meanwhile."""
        count: int = self._next_count if self._own_count is None else self._own_count
        return count

    @execution_count.setter
    def execution_count(self, value: int) -> None:
        if self._own_count is None or value < self._own_count:  # `%reset` begins again at 1
            self._next_count = value
        if self._own_count is not None:
            self._own_count = value

    def take_number(self, counts: bool) -> int:
        """The number of a cell that begins now. If it `counts`, the next one gets another."""
        with self.namespace.lock:
            number = self._next_count
            self._next_count += counts
        return number

    def use_number(self, number: int) -> None:
        """Let `execution_count` be `number` in the calling context, where a cell begins."""
        self._own_count = number
