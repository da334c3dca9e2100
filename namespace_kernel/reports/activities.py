"""What runs now: cells, tasks, callbacks, threads, jobs of pools, child processes; how to end one of them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from threading import get_ident
from types import FrameType
from typing import Any

from namespace_kernel.attribution.child_processes import ChildProcesses
from namespace_kernel.base.asyncio_tasks import all_tasks_of, coroutine_of, executes, frames_of, snapshot
from namespace_kernel.base.cell import Context
from namespace_kernel.base.execution import Execution
from namespace_kernel.base.frames import argument_of
from namespace_kernel.base.lines import Lines
from namespace_kernel.base.safe_facts import callable_facts
from namespace_kernel.base.started import Started, started_of
from namespace_kernel.base.threads import frames_of_threads, ident_of, thread_name
from namespace_kernel.execution.stop.thread_stop import raiser_in
from namespace_kernel.execution.user_loop.user_loop import UserLoop

#: Seconds after which the loop should have cancelled a task.
_PATIENCE = 0.3


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing that runs.

    `kind` and `number` name it; a process's number is its pid. `cell` is the cell that started it, `""` if
    none did. `since` is `time.time()`, 0 where nobody noted it. `line` is the innermost line of the user's
    code that it executes or waits at, `stack` all lines from the first of the user's on, outermost first.
    """

    kind: str
    number: int
    name: str
    cell: str
    since: float
    state: str
    line: str = ""
    stack: tuple[str, ...] = ()


class Activities:
    """Finds them. `running` are the executions of cells; `jobs` those of thread pools.

    Nothing of the user's is called, so it answers whatever runs. Thread: any.
    """

    def __init__(
        self,
        running: Iterable[Execution],
        user_loop: UserLoop,
        children: ChildProcesses,
        lines: Lines,
        jobs: Iterable[Future[Any]],
    ) -> None:
        self._jobs = jobs
        self._running = running
        self._user_loop, self._loop = user_loop, user_loop.loop
        self._children = children
        self._lines = lines

    def all(self) -> list[Activity]:
        """Everything that runs, the calling thread's own cell aside; each kind oldest first."""
        loops = [*self.tasks(), *self.callbacks()]
        return [*self.cells(), *loops, *self.threads(), *self.jobs(), *self.processes()]

    def cells(self) -> list[Activity]:
        """The cells."""
        own = get_ident()
        others = [execution for execution in snapshot(self._running) if execution.thread_ident != own]
        return [self._cell(execution) for execution in sorted(others, key=lambda one: one.since)]

    def tasks(self) -> list[Activity]:
        """The tasks of the user loop that are not done."""
        found = [
            self._started("task", started, started.name, _state_of(task), self._frames_of_task(task))
            for task in all_tasks_of(self._loop)
            if not task.done() and (started := started_of(task)) is not None
        ]
        return sorted(found, key=lambda one: one.number)

    def callbacks(self) -> list[Activity]:
        """The callback of a cell's that keeps the loop while no cell awaits, if one does; its number is the
        loop's turn.
        """
        turn, found = self._loop.turns, self._user_loop.callback()
        if found is None:
            return []
        frame, execution = found
        called = self._called_by(frame)
        if called:
            first = next(filter(self._is_users, called), called[0])
            name = first.f_code.co_qualname.rpartition("<locals>.")[2]
        else:  # C's
            name, _ = callable_facts(getattr(argument_of(frame, "self"), "_callback", None))
        cell = execution.cell.execution_id
        return [self._activity("callback", turn, f"{name}()", cell, 0.0, "runs", called)]

    def threads(self) -> list[Activity]:
        """The threads that cells started."""
        frames = frames_of_threads()
        found = []
        for thread in threading.enumerate():
            started = started_of(thread)
            if started is not None:
                stack = _outwards(frames.get(ident_of(thread) or 0))
                found.append(self._started("thread", started, thread_name(thread), "runs", stack))
        del frames
        return sorted(found, key=lambda one: one.number)

    def jobs(self) -> list[Activity]:
        """The jobs that cells submitted to thread pools and that are not done."""
        frames = frames_of_threads()
        found = [
            self._started(
                "job",
                started,
                started.name,
                "runs" if job.running() else "waits",
                _outwards(frames.get(started.thread_ident)) if job.running() else [],
            )
            for job in snapshot(self._jobs)
            if not job.done() and (started := started_of(job)) is not None
        ]
        del frames
        return sorted(found, key=lambda one: one.number)

    def processes(self) -> list[Activity]:
        """The child processes, and theirs."""
        return sorted(self._processes(), key=lambda one: one.since)

    def _processes(self) -> Iterator[Activity]:
        import psutil  # takes time, which a start does not need to spend

        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                name = " ".join(process.cmdline()) or process.name()
                started = process.create_time()
                cell = self._children.cell_of(process.pid)
                yield Activity("process", process.pid, name, cell, started, process.status())

    def _cell(self, execution: Execution) -> Activity:
        if execution.own_task is not None:
            frames = self._frames_of_task(execution.own_task)
        else:
            frames = _outwards(frames_of_threads().get(execution.thread_ident))
        cell, name = execution.cell, execution.cell.code.strip().partition("\n")[0]
        state = Context.BACKGROUND if cell.background else execution.route.context
        return self._activity("cell", cell.number, name, cell.execution_id, execution.since, state, frames)

    def _started(
        self, kind: str, started: Started, name: str, state: str, frames: list[FrameType]
    ) -> Activity:
        execution = started.execution
        cell = "" if execution is None else execution.cell.execution_id
        return self._activity(kind, started.number, name, cell, started.since, state, frames)

    def _activity(
        self,
        kind: str,
        number: int,
        name: str,
        cell: str,
        since: float,
        state: str,
        frames: list[FrameType],
    ) -> Activity:
        users = [number for number, frame in enumerate(frames) if self._is_users(frame)]
        stack = tuple(self._lines.describe_line(frame) for frame in frames[users[0] if users else 0 :])
        line = self._lines.describe_line(frames[users[-1]]) if users else ""
        return Activity(kind, number, name, cell, since, state, line, stack)

    def _is_users(self, frame: FrameType) -> bool:
        return self._lines.is_users_file(frame.f_code.co_filename)

    def _frames_of_task(self, task: Any) -> list[FrameType]:
        """Where `task` waits; or, if it executes, all that it has called."""
        frames = frames_of(coroutine_of(task))
        return [*frames, *self._called_by(frames[-1])] if frames else frames

    def _called_by(self, frame: FrameType) -> list[FrameType]:
        """What `frame` has called, if the thread that runs the loop executes it, outermost first."""
        frames = _outwards(frames_of_threads().get(self._loop.owner or 0))
        return frames[frames.index(frame) + 1 :] if frame in frames else []

    # Ending one

    def cancel_tasks(self, numbers: Iterable[int] | None = None) -> set[int]:
        """Cancel the running tasks of these numbers, or all; return the numbers of those that there were.

        One that blocks the loop is never cancelled: it gets `KeyboardInterrupt` a moment later.
        """
        wanted = None if numbers is None else set(numbers)
        found = {}
        turn = self._loop.turns
        for task in all_tasks_of(self._loop):
            started = started_of(task)
            if started is not None and (wanted is None or started.number in wanted):
                found[started.number] = task
                self._loop.call_soon_threadsafe(task.cancel)
        until = time.monotonic() + _PATIENCE
        while found and self._loop.owner != get_ident() and self._loop.turns == turn:
            if time.monotonic() > until:
                self._user_loop.end_step(found.values(), turn)
                break
            time.sleep(_PATIENCE / 30)
        return set(found)

    def stop_callback(self, number: int) -> bool:
        """Raise `KeyboardInterrupt` in the callback that keeps the loop, as in a thread; whether it is that
        of this number.
        """
        return self._user_loop.end_callback(number)

    def stop_thread(self, number: int) -> bool:
        """Raise `KeyboardInterrupt` in a thread that a cell started; whether there is one.

        It is raised between two bytecodes: a call that blocks in C ends by itself first.
        """
        thread = next((one for one in threading.enumerate() if _has_number(one, number)), None)
        if thread is not None:
            raiser_in(ident_of(thread) or 0)()
        return thread is not None

    def cancel_job(self, number: int) -> bool:
        """Cancel a thread pool's job that has not begun; whether there is one."""
        return any(job.cancel() for job in snapshot(self._jobs) if _has_number(job, number))

    def terminate_process(self, pid: int) -> bool:
        """Ask a child process to end (SIGTERM); whether there is one."""
        import psutil

        for process in psutil.Process().children(recursive=True):
            if process.pid == pid:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.terminate()
                return True
        return False


def age(since: float) -> str:
    """The time from `since` till now, in words: `"0.5 s"`, `"3 min"`, `"2 h 5 min"`; "" if it is 0."""
    if not since:
        return ""
    seconds = max(0.0, time.time() - since)
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _has_number(thing: Any, number: int) -> bool:
    started = started_of(thing)
    return started is not None and started.number == number


def _state_of(task: Any) -> str:
    if task.cancelling():
        return "is being cancelled"
    return "runs" if executes(coroutine_of(task)) else "waits"


def _outwards(frame: FrameType | None) -> list[FrameType]:
    """`frame` and its callers, outermost first."""
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]
