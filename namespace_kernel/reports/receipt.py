"""The cell receipt: one quiet line under a cell that left something behind, and the details behind it.

It is a display of its own, with one display id per cell, and is updated in place: when a task that
the cell started has ended, its receipt says so. A cell that left nothing has none.
"""

from __future__ import annotations

import html
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from namespace_kernel.base.execution import Execution
from namespace_kernel.base.threads import Timers

#: Seconds in which several changes of one receipt become one update.
UPDATE_TIME = 0.1

_STYLE = "color: var(--jp-ui-font-color2, #616161); font-size: 90%"
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


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that a cell left behind: in a sentence, in a few words, and what more there is to know."""

    sentence: str
    summary: str
    details: tuple[str, ...] = ()


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

    `reports` tells whether the user wants to see a kind.

    Thread: any.
    """

    def __init__(self, publish: Publish, reports: Callable[[Kind], bool], timers: Timers) -> None:
        self._publish = publish
        self._reports = reports
        self.timers = timers
        self._lock = threading.RLock()

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
            data = {"text/plain": as_text(remarks), "text/html": as_html(remarks)} if remarks else {}
            if data and data != receipt.shown:
                update, receipt.shown = bool(receipt.shown), data
                execution.at_home(self._publish, receipt.display_id, data, update)

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
    """One line that folds out to the details."""
    alone = len(remarks) == 1
    line = remarks[0].sentence if alone else " · ".join(remark.summary for remark in remarks)
    details: list[str] = []
    for remark in remarks:
        details += [*(() if alone else (remark.sentence,)), *remark.details]
    if not details:
        return f'<div style="{_STYLE}">{_marked(line)}</div>'
    items = "".join(f"<li>{_marked(detail)}</li>" for detail in details)
    return (
        f'<details style="{_STYLE}"><summary>{_marked(line)}</summary>'
        f'<ul style="margin: 0.2em 0">{items}</ul></details>'
    )


def _marked(text: str) -> str:
    """HTML of `text`, whose parts in backticks are code."""
    return _CODE.sub(r"<code>\1</code>", html.escape(text))


def one_of(things: list[Any], singular: str, plural: str) -> str:
    """`"1 task"`, `"3 tasks"`."""
    return f"{len(things)} {singular if len(things) == 1 else plural}"
