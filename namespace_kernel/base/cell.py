"""The values that travel with a cell: `Cell` → `Route` → `Outcome`, and the `CellChanges` it made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

#: Names and their values: one that code runs in, and any.
Namespace: TypeAlias = dict[str, Any]
Names: TypeAlias = Mapping[str, Any]


class Context(StrEnum):
    """Where code runs, or who writes a name."""

    MAIN = "main"  # a foreground cell, no loop running
    ASYNC = "async"  # a foreground cell on the user loop, or a coroutine on the embedder's
    CALLER = "caller"  # embedded, in the calling thread, on the live dict
    BACKGROUND = "background"  # a cell that does not make the next one wait
    THREAD = "thread"  # embedded, in the calling thread, on a copy
    ISOLATED = "isolated"  # another process, on a copy
    DASK = "dask"  # a worker of a Dask cluster, on a copy
    ENGINE = "engine"  # the kernel itself: the only writer of engine names


#: Contexts whose code runs in another process.
ELSEWHERE = frozenset({Context.ISOLATED, Context.DASK})

#: Contexts whose code sees a copy; only what it changed is merged back, and nothing if it fails.
COPYING = ELSEWHERE | {Context.THREAD}


@dataclass(frozen=True, slots=True)
class Cell:
    """One piece of code to execute.

    `code` is what the user wrote. `execution_id` names the execution to people and in provenance;
    `number` is the kernel's execution count for it, `lane_id` the subshell's that it runs in.
    `silent` and `store_history` mean what they mean in an `execute_request`; a `background` cell does not
    hold up the next one.
    """

    code: str
    execution_id: str
    number: int = 0
    lane_id: str | None = None
    tags: frozenset[str] = frozenset()
    silent: bool = False
    store_history: bool = True
    background: bool = False
    cell_id: str | None = None
    metadata: Names = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a cell goes and why.

    `source` is the Python to run (directive removed, magics transformed). `error` is what an input
    transformer or a wrong directive raised; such a cell is shown as failed and never run. `options` are those
    of the directive, by name without dashes; an option that takes no value has an empty one.
    """

    context: Context
    reason: str
    source: str
    error: BaseException | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an execution came to: a value or an error, never both.

    `detail` is the engine's own record of it (IPython's `ExecutionResult` in the kernel). `ending` is set if
    something is left to do where no event loop runs; it returns the outcome in which nothing is.
    """

    value: Any = None
    error: BaseException | None = None
    detail: Any = field(default=None, repr=False)
    ending: Callable[[], Outcome] | None = field(default=None, repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether there was no error."""
        return self.error is None

    def unwrap(self) -> Any:
        """Return the value or raise the error."""
        error = self.error
        if error is None:
            return self.value
        try:
            raise error
        finally:
            del error, self  # the traceback refers to this frame; it must not refer to the error


@dataclass(frozen=True, slots=True)
class CellChanges:
    """What a cell did to the namespace, found by identity.

    `added` and `rebound` map names to their new values; `overwritten` are the engine names that it
    changed and that were set right again; `contested` are names that others wrote while it ran, with the
    last one who did. `yielded` says that theirs were kept.
    """

    added: Names = field(default_factory=dict)
    rebound: Names = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    overwritten: frozenset[str] = frozenset()
    contested: Mapping[str, str] = field(default_factory=dict)
    yielded: bool = False

    @property
    def written(self) -> Namespace:
        """Added and rebound names with their values."""
        return {**self.added, **self.rebound}
