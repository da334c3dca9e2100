"""The tasks of the user loop: which cell started each, and which of them failed unseen."""

from __future__ import annotations

import asyncio
from asyncio.base_subprocess import BaseSubprocessTransport
from collections.abc import Callable
from contextvars import Context, copy_context
from types import CoroutineType, FunctionType
from typing import Any

from namespace_kernel.base.asyncio_tasks import coroutine_of
from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.lines import Lines, Notices
from namespace_kernel.base.patching import Patch
from namespace_kernel.base.safe_facts import called_function
from namespace_kernel.base.started import note_start
from namespace_kernel.coroutines.deferred import DeferredCoroutine

#: How long, in seconds, a task's exception may wait to be retrieved after its cell has ended.
_RETRIEVAL_TIME = 0.05

#: What asyncio begins for a child process, and which must end: without it the process is waited for for ever.
_CONNECTS_PIPES = BaseSubprocessTransport._connect_pipes.__code__

_PACKAGE = __name__.partition(".")[0]

_STOPPED = "the user loop was stopped by user code; it is running again"


class FailedTasks(list[asyncio.Future[Any]]):
    """A cell's tasks whose exception was not retrieved while it ran."""


class LoopNews:
    """Who is told what happens on the user loop: each list holds what is called."""

    def __init__(self) -> None:
        #: In any thread, when a task is created, a cell's own or another.
        self.task_began: list[Callable[[], object]] = []
        #: With the context of a task that an async cell creates, a copy of the calling one.
        self.task_context: list[Callable[[Context], object]] = []
        #: With the cell that started a task, in the loop, when the task is done.
        self.task_ended: list[Callable[[Execution], object]] = []
        #: In the home thread, before the loop runs there.
        self.comes_home: list[Callable[[], object]] = []


class LoopTasks:
    """Implements `LoopListener`.

    `report` shows an exception that nobody retrieved, of a `"task"` or a `"callback"`; it is called in the
    context of that.
    """

    def __init__(
        self, notices: Notices, lines: Lines, report: Callable[[BaseException, str], None], news: LoopNews
    ) -> None:
        self._notices = notices
        self._lines = lines
        self._report = report
        self._news = news

    def began(self) -> None:
        """Tell of a task. Thread: any."""
        for tell in self._news.task_began:
            tell()

    def context_of_task(self) -> Context | None:
        """See `LoopListener`. Only where a cell and its tasks share a thread they must be told apart."""
        execution = current_execution.get()
        if execution is None or execution.own_task is None or execution.finished:
            return None
        context = copy_context()
        for prepare in self._news.task_context:
            prepare(context)
        return context

    def task_created(self, task: asyncio.Task[object]) -> None:
        """See `LoopListener`."""
        self.began()
        execution = current_execution.get()
        coroutine = coroutine_of(task)
        called = coroutine.__qualname__ if type(coroutine) is DeferredCoroutine else None
        note_start(task, coroutine, self._lines.is_users_file, called)
        if type(coroutine) is CoroutineType and coroutine.cr_code is _CONNECTS_PIPES:
            return
        if execution is not None and asyncio.isfuture(task):  # a factory of the user's may give anything
            execution.tasks.add(task)
            task.add_done_callback(self._done)

    def gathering_created(self, future: asyncio.Future[Any]) -> None:
        """See `LoopListener`."""
        if current_execution.get() is not None:
            future.add_done_callback(self._look_for_failure)

    def stopped(self) -> None:
        """See `LoopListener`."""
        self._notices.notice(_STOPPED)

    def _done(self, task: asyncio.Task[object]) -> None:
        execution = current_execution.get()
        if execution is not None:
            for tell in self._news.task_ended:
                tell(execution)
        self._look_for_failure(task)

    def _look_for_failure(self, task: asyncio.Future[Any]) -> None:
        execution = current_execution.get()
        # `_log_traceback` is asyncio's own note that nobody has retrieved the exception yet.
        if task.cancelled() or not getattr(task, "_log_traceback", False):
            return
        if execution is not None and not execution.finished:
            execution.keep(FailedTasks()).append(task)
        if execution is None or execution.finished:  # also if it has just ended: it may have looked already
            task.get_loop().call_later(_RETRIEVAL_TIME, self.report_failure, task)

    def report_failure(self, task: asyncio.Future[Any]) -> None:
        """Show the exception of `task` unless someone has retrieved it. Where the user has set a handler of
        his own, Python calls that when the task is let go.

        Thread: any, in the context of the cell that started the task.
        """
        handler = task.get_loop().get_exception_handler()
        if handler not in (None, self.callback_failed):
            return
        if getattr(task, "_log_traceback", False):
            error = task.exception()
            # A cancelled gather has this as its exception, and is not itself cancelled.
            if error is not None and not isinstance(error, asyncio.CancelledError):
                self._report(error, "task")

    def callback_failed(self, loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:
        """The loop's exception handler."""
        handle, error = details.get("handle"), details.get("exception")
        if isinstance(error, KeyboardInterrupt):  # of an eager task; the cell that made it ended by it
            return
        context = getattr(handle, "_context", None)
        if context is not None and error is not None:
            context.copy().run(self._report, error, "callback")  # since 3.12 we are called inside of it
        else:
            loop.default_exception_handler(details)


def _without_ours(describe: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    """What the repr of a task says, without the callbacks that the kernel has added."""

    def future_repr_info(future: Any) -> list[str]:
        info, callbacks = describe(future), future._callbacks or []
        others = [one for one in callbacks if not _is_ours(one[0])]
        if len(others) < len(callbacks):
            shown = asyncio.base_futures._format_callbacks
            place = info.index(shown(callbacks))
            info[place : place + 1] = [shown(others)] if others else []
        return info

    return future_repr_info


def _is_ours(callback: object) -> bool:
    function = called_function(callback)
    return type(function) is FunctionType and str(function.__module__).partition(".")[0] == _PACKAGE


#: asyncio shows in the repr of a task, and in its warnings, who waits for the task.
TASK_REPRS = (Patch("asyncio.base_futures", "_future_repr_info", _without_ours),)
