"""The post-cell hooks: what happens between a cell's end and its reply, in a fixed order."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from namespace_kernel.base.asyncio_tasks import was_never_started
from namespace_kernel.base.cell import CellChanges, Outcome
from namespace_kernel.base.execution import Execution
from namespace_kernel.base.lines import Leak
from namespace_kernel.coroutines.call_texts import call_of, returned_by
from namespace_kernel.coroutines.closing import Replacements, close_leaked, replaced
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.namespace.reserved_names import is_engine_name

_log = logging.getLogger("namespace_kernel")

_CONTAINERS = (list, dict, tuple, set)
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


@dataclass(slots=True)
class Settling:
    """One cell between its end and its reply. Hooks may replace `outcome` and add to `leaks`."""

    namespace: AsyncNamespaceManager
    execution: Execution
    outcome: Outcome
    changes: CellChanges
    leaks: list[Leak] = field(default_factory=list)


Hook = Callable[[Settling], None]


def settle(settling: Settling, hooks: Iterable[Hook]) -> None:
    """Run `hooks` in order. One that fails is logged; the others and the cell's reply go on.

    Thread: the one that ran the cell.
    """
    for hook in hooks:
        try:
            hook(settling)
        except BaseException:  # what ends with the cell may raise anything
            _log.exception("post-cell hook %r failed", hook)


def close_coroutines(settling: Settling) -> None:
    """Close the coroutines that the cell left behind within reach, and put deferred ones in their place.

    This searches the names that the cell wrote, and the containers that its code mentions: the cell may
    have appended to one that an earlier cell bound.
    """
    _close_coroutines(settling)
    # Drop our references: the namespace owns these values now.
    settling.changes = replace(settling.changes, added={}, rebound={}, deleted=frozenset())


def _close_coroutines(settling: Settling) -> None:
    manager = settling.namespace
    with manager.lock:
        live = manager.live
        names = set(settling.changes.added) | set(settling.changes.rebound)
        for name in set(_IDENTIFIER.findall(settling.execution.route.source)):
            if type(manager.look_up(name)) in _CONTAINERS:
                names.add(name)
        values = [manager.look_up(name) for name in names]
        if not any(type(value) in _CONTAINERS or was_never_started(value) for value in values):
            return
        values.clear()  # references are counted
        leaks, replacements = close_leaked(live, names, _held(settling), is_engine_name)
        for old, new in replacements.values():
            manager.engine.replace(old, new)
        if replacements:
            settling.outcome = _replaced_in(settling.outcome, replacements)
        settling.leaks.extend(leaks)


def _replaced_in(outcome: Outcome, replacements: Replacements) -> Outcome:
    if getattr(outcome.detail, "result", None) is not None:
        outcome.detail.result = replaced(outcome.detail.result, replacements)
    return replace(outcome, value=replaced(outcome.value, replacements))


def _held(settling: Settling) -> Iterator[Any]:
    """What the places besides the namespace refer to that hold this cell's values."""
    outcome = settling.outcome
    yield from settling.changes.added.values()
    yield from settling.changes.rebound.values()
    yield from settling.namespace.engine.results()
    yield outcome.value
    yield getattr(outcome.detail, "result", None)


def log_leaks(settling: Settling) -> None:
    """Log the leaks, for programs that embed the bridge."""
    for line in describe_leaks(settling.leaks, lambda leak: f"line {leak.line}"):
        _log.warning("%s: %s", settling.execution.cell.execution_id, line)


def describe_leaks(leaks: Iterable[Leak], place: Callable[[Leak], str]) -> list[str]:
    """One line for each line of code that leaked coroutines."""
    lines = []
    for leak, count in Counter(leaks).items():
        where = f"{place(leak)}: " if leak.line else ""
        times = "" if count == 1 else f" {count} times"
        call, passed = call_of(leak)
        if caller := returned_by(leak):
            said = f"`{caller}()` returned `{call}`, which nobody awaited{times}"
            lines.append(f"{where}{said}, so it did not run. Use `await` where you call `{caller}()`")
            continue
        said = f"`{passed}` called `{call}`" if passed else f"`{call}` was called"
        use = "" if "__" in call else f". Use `await {call}`"
        lines.append(f"{where}{said} without `await`{times}, so it did not run{use}")
    return lines


#: For programs without a kernel. Coroutines first: the report tells what that closed.
EMBEDDED_HOOKS: tuple[Hook, ...] = (close_coroutines, log_leaks)
