"""Who wrote each name, also while the cell that does it still runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from namespace_kernel.base.cell import CellChanges, Context, Names, Namespace

from .assignments import assigned, surely_bound
from .former_values import id_of
from .merge import changes_among, changes_between
from .provenance import ProvenanceBook
from .reserved_names import MISSING


@dataclass(frozen=True, slots=True)
class View:
    """What one execution sees: the dict it runs in, the state to compare with afterwards, and when it
    was opened (the provenance's serial number then). In `base` a `Former` may stand for a value. `source` is
    the code that runs. One that runs `aside` (in the background) leaves `_exception` alone. If it is known
    which names its code can bind, `binds` says so, and `base` has no others.
    """

    context: Context
    namespace: Namespace
    base: Namespace
    opened: int = 0
    execution_id: str = ""
    source: str = ""
    aside: bool = False
    binds: frozenset[str] | None = None
    began: float = field(default_factory=time.time)

    def has_changed(self, name: str, value_id: int) -> bool:
        """Whether `name`, of which the value has this id now, may be what the execution has changed."""
        may_bind = self.binds is None or name in self.binds
        return may_bind and id_of(self.base.get(name, MISSING)) != value_id


def changes_in(live: Namespace, view: View, succeeded: bool) -> CellChanges:
    """What has changed in `live` since `view` was opened; without a copy, if nobody adds names meanwhile."""

    def bound(name: str) -> bool:
        return succeeded and name in surely_bound(view.source)

    if view.binds is not None:
        return changes_among(view.binds, view.base, live, bound)
    try:
        return changes_between(view.base, live, bound)
    except (RuntimeError, KeyError):  # "dictionary changed size during iteration"
        return changes_between(view.base, live.copy(), bound)


def own_changes(changes: CellChanges, view: View, others: Iterable[View]) -> CellChanges:
    """Leave out of `changes` what the cells that still run have done, as far as code tells.

    A name is theirs if their code assigns it and the code of this cell does not.
    """
    theirs: set[str] = set()
    for other in others:
        if other.namespace is view.namespace:
            theirs |= assigned(other.source)
    theirs -= assigned(view.source) if theirs else set()
    if not theirs:
        return changes
    return replace(
        changes,
        added={name: value for name, value in changes.added.items() if name not in theirs},
        rebound={name: value for name, value in changes.rebound.items() if name not in theirs},
        deleted=changes.deleted - theirs,
    )


def contested(changes: CellChanges, view: View, book: ProvenanceBook) -> dict[str, str]:
    """Names that this cell wrote and that others wrote while it ran, with who did."""
    if book.serial == view.opened:
        return {}
    mine = assigned(view.source)
    found = {}
    for name in {*mine, *changes.written}:
        entry = book.entry(name)
        if (
            entry is not None
            and entry.serial > view.opened
            and entry.writer.execution_id != view.execution_id
        ):
            rebound = name in changes.written and id(changes.written[name]) != entry.value_id
            if rebound or name in mine:
                found[name] = entry.writer.execution_id
    return found


def changed_meanwhile(
    changes: CellChanges, view: View, live: Names, writers: Callable[[], Mapping[str, Written]]
) -> dict[str, str]:
    """Names that a cell changed in its copy and that have been changed in `live` meanwhile, with who did.

    `writers` looks at every name, so it is asked only if there are some.
    """
    found: dict[str, str] = {}
    written: Mapping[str, Written] | None = None
    for name in {*changes.written, *changes.deleted}:
        here = live.get(name, MISSING)
        # If both have bound it to the same (an imported module), nothing is at stake.
        if here is not view.base.get(name, MISSING) and here is not view.namespace.get(name, MISSING):
            written = writers() if written is None else written
            by = written.get(name)
            cells = () if by is None or by.later else by.cells
            found[name] = ", ".join(cells) or ("code outside of cells" if name in live else "being deleted")
    return found


class Written(NamedTuple):
    """By which cells, in which contexts and when (`time.time`) a name was written last.

    There is more than one cell if several run that may have done it. `running` says that they still do;
    then `when` is their beginning. `later` says that code outside of cells (a task, a thread, a callback)
    has changed the name since. `order` grows with time.
    """

    cells: tuple[str, ...]
    contexts: tuple[str, ...]
    when: float
    order: int
    running: bool = False
    later: bool = False


def last_writers(live: Namespace, book: ProvenanceBook, views: Iterable[View]) -> dict[str, Written]:
    """Return who wrote the names in `live`; those that no cell wrote are left out.

    `views` are those of the executions that run in `live` now. Values are looked at one by one and not
    kept, so that none of them ends here.

    Thread: any, under the namespace's lock.
    """
    running = [view for view in views if view.namespace is live]
    known: dict[tuple[int, bool], Written] = {}
    current: dict[tuple[int, ...], Written] = {}
    writers = {}
    for name in list(live):
        if type(name) is not str:  # looking it up might run the key's own code
            continue
        value_id = id(live.get(name, MISSING))
        entry = book.entry(name)
        recorded = entry is not None and entry.value_id == value_id
        changed = tuple(
            number
            for number, view in enumerate(running)
            if view.has_changed(name, value_id)
            and not (recorded and entry is not None and entry.serial > view.opened)
        )
        if changed:
            if changed not in current:
                current[changed] = _by_running([running[number] for number in changed], book.serial + 1)
            writers[name] = current[changed]
        elif entry is not None:
            key = (entry.serial, recorded)
            if key not in known:
                by = entry.writer
                known[key] = Written(
                    (by.execution_id,), (by.context,), by.when, entry.serial, later=not recorded
                )
            writers[name] = known[key]
    return writers


def _by_running(views: list[View], order: int) -> Written:
    cells = tuple(dict.fromkeys(view.execution_id for view in views))
    contexts = tuple(dict.fromkeys(view.context for view in views))
    return Written(cells, contexts, min(view.began for view in views), order, running=True)
