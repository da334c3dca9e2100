"""What the store must come to: the same operations on plain dicts, one after the other, without a lock."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass, field
from typing import Any

from namespace_kernel import AsyncNamespaceManager, CellChanges, Outcome
from namespace_kernel.base.cell import Context
from namespace_kernel.namespace.reserved_names import MODULE_NAMES, is_engine_name
from namespace_kernel.namespace.writers import View

#: What can be seen of a store.
State = tuple[Any, ...]


class Error(Exception):
    """What a cell raised."""


@dataclass
class Opened:
    """A cell that runs: what it runs in, what was there when it began, and what its code assigns."""

    names: dict[str, Any]
    base: dict[str, Any]
    serial: int
    live: bool
    assigns: frozenset[str]
    aside: bool
    foreseen: bool


@dataclass
class Model:
    """The store, sequentially. Its operations have the names of `Store`'s."""

    names: dict[str, Any] = field(default_factory=dict)
    #: Name → who wrote it, in which record, and which value.
    book: dict[str, tuple[str, int, Any]] = field(default_factory=dict)
    serial: int = 0
    inputs: list[str] = field(default_factory=lambda: [""])
    outputs: dict[int, Any] = field(default_factory=dict)
    last: tuple[Any, Any, Any] = (None, None, None)
    exit_code: int = 0
    exception: Any = None
    views: dict[int, Opened] = field(default_factory=dict)

    def copy(self) -> Model:
        made = copy.copy(self)
        made.names, made.book, made.inputs = dict(self.names), dict(self.book), list(self.inputs)
        made.outputs = dict(self.outputs)
        made.views = {}
        for key, view in self.views.items():
            names = made.names if view.live else dict(view.names)
            made.views[key] = dataclasses.replace(view, names=names)
        return made

    def state(self) -> State:
        """As `Store.state`."""
        writers = {name: writer for name, (writer, _, _) in self.book.items()}
        results = (self.outputs, self.last, self.exit_code, self.exception)
        return (self.names, writers, tuple(self.inputs), *results)

    def _record(self, written: dict[str, Any], deleted: set[str], who: str, opened: int | None) -> None:
        self.serial += 1
        for name, value in written.items():
            known = self.book.get(name)
            theirs = known and opened is not None and known[1] > opened and known[2] is value
            if not theirs:
                self.book[name] = (who, self.serial, value)
        for name in deleted:
            self.book.pop(name, None)

    def update(self, names: dict[str, Any], context: str) -> None:
        own = {name: value for name, value in names.items() if not is_engine_name(name)}
        self.names.update(own)
        self._record(own, set(), f"update from {context}", None)
        if context in ("async", "thread") and own.get("_result") is not None:
            self.last = (own["_result"], *self.last[:2])

    def merge(self, written: dict[str, Any], deleted: set[str], who: str, opened: int | None = None) -> None:
        own = {name: value for name, value in written.items() if not is_engine_name(name)}
        self.names.update(own)
        for name in deleted:
            self.names.pop(name, None)
        self._record(own, deleted, who, opened)

    def record(self, code: str, value: Any) -> None:
        self.inputs.append(code)
        self.outputs[len(self.inputs) - 1] = value
        self.last = (value, *self.last[:2])

    def exit(self, code: int) -> None:
        self.exit_code = code

    def reset(self) -> None:
        self.names.clear()
        self.book.clear()
        self.exception = None

    def open(self, key: int, live: bool, assigns: frozenset[str], aside: bool, foreseen: bool) -> None:
        names = self.names if live else dict(self.names)
        self.views[key] = Opened(names, dict(self.names), self.serial, live, assigns, aside, foreseen)

    def write(self, key: int, written: dict[str, Any], deleted: set[str]) -> None:
        names = self.views[key].names
        for name, value in written.items():
            if not is_engine_name(name):
                names[name] = value
        for name in deleted:
            names.pop(name, None)

    def close(self, key: int, error: Any) -> None:
        view = self.views.pop(key)
        if not view.aside:
            self.exception = error
        if not view.live and error is not None:
            self.serial += 1
            return
        may_bind = view.assigns if view.live and view.foreseen else {*view.base, *view.names}
        names = {name for name in may_bind if isinstance(name, str)}
        written = {n: v for n, v in view.names.items() if n in names and view.base.get(n) is not v}
        deleted = (view.base.keys() - view.names.keys()) & names
        if view.live:
            theirs = {name for other in self.views.values() if other.live for name in other.assigns}
            theirs -= view.assigns
            written = {name: value for name, value in written.items() if name not in theirs}
            self._record(written, deleted - theirs, str(key), view.serial)
        else:
            self.merge(written, deleted, str(key))


class Store:
    """The same operations on the real one."""

    def __init__(self) -> None:
        self.manager = AsyncNamespaceManager()
        self.views: dict[int, View] = {}

    def state(self) -> State:
        """What can be seen: names, who wrote them, inputs, results, and the last exit code and error."""
        manager = self.manager
        names = {
            name: value
            for name, value in manager.namespace.items()
            if not is_engine_name(name) and name not in MODULE_NAMES
        }
        found = {name: manager.provenance(name) for name in (f"n_{i}" for i in range(8))}
        found["_result"] = manager.provenance("_result")
        writers = {name: by.execution_id for name, by in found.items() if by is not None}
        right = manager.engine.values()
        results = (
            right["Out"],
            (right["_"], right["__"], right["___"]),
            manager.exit_code,
            manager.exception,
        )
        return (names, writers, tuple(right["In"]), *results)

    def wrong_engine_names(self) -> dict[str, Any]:
        """Those that are not what the engine says, which are right whenever no cell runs."""
        manager = self.manager
        right = {**manager.engine.values(), "_exit_code": manager.exit_code, "_exception": manager.exception}
        return {name: manager.live.get(name) for name in right if manager.live.get(name) is not right[name]}

    def update(self, names: dict[str, Any], context: str) -> None:
        self.manager.update_namespace(names, context)

    def merge(self, written: dict[str, Any], deleted: set[str], who: str) -> CellChanges:
        return self.manager.merge_thread_results(written, dict.fromkeys(deleted, 0), who)

    def record(self, code: str, value: Any) -> None:
        with self.manager.lock:
            number = self.manager.record_input(code)
            self.manager.record_result(value, number)

    def exit(self, code: int) -> None:
        self.manager.set_exit_code(code)

    def reset(self) -> None:
        self.manager.remove_user_names()

    def open(self, key: int, live: bool, assigns: frozenset[str], aside: bool, foreseen: bool) -> None:
        lines = ["pass" if foreseen else "f()", *(f"{name} = 0" for name in sorted(assigns))]
        source = "\n".join(lines)
        context = Context.MAIN if live else Context.ISOLATED
        self.views[key] = view = self.manager.open(context, str(key), source, aside)
        assert (view.binds is not None) == (live and foreseen)

    def write(self, key: int, written: dict[str, Any], deleted: set[str]) -> None:
        names = self.views[key].namespace
        for name, value in written.items():
            names[name] = value
        for name in deleted:
            names.pop(name, None)

    def close(self, key: int, error: Any) -> None:
        self.manager.close(self.views.pop(key), str(key), Outcome(error=error))
