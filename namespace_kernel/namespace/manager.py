"""`AsyncNamespaceManager`: the one dict that all code of a session shares.

Guarantees:
- The dict is created once and never replaced; `live` is the same object for life.
- The engine's names are right after every merge, whatever the code did to them.
- Nothing is compared by `==`, so any object can be stored.
- Every operation holds one lock, so concurrent merges lose no name.

Limitations:
- Running code writes to the live dict without the lock (a dict is atomic per operation). Whatever
  iterates must therefore work on a snapshot: `namespace`, never `live`.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import CoroutineType

from namespace_kernel.base.asyncio_tasks import coroutines_of_tasks, was_never_started
from namespace_kernel.base.cell import COPYING, CellChanges, Context, Names, Namespace, Outcome
from namespace_kernel.base.lines import NativeCoroutine
from namespace_kernel.base.weak_references import WeakThings

from .assignments import assigned
from .foresight import foreseen
from .former_values import let_go, mentioned
from .merge import changes_between, part_of
from .provenance import Provenance, ProvenanceBook
from .reserved_names import (
    MODULE_NAMES,
    drop_odd_keys,
    is_engine_name,
)
from .store import NamespaceStore
from .writers import View, Written, changed_meanwhile, changes_in, contested, last_writers, own_changes

#: From so many names on a cell's text is read, so that only those that it can bind are compared. To copy and
#: compare so many takes a tenth of a round trip.
MANY = 5_000

#: The contexts of code that somebody else has run, with its result among the updates.
_RESULT_CONTEXTS = frozenset((Context.ASYNC, Context.THREAD))


class AsyncNamespaceManager(NamespaceStore):
    """A merge-only namespace for code that runs in an event loop and in threads.

    `module` is the module whose dict becomes the store; a fresh `__main__` by default, which is not
    put into `sys.modules`. `keeps_current` says whether a name that was changed here, while a cell changed it
    in its copy, stays as it is here.

    Thread: any. The lock is reentrant because merging may run user code (a replaced value's
    `__del__`) that comes back here.
    """

    def __init__(
        self, module: types.ModuleType | None = None, *, keeps_current: Callable[[], bool] = lambda: False
    ) -> None:
        super().__init__(types.ModuleType("__main__") if module is None else module)
        self._provenance = ProvenanceBook()
        self._keeps_current = keeps_current
        self._coroutines: WeakThings[NativeCoroutine] = WeakThings()

    def get_for_execution(self, context: str) -> Namespace:
        """Return the dict for code of `context`: a copy for one of `COPYING`, the live one for any other."""
        with self._lock:
            return self._live.copy() if context in COPYING else self._live

    def update_namespace(self, updates: Names, source_context: str = "unknown") -> frozenset[str]:
        """Merge `updates`, which come from any context; return the names that were refused.

        Engine names are refused unless `source_context` is "engine". Of "async" and "thread", a value under
        `_result` or `__result__` becomes the newest result, unless it is `None`.
        """
        with self._lock:
            from_engine = source_context == Context.ENGINE
            refused = frozenset(name for name in updates if not from_engine and is_engine_name(name))
            accepted = {name: value for name, value in updates.items() if name not in refused}
            self._live.update(accepted)
            self._track(accepted.values())
            if from_engine:
                self._engine.accept(accepted)
                self._exit_code = accepted.get("_exit_code", self._exit_code)
                self._exception = accepted.get("_exception", self._exception)
            else:
                self._provenance.record(accepted, (), f"update from {source_context}", source_context)
            if source_context in _RESULT_CONTEXTS:
                self._shift_results(accepted.get("_result", accepted.get("__result__")))
            return refused

    def merge_thread_results(
        self,
        thread_namespace: Names,
        original_namespace: Names,
        execution_id: str = "a thread",
        context: Context = Context.THREAD,
    ) -> CellChanges:
        """Merge what code did to its copy: names added, rebound and deleted since `original_namespace`.

        Names that the code left alone keep the value they have now, also if others changed it meanwhile.
        """
        with self._lock:
            changes = changes_between(dict(original_namespace), dict(thread_namespace))
            return self._merge_changes(changes, execution_id, context)

    def _merge_changes(self, changes: CellChanges, execution_id: str, context: Context) -> CellChanges:
        """See `merge_thread_results`. Under the lock."""
        attempted = {name for name in {*changes.written, *changes.deleted} if is_engine_name(name)}
        own = {name: value for name, value in changes.written.items() if not is_engine_name(name)}
        self._live.update(own)
        for name in changes.deleted:
            if not is_engine_name(name):
                self._live.pop(name, None)
        merged = self._finish(changes, execution_id, context)
        return replace(merged, overwritten=merged.overwritten | attempted)

    # One execution

    def open(self, context: Context, execution_id: str = "", source: str = "", aside: bool = False) -> View:
        """Begin an execution: return what it runs in and what to compare with."""
        with self._lock:
            binds = self._foreseen(source, context)
            base = self._live.copy() if binds is None else part_of(self._live, binds)
            namespace = base.copy() if context in COPYING else self._live
            serial = self._provenance.serial
            view = View(context, namespace, base, serial, execution_id, source, aside, binds)
            self._running.append(view)
            ending = self._let_go(source) if namespace is self._live else []
        del ending  # without the lock: it may run user code
        return view

    def _let_go(self, source: str | None) -> list[object]:
        """Let the values of the names that `source` mentions, or all, end when they are dropped. Returns what
        may end already.
        """
        bases = [view.base for view in self._running if view.namespace is self._live]
        try:
            names = list(self._live) if source is None else mentioned(source, self._live)
            return [value for base in bases for value in let_go(base, names)]
        except Exception:  # of a key's own code, which has the hash of a name
            return []

    def _foreseen(self, source: str, context: Context) -> frozenset[str] | None:
        """The names that a cell can bind, if to know it saves more than it costs."""
        if context in COPYING or len(self._live) < MANY or self._engine.transforms():
            return None
        return foreseen(source, self._live)

    def close(self, view: View, execution_id: str, outcome: Outcome) -> CellChanges:
        """End an execution: merge what it changed and set the engine's names right.

        A failed execution keeps what it bound before the failure if it ran in the live dict, and
        merges nothing if it ran on a copy. `_exception` is its error, `None` after a success.
        """
        with self._lock:
            self._running = [one for one in self._running if one is not view]
            try:
                changes = self._merge(view, execution_id, outcome)
            except Exception:
                # A key has the hash of a name, and its `__eq__` raises: nobody could use the name any more.
                if not any([drop_odd_keys(names) for names in (self._live, view.namespace, view.base)]):
                    raise
                changes = self._merge(view, execution_id, outcome)
        # Without the lock: what the execution deleted or rebound ends here, and may run user code.
        view.base.clear()
        return changes

    def _merge(self, view: View, execution_id: str, outcome: Outcome) -> CellChanges:
        if not view.aside:
            self._exception = self._live["_exception"] = outcome.error
        if view.namespace is self._live:
            changes = changes_in(self._live, view, outcome.succeeded)
            disputed = contested(changes, view, self._provenance)
            changes = own_changes(changes, view, self._running)
            changes = self._finish(changes, execution_id, view.context, view.opened)
            return replace(changes, contested=disputed)
        if outcome.succeeded:
            return self._merge_copy(view, execution_id)
        return self._finish(CellChanges(), execution_id, view.context)

    def _merge_copy(self, view: View, execution_id: str) -> CellChanges:
        changes = changes_between(view.base, view.namespace)
        disputed = changed_meanwhile(changes, view, self._live, self.writers)
        disputed = {name: by for name, by in disputed.items() if not is_engine_name(name)}
        yields = self._keeps_current()
        if yields and disputed:
            for name in disputed:
                view.namespace.pop(name, None)
                if name in view.base:
                    view.namespace[name] = view.base[name]
            changes = changes_between(view.base, view.namespace)
        merged = self._merge_changes(changes, execution_id, view.context)
        return replace(merged, contested=disputed, yielded=yields)

    def _finish(
        self, changes: CellChanges, execution_id: str, context: Context, opened: int | None = None
    ) -> CellChanges:
        touched = {*changes.added, *changes.rebound, *changes.deleted}
        # A cell that still runs may be using one (`for _ in …`): its are set right when it ends.
        in_use = {name for view in self._running for name in assigned(view.source)}
        overwritten = self.restore_engine_names(touched, in_use)
        own = {name: value for name, value in changes.written.items() if not is_engine_name(name)}
        self._provenance.record(own, changes.deleted, execution_id, context, opened)
        self._track(own.values())
        return replace(changes, overwritten=frozenset(overwritten & touched))

    def remove_user_names(self) -> None:
        """Remove every name but the engine's and the module's (`%reset`)."""
        with self._lock:
            drop_odd_keys(self._live)
            ending = self._let_go(None)
            for name in list(self._live):
                if name not in MODULE_NAMES:
                    self._live.pop(name, None)
            self._provenance.clear()
            self._exception = None
            self.restore_engine_names()
        del ending  # without the lock: it may run user code

    def provenance(self, name: str) -> Provenance | None:
        """Which cell and context wrote `name` last, or `None` if none did.

        Without the lock: it is one look-up, which says nothing of the value that `name` has by now. Who wants
        both to be of the same moment holds `lock`.
        """
        return self._provenance.get(name)

    def writers(self) -> dict[str, Written]:
        """Who wrote the names that exist now, also of cells that still run."""
        with self._lock:
            return last_writers(self._live, self._provenance, self._running)

    def put_back(self, values: Names, written: Mapping[str, Provenance]) -> None:
        """Bind names to what they were bound to before, of which `written` says who wrote them."""
        with self._lock:
            own = {name: value for name, value in values.items() if not is_engine_name(name)}
            self._live.update(own)
            self._provenance.put_back(own, written)

    # Coroutines

    def track(self, coroutine: NativeCoroutine) -> None:
        """Remember `coroutine`, weakly, until it is finished or cleaned up."""
        with self._lock:
            self._coroutines.add(coroutine)

    @property
    def coroutines(self) -> list[NativeCoroutine]:
        """The tracked coroutines whose code has not begun."""
        return [coroutine for coroutine in self._coroutines if was_never_started(coroutine)]

    def cleanup_coroutines(self) -> int:
        """Close the tracked coroutines that nobody awaited; return how many.

        One that a task is about to start is not touched.
        """
        with self._lock:
            unstarted = self.coroutines
            scheduled = coroutines_of_tasks(unstarted)
            abandoned = [one for one in unstarted if id(one) not in scheduled]
            for coroutine in abandoned:
                coroutine.close()
            self._coroutines.clear()
            return len(abandoned)

    def _track(self, values: Iterable[object]) -> None:
        self._coroutines.update(value for value in values if type(value) is CoroutineType)
