"""The table of `%namespace`: which names there are, what they hold, and who wrote them when."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

from namespace_kernel.base.cell import Context, Names
from namespace_kernel.base.safe_facts import Group, facts_of, group_of
from namespace_kernel.coroutines.deferred import DeferredCoroutine
from namespace_kernel.namespace.reserved_names import MISSING
from namespace_kernel.namespace.writers import Written

#: Rows that are shown; the rest is counted.
LIMIT = 1000

#: The last group: names that the kernel put there. Shown by `--all` alone.
ENGINE_GROUP = len(Group)
TITLES = {Group.CODE: "Modules, functions and classes", ENGINE_GROUP: "Names of the kernel"}
_ROUTES: dict[str, str] = {Context.MAIN: "sync"}
_UNKNOWN = Written((), (), 0.0, 0)


@dataclass(frozen=True, slots=True)
class Row:
    """One name. All are plain strings, ready to show; "" is unknown."""

    group: int
    name: str
    type: str
    size: str
    value: str
    cell: str
    route: str
    when: str


@dataclass(frozen=True, slots=True)
class Table:
    """The rows in the order in which they are shown, and how many names there are of each group.

    `patterns` are those that it was asked for.
    """

    rows: tuple[Row, ...]
    counts: Mapping[int, int]
    patterns: tuple[str, ...] = ()

    @property
    def more(self) -> int:
        """How many names have no row."""
        return sum(self.counts.values()) - len(self.rows)

    @property
    def summary(self) -> str:
        """What stands below the table."""
        if not self.counts:
            return f"No name matches {' '.join(self.patterns)}" if self.patterns else "No names yet"
        data, code = (self.counts.get(group, 0) for group in Group)
        parts = [_count(data, "name")]
        if code:
            parts.append(_count(code, "module, function or class", "modules, functions and classes"))
        if ENGINE_GROUP in self.counts:
            parts.append(f"{self.counts[ENGINE_GROUP]:,} of the kernel")
        shown = f"the {len(self.rows):,} newest are shown, {self.more:,} more are not: narrow it by a pattern"
        return f"{', '.join(parts)}; {shown if self.more else 'newest first'}"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def build_table(
    names: Names,
    writers: Mapping[str, Written],
    is_engine: Callable[[str, Any], bool],
    patterns: Collection[str] = (),
    everything: bool = False,
    limit: int = LIMIT,
) -> Table:
    """Describe `names`, data first and in each group the newest first.

    Left out are those of the kernel (`is_engine`) and those that start with `_`, unless `everything` is
    asked for, or a pattern (as of `fnmatch`) starts with `_`. Each value is looked at for a moment only
    and none of its code runs; only those that are shown are measured.

    Thread: any, also while others write to `names`.
    """
    wanted = [re.compile(translate(pattern)).match for pattern in patterns]
    private = everything or any(pattern.startswith("_") for pattern in patterns)
    groups: dict[int, tuple[type, int]] = {}
    keys: list[tuple[int, int, int, str]] = []
    for position, name in enumerate(list(names)):
        if type(name) is not str or (not private and name.startswith("_")):
            continue
        if wanted and not any(matches(name) for matches in wanted):
            continue
        value = names.get(name, MISSING)
        if value is MISSING:
            continue
        if is_engine(name, value):
            if not everything:
                continue
            group = ENGINE_GROUP
        else:
            cls = type(value)
            known = groups.get(id(cls))
            if known is None:
                known = groups[id(cls)] = (cls, group_of(cls))
            group = known[1]
        del value
        keys.append((group, -writers.get(name, _UNKNOWN).order, -position, name))
    keys.sort()
    today = time.localtime()[:3]
    rows = []
    for group, _, _, name in keys[:limit]:
        rows.append(_row(group, name, names.get(name), writers.get(name, _UNKNOWN), today))
    counts: dict[int, int] = {}
    for key in keys:
        counts[key[0]] = counts.get(key[0], 0) + 1
    return Table(tuple(rows), counts, tuple(patterns))


def _row(group: int, name: str, value: Any, written: Written, today: tuple[int, ...]) -> Row:
    facts = facts_of(value)
    cell = " or ".join(written.cells)
    route = " or ".join(dict.fromkeys(_ROUTES.get(context, str(context)) for context in written.contexts))
    when = "running" if written.running else _moment(written.when, today)
    if group == ENGINE_GROUP:
        cell, route, when = "", "", ""
    elif written.later and type(value) is not DeferredCoroutine:  # the kernel itself put that there
        cell, route, when = f"after {cell}", "", ""
    return Row(group, _printable(name), _printable(facts.type), facts.size, facts.value, cell, route, when)


def _moment(when: float, today: tuple[int, ...]) -> str:
    if not when:
        return ""
    moment = time.localtime(when)
    return time.strftime("%H:%M:%S" if moment[:3] == today else "%Y-%m-%d %H:%M", moment)


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)
