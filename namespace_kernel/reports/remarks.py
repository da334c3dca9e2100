"""What a cell leaves behind: the post-cell hooks that find it, and the words for it."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sized
from typing import Any

from namespace_kernel.base.asyncio_tasks import coroutine_of, frames_of, snapshot
from namespace_kernel.base.cell import CellChanges
from namespace_kernel.base.execution import Execution
from namespace_kernel.base.lines import Leak, Lines, ToldCalls
from namespace_kernel.base.started import Started, started_of
from namespace_kernel.base.threads import Timers, is_alive, is_daemon, thread_name
from namespace_kernel.base.words import ranges_of
from namespace_kernel.execution.hooks import describe_leaks
from namespace_kernel.namespace.assignments import plainly_assigned
from namespace_kernel.remote.executor import ElsewhereCall

from .receipt import UPDATE_TIME, Kind, Publish, Receipts, Remark, one_of

#: How many names a sentence lists, and rows a table.
_NAMED = 5
_RUNS = "runs"

_PURPOSES = {
    "_": "the last result",
    "__": "the last result but one",
    "___": "the last result but two",
    "_exit_code": "the exit code of the last command",
    "_exception": "the last cell's exception",
}


class CellReceipts(Receipts):
    """The receipts, with what the kernel has to say on them.

    Thread: any.
    """

    def __init__(
        self,
        publish: Publish,
        reports: Callable[[Kind], bool],
        timers: Timers,
        lines: Lines,
        stays: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(publish, reports, timers, stays)
        self._lines = lines
        #: Cells for which `collect` will be called.
        self._due: set[Execution] = set()

    # Coroutines

    def coroutines(self, execution: Execution, leaks: Iterable[Leak]) -> None:
        """Note coroutines that were never awaited and are closed. What the traceback tells is not repeated.

        Thread: any.
        """
        told = execution.find(ToldCalls) or ToldCalls()
        leaks = [leak for leak in leaks if not told.has(leak)]
        if not leaks:
            return
        with self._lock:
            counts = execution.keep(_Closed())
            counts.update(leaks)

        def remark() -> Remark:
            found = counts.copy()
            sentences = execution.at_home(describe_leaks, found, self._lines.place_of)
            count = one_of(list(found.elements()), "call", "calls")
            return Remark("\n".join(sentences), f"{count} without `await`")

        self.note(execution, Kind.COROUTINES, remark)

    def leaked(self, execution: Execution, leak: Leak) -> None:
        """Note a coroutine that went away in the code of `execution`, perhaps long after its cell.

        Thread: any, and anywhere: the garbage collector may call it. So it takes no lock.
        """
        execution.keep(_Leaks()).append(leak)
        if execution.settled and execution not in self._due:
            self._due.add(execution)
            self.timers.call_later(UPDATE_TIME, lambda: self.collect(execution))

    def collect(self, execution: Execution) -> None:
        """Note what went away in the code of `execution` and is not noted yet, if anything did."""
        self._due.discard(execution)
        with self._lock:
            leaks = taken_from(execution)
        if leaks:
            self.coroutines(execution, leaks)
            self.show(execution)

    # Tasks and threads

    def tasks(self, execution: Execution) -> None:
        """Note the tasks that the cell started and that still run."""
        self._running(execution, Kind.TASKS, execution.tasks, "task", _name_of, self._describe_task)

    def threads(self, execution: Execution) -> None:
        """Note the threads that the cell started and that still run."""
        self._running(execution, Kind.THREADS, execution.threads, "thread", thread_name, _describe_thread)

    def jobs(self, execution: Execution) -> None:
        """Note the jobs that the cell submitted to thread pools and that are not done."""
        self._running(execution, Kind.THREADS, execution.jobs, "job", _name_of, _describe_job)

    def _running(
        self,
        execution: Execution,
        kind: Kind,
        things: Iterable[Any],
        what: str,
        name_of: Callable[[Any], str],
        describe: Callable[[Any], str],
    ) -> None:
        def named(running: Iterable[tuple[Any, Started]]) -> list[tuple[str, str]]:
            return [(f"`{name_of(thing)}`", self._place(execution, started)) for thing, started in running]

        shown = False

        def remark() -> Remark | None:
            nonlocal shown
            running = _running_of_the_user(things)
            if not running:
                return _ended(names, what) if shown else None
            if not shown and len(running) < len(names):  # it ended before it was told
                names[:] = named(running)
            shown = True
            summary = f"{one_of(names, what, what + 's')} still ran when the cell ended"
            ended = len(names) - len(running)
            since = f". {ended} {'has' if ended == 1 else 'have'} ended since" if ended > 0 else ""
            groups: dict[tuple[str, str, str], list[int]] = {}
            for (thing, started), (name, place) in zip(running, named(running), strict=True):
                groups.setdefault((name, place, describe(thing)), []).append(started.number)
            rows = [
                (_times(name, ns), place, state, _ending(what, state, ns))
                for (name, place, state), ns in groups.items()
            ]
            sentence, title = f"{summary}: {_list(names)}{since}", f"{what}s".capitalize()
            return Remark(sentence, summary, title, tuple(rows[:_NAMED]), runs=True, can_wait=True)

        names = named(_running_of_the_user(things))
        if names:
            self.note(execution, kind, remark, what)

    def _place(self, execution: Execution, started: Started) -> str:
        assert started.place is not None
        return execution.at_home(self._lines.place_of, started.place)

    def _describe_task(self, task: Any) -> str:
        frames = frames_of(coroutine_of(task))
        users = [frame for frame in frames if self._lines.is_users_file(frame.f_code.co_filename)]
        if not frames:
            return ""
        place, _, code = self._lines.describe_frame((users or frames)[-1]).partition(": ")
        return f"{place}: `{code}`" if code else place

    # Engine names

    def engine_names(self, execution: Execution, overwritten: frozenset[str]) -> None:
        """Note the engine's names that the cell plainly assigned, and that are right again."""
        names = sorted(overwritten & plainly_assigned(execution.route.source)) if overwritten else []
        if names:
            *others, last = [f"`{name}`" for name in names]
            quoted = f"{', '.join(others)} and {last}" if others else last
            purpose = _PURPOSES.get(names[0], "IPython") if not others else "the kernel"
            discarded = "your value was" if not others else "your values were"
            verb = "are" if others else "is"
            rows = [(f"`{name}`", f"is for {_PURPOSES.get(name, 'IPython')}", "", "") for name in names]
            remark = Remark(
                f"{quoted} {verb} reserved for {purpose}; {discarded} discarded",
                f"{quoted} {verb} reserved",
                "Names",
                tuple(rows) if others else (),
            )
            self.note(execution, Kind.ENGINE_NAMES, lambda: remark)

    def conflicts(self, execution: Execution, changes: CellChanges) -> None:
        """Note the names that another cell wrote as well while this one ran."""
        if changes.contested:
            named = [f"`{name}` ({cell})" for name, cell in sorted(changes.contested.items())]
            if execution.find(ElsewhereCall) is None:
                end = "the last write counts"
            elif changes.yielded:
                end = "theirs is kept (NamespaceKernel.conflicts_keep)"
            else:
                end = f"what {execution.cell.execution_id} computed is kept"
            remark = Remark(
                f"while this cell ran another one wrote the same: {_list(named)}; {end}",
                one_of(named, "name was", "names were") + " written by another cell, too",
            )
            self.note(execution, Kind.CONFLICTS, lambda: remark)

    def stayed(self, execution: Execution, call: ElsewhereCall) -> None:
        """Note what did not come back: large results, and what `with` or `for` bound and cannot travel."""
        if call.kept:
            names = [f"`{name}`" if name else "the result" for name in sorted(call.kept)]
            size = f"{call.kept_size / 2**20:.1f} MiB"
            large = Remark(
                f"on the cluster ({size}): {_list(names)}; `.result()` brings it here",
                one_of(names, "result stays", "results stay") + " on the cluster",
                "Results",
                (("a Dask future stands for each", "", "", ""),),
            )
            self.note(execution, Kind.STAYED, lambda: large, "cluster")
        if call.stayed:
            named = [f"`{name}` ({why})" for name, why in sorted(call.stayed.items())]
            remark = Remark(
                f"not copied back: {_list(named)}",
                one_of(named, "name was", "names were") + " not copied back",
            )
            self.note(execution, Kind.STAYED, lambda: remark)


class _Closed(Counter[Leak]):
    """How many coroutines of each kind are noted of a cell."""


class _Leaks(list[Leak]):
    """Coroutines that went away in a cell's code and are not reported yet."""


def taken_from(execution: Execution) -> list[Leak]:
    """The leaks of `execution` that nobody has taken yet. Other threads add to them meanwhile."""
    leaks = execution.find(_Leaks)
    if leaks is None:
        return []
    taken = leaks[:]
    del leaks[: len(taken)]
    return taken


def _running_of_the_user(things: Iterable[Any]) -> list[tuple[Any, Started]]:
    """Those that still run and that the user's code started, with their records, oldest first."""
    found = []
    for thing in snapshot(things):
        started = started_of(thing)
        runs = is_alive(thing) if _is_thread(thing) else not thing.done()
        if runs and started is not None and started.place is not None and not _is_ending(thing):
            found.append((thing, started))
    return sorted(found, key=lambda entry: entry[1].number)


def _is_ending(thing: Any) -> bool:
    """Whether it is a task that has been cancelled and has not yet had its turn."""
    return issubclass(type(thing), asyncio.Task) and bool(thing.cancelling())


def _is_thread(thing: object) -> bool:
    return issubclass(type(thing), threading.Thread)


def _describe_thread(thread: threading.Thread) -> str:
    return "ends with the kernel" if is_daemon(thread) else "keeps the process alive while it runs"


def _describe_job(job: Any) -> str:
    return _RUNS if job.running() else "waits for a thread"


def _name_of(task: Any) -> str:
    started = started_of(task)
    return "" if started is None else started.name


def _ended(names: list[tuple[str, str]], what: str) -> Remark:
    summary = f"{one_of(names, what, what + 's')} ended after the cell"
    return Remark(f"{summary}: {_list(names)}", summary, can_wait=True)


def _list(names: Iterable[tuple[str, str] | str]) -> str:
    """Each distinct name once, with how often it is there."""
    counts = Counter(names)
    listed = [
        _times(name, range(count)) if isinstance(name, str) else f"{_times(name[0], range(count))}, {name[1]}"
        for name, count in list(counts.items())[:_NAMED]
    ]
    rest = sum(list(counts.values())[_NAMED:])
    return "; ".join(listed) + (f"; and {rest} more" if rest else "")


def _times(name: str, of: Sized) -> str:
    return name if len(of) == 1 else f"{name} ({len(of)} times)"


def _ending(what: str, state: str, numbers: list[int]) -> str:
    """The command that ends them."""
    if state == _RUNS:  # a job of a pool, which nothing can end
        return ""
    return f"`%stop {what} {ranges_of(numbers)}`"
