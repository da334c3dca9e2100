"""`%ps`, `%tasks` and `%stop`, and the same list for tools as a message on the control channel.

A cell that is only one of these lines is answered at once, whatever runs and waits.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.display import display

from namespace_kernel.base.frames import unseen
from namespace_kernel.reports.activities import Activities, Activity, age

#: So many numbers a range may have.
_MOST = 10_000
#: The longest name or line that a table shows.
_WIDTH = 60
#: How many cells, tasks, … each a table shows.
_ROWS = 200

_STOP_USAGE = (
    "say what to stop, as `%ps` lists it: `%stop 5` (a cell), `%stop task 7`, `%stop callback 7`, "
    "`%stop thread 8`, `%stop job 9`, `%stop process 1234`"
)
_TASKS_USAGE = "`%tasks` lists the tasks, `%tasks cancel N` cancels one, `%tasks cancel all` each"


@magics_class
class ActivityMagics(Magics):
    """What runs now."""

    @property
    def _kernel(self) -> Any:
        shell: Any = self.shell
        return shell.kernel

    @line_magic
    @unseen
    def ps(self, line: str) -> None:
        """List the cells, tasks, callbacks, threads and child processes that run now, and where each stands.

        `%ps -v` shows the whole stack of each.
        """
        options = line.split()
        if options not in ([], ["-v"]):
            raise UsageError("`%ps` lists what runs, `%ps -v` with whole stacks")
        self._show(self._kernel.activities.all(), "Nothing runs.", verbose=bool(options))

    @line_magic
    @unseen
    def tasks(self, line: str) -> None:
        """List the tasks that run; `%tasks cancel N …` cancels some of them, `%tasks cancel all` each."""
        words = line.split()
        activities = self._kernel.activities
        if not words:
            self._show(activities.tasks(), "No task runs.")
        elif words[0] == "cancel" and len(words) > 1:
            self._cancel_tasks(words[1:])
        else:
            raise UsageError(_TASKS_USAGE)

    @line_magic
    @unseen
    def stop(self, line: str) -> None:
        """End what `%ps` lists: `%stop 5` (a cell), `%stop task 7 9-12`, `thread 8`, `process 1234`."""
        kind, *words = line.split() or [""]
        if kind not in self._enders():
            kind, words = "cell", [kind, *words]
        numbers = _numbers_in(words)
        if not numbers or (kind == "cell" and len(words) > 1):
            raise UsageError(_STOP_USAGE)
        # Of several, some may have ended meanwhile.
        ended = [number for number in numbers if len(numbers) > 1 and self._enders()[kind](number)]
        if not ended:
            self._end(kind, numbers[0])

    def _cancel_tasks(self, numbers: list[str]) -> None:
        activities: Activities = self._kernel.activities
        if numbers == ["all"]:
            activities.cancel_tasks()
            return
        if not all(number.isdecimal() for number in numbers):
            raise UsageError(_TASKS_USAGE)
        wanted = [int(number) for number in numbers]
        cancelled = activities.cancel_tasks(wanted)
        missing = [number for number in wanted if number not in cancelled]
        if missing:
            raise UsageError(f"no task {missing[0]} runs; `%ps` lists what does")

    def _enders(self) -> dict[str, Callable[[int], bool]]:
        activities: Activities = self._kernel.activities
        return {
            "cell": self._stop_cell,
            "task": lambda number: bool(activities.cancel_tasks([number])),
            "callback": activities.stop_callback,
            "thread": activities.stop_thread,
            "job": activities.cancel_job,
            "process": activities.terminate_process,
        }

    def _end(self, kind: str, number: int) -> None:
        if self._enders()[kind](number):
            return
        if kind == "job" and any(job.number == number for job in self._kernel.activities.jobs()):
            raise UsageError(
                f"job {number} runs already, and ends by itself; only one that waits can be ended"
            )
        raise UsageError(f"no {kind} {number} runs; `%ps` lists what does")

    def _stop_cell(self, number: int) -> bool:
        kernel = self._kernel
        if kernel.background.cancel(number):
            return True
        return bool(kernel.stop_cell(lambda execution: execution.cell.number == number))

    def _show(self, listed: list[Activity], nothing: str, verbose: bool = False) -> None:
        if listed:
            shown, rest = _first_of_each_kind(listed)
            rows = [(_row(activity), activity.stack if verbose else ()) for activity in shown]
            text, table = _as_text(rows), _as_html(rows)
            data = {"text/plain": "\n".join([text, *rest]), "text/html": "<br>".join([table, *rest])}
            display(data, raw=True)
        else:
            print(nothing)


def _numbers_in(words: list[str]) -> list[int]:
    """The numbers that `words` name, also as `9-12`; none if one of them is something else."""
    numbers: list[int] = []
    for word in words:
        first, _, last = word.partition("-")
        last = last or first
        if not first.isdecimal() or not last.isdecimal() or word.endswith("-"):
            return []
        numbers += range(int(first), min(int(last), int(first) + _MOST) + 1)
    return numbers


_PLURALS = {
    "cell": "cells",
    "task": "tasks",
    "callback": "callbacks",
    "thread": "threads",
    "job": "jobs",
    "process": "processes",
}
_TITLES = ("what", "name", "from", "age", "state", "where")


def _first_of_each_kind(listed: list[Activity]) -> tuple[list[Activity], list[str]]:
    """What a table shows of `listed`, and a line for each kind of which it does not show all."""
    counts: Counter[str] = Counter()
    shown = []
    for activity in listed:
        counts[activity.kind] += 1
        if counts[activity.kind] <= _ROWS:
            shown.append(activity)
    rest = {kind: count - _ROWS for kind, count in counts.items() if count > _ROWS}
    return shown, [f"and {count} more {_PLURALS[kind]}" for kind, count in rest.items()]


#: The texts of a row, and the stack below it.
_Row = tuple[tuple[str, ...], tuple[str, ...]]


def _row(activity: Activity) -> tuple[str, ...]:
    name, line = _cut(activity.name), _cut(activity.line.removeprefix("at "))
    return (
        f"{activity.kind} {activity.number}",
        name,
        activity.cell,
        age(activity.since),
        activity.state,
        line,
    )


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _as_text(rows: list[_Row]) -> str:
    widths = [max(map(len, column)) for column in zip(_TITLES, *(row for row, _ in rows), strict=True)]
    lines = []
    for row, stack in [(_TITLES, ()), *rows]:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        lines += ["  ".join(cells).rstrip(), *(f"    {place}" for place in stack)]
    return "\n".join(lines)


def _as_html(rows: list[_Row]) -> str:
    def tagged(tag: str, texts: tuple[str, ...]) -> str:
        style = "text-align: left; vertical-align: top"
        return "".join(f'<{tag} style="{style}">{html.escape(text)}</{tag}>' for text in texts)

    lines = [f"<tr>{tagged('th', _TITLES)}</tr>"]
    for row, stack in rows:
        lines.append(f"<tr>{tagged('td', row)}</tr>")
        if stack:
            text = html.escape("\n".join(stack))
            lines.append(f'<tr><td></td><td colspan="5" style="text-align: left"><pre>{text}</pre></td></tr>')
    return f"<table>{''.join(lines)}</table>"
