"""The cell receipt: one quiet line under a cell that left something behind, and the details behind it.

It is a display of its own, with one display id per cell, and is updated in place: when a task that
the cell started has ended, its receipt says so. A cell that left nothing has none.
"""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from namespace_kernel.base.execution import Execution
from namespace_kernel.base.threads import RLock, Timers

#: Seconds in which several changes of one receipt become one update.
UPDATE_TIME = 0.1

_STYLE = "color: var(--jp-ui-font-color2, #616161); font-size: 90%"
_TABLE = "border-collapse: collapse; margin: 0.2em 0 0.2em 1em; font-size: inherit; color: inherit"
_CELL = "text-align: left; padding: 0.1em 1.5em 0.1em 0; border: none; max-width: none"
#: So long are names, places and commands, which are not broken.
_SHORT = 28
_CODE = re.compile(r"`([^`]*)`")


class Kind(StrEnum):
    """What can be left behind."""

    COROUTINES = "coroutines"
    TASKS = "tasks"
    THREADS = "threads"
    ENGINE_NAMES = "engine_names"
    BLOCKING = "blocking"
    CONFLICTS = "conflicts"
    STAYED = "stayed"
    IDLE_LOOPS = "idle_loops"


Row: TypeAlias = tuple[str, str, str, str]


class Remark(NamedTuple):
    """One thing that a cell left behind: in a sentence, in a few words, and in a table.

    A row of the table says what, where it comes from, what more there is to know, and how to end it. With
    other remarks beside it the table has a `title`.
    """

    sentence: str
    summary: str
    title: str = ""
    rows: tuple[Row, ...] = ()
    #: Whether it is of something that still runs; and whether nothing is lost by telling it later.
    runs: bool = False
    can_wait: bool = False


#: Makes the remark anew each time the receipt is shown; `None` if there is nothing to say.
Source = Callable[[], Remark | None]
#: Shows mime data under the id given; `True` to update what is shown under it. Called at the cell's home.
Publish = Callable[[str, dict[str, str], bool], None]


class _Receipt:
    def __init__(self) -> None:
        self.display_id = f"receipt-{uuid.uuid4().hex}"
        self.sources: dict[tuple[Kind, object], Source] = {}
        self.shown: dict[str, str] = {}
        self.due = False


class Receipts:
    """The receipts of all cells; each is kept by its `Execution`.

    `reports` tells whether the user wants to see a kind; `stays`, in a cell's context, whether its client
    shows what comes after the cell's end.

    Thread: any.
    """

    def __init__(
        self,
        publish: Publish,
        reports: Callable[[Kind], bool],
        timers: Timers,
        stays: Callable[[], bool] = lambda: True,
    ) -> None:
        self._publish = publish
        self._stays = stays
        self._reports = reports
        self.timers = timers
        self._lock = RLock()

    def note(self, execution: Execution, kind: Kind, source: Source, key: object = None) -> None:
        """Let the receipt say what `source` returns; one with the same kind and key is replaced.

        It is shown by `show`, at the end of the cell, or soon after if that is over.
        """
        with self._lock:
            receipt = execution.keep(_Receipt())
            receipt.sources[kind, key] = source
        if execution.settled:
            self.refresh(execution)

    def show(self, execution: Execution) -> None:
        """Display what there is to say, or bring what is displayed up to date."""
        if execution.find(_Receipt) is None or execution.cell.silent:
            return
        with self._lock:
            receipt = execution.keep(_Receipt())
            receipt.due = False
            sources = receipt.sources.copy()
            wanted = [source for (kind, _), source in sources.items() if self._reports(kind)]
            remarks = [remark for source in wanted if (remark := source()) is not None]
            if not receipt.shown and self._would_split(execution, remarks):
                return
            data = {"text/plain": as_text(remarks), "text/html": as_html(remarks)} if remarks else {}
            if data and data != receipt.shown:
                update, receipt.shown = bool(receipt.shown), data
                execution.at_home(self._publish, receipt.display_id, data, update)

    def _would_split(self, execution: Execution, remarks: list[Remark]) -> bool:
        """Whether it would come between the lines of something that prints, and can wait for its end."""
        runs = any(remark.runs for remark in remarks) and all(remark.can_wait for remark in remarks)
        return runs and execution.others_print and execution.at_home(self._stays)

    def refresh(self, execution: Execution) -> None:
        """Show it again soon, if the cell has ended and has a receipt."""
        with self._lock:
            receipt = execution.find(_Receipt)
            if receipt is None or not execution.settled or receipt.due:
                return
            receipt.due = True
        self.timers.call_later(UPDATE_TIME, lambda: self.show(execution))


def as_text(remarks: list[Remark]) -> str:
    """One line for each remark."""
    return "\n".join(remark.sentence for remark in remarks)


def as_html(remarks: list[Remark]) -> str:
    """One line that folds out to a table: a group for each remark, a row for each distinct thing."""
    alone = remarks[0] if len(remarks) == 1 else None
    if alone is None:
        line, rows = " · ".join(remark.summary for remark in remarks), _groups(remarks)
    elif len(alone.rows) == 1:  # the line says already what it is, and where it comes from
        line, rows = alone.sentence, [_line("td", " ".join(filter(None, alone.rows[0][2:])))]
        rows = rows if any(alone.rows[0][2:]) else []
    else:
        line, rows = alone.sentence, [_line("td", *row) for row in alone.rows]
    if not rows:
        return f'<div style="{_STYLE}">{_marked(line)}</div>'
    if any(row[3] for remark in remarks for row in remark.rows):
        rows.append(_line("td", "`%ps` lists what runs now"))
    return (
        f'<details style="{_STYLE}"><summary>{_marked(line)}</summary>'
        f'<table style="{_TABLE}">{"".join(rows)}</table></details>'
    )


def _groups(remarks: list[Remark]) -> list[str]:
    rows = []
    for remark in remarks:
        if remark.rows:
            rows += [_line("th", remark.title), *(_line("td", *row) for row in remark.rows)]
        else:
            rows.append(_line("td", remark.sentence))
    return rows


def _line(tag: str, *texts: str) -> str:
    """A row of the table. One text alone goes across it."""
    across = ' colspan="4"' if len(texts) == 1 else ""
    styles = [_CELL + ("; white-space: nowrap" if len(text) <= _SHORT else "") for text in texts]
    cells = "".join(
        f'<{tag}{across} style="{style}">{_marked(text)}</{tag}>'
        for text, style in zip(texts, styles, strict=True)
    )
    return f'<tr style="background: none">{cells}</tr>'


def _marked(text: str) -> str:
    """HTML of `text`, whose parts in backticks are code."""
    return _CODE.sub(r"<code>\1</code>", html.escape(text))


def one_of(things: list[Any], singular: str, plural: str) -> str:
    """`"1 task"`, `"3 tasks"`."""
    return f"{len(things)} {singular if len(things) == 1 else plural}"
