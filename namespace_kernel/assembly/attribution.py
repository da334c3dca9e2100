"""What is a cell's: the coroutines that it makes, and the output of what it starts."""

from __future__ import annotations

from types import FrameType
from typing import NamedTuple

from namespace_kernel.attribution.child_processes import ChildProcesses
from namespace_kernel.attribution.inheritance import Inheritance
from namespace_kernel.attribution.redirects import Redirects
from namespace_kernel.base.execution import Execution
from namespace_kernel.base.lines import Leak
from namespace_kernel.base.started import execution_in
from namespace_kernel.coroutines.never_awaited import NeverAwaitedHook
from namespace_kernel.coroutines.origins import Origins, OriginTracking
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.kernel.wire.stdout import CellStream
from namespace_kernel.reports.remarks import CellReceipts

from .ground import Ground


class Coroutines(NamedTuple):
    """Where coroutines come from, and which of them nobody awaits."""

    tracking: OriginTracking
    origins: Origins
    never_awaited: NeverAwaitedHook


class Attribution(NamedTuple):
    """Whose output it is."""

    inheritance: Inheritance
    redirects: Redirects
    children: ChildProcesses


def build_coroutines(ground: Ground, user_loop: UserLoop, receipts: CellReceipts) -> Coroutines:
    """What finds the coroutines that nobody awaits. Thread: main."""

    def take(leak: Leak, frame: FrameType | None) -> bool:
        """A coroutine went away in the calling context, in `frame`."""
        execution = execution_in(frame)
        if execution is not None:
            receipts.leaked(execution.owner or execution, leak)
        return execution is not None

    tracking = OriginTracking(lambda: user_loop.loop.call_soon_threadsafe(tracking.apply))
    user_loop.news.comes_home.append(tracking.apply)
    user_loop.news.task_ended.append(receipts.refresh)
    user_loop.news.task_context.append(ground.kernel.streams.mark_as_started)
    origins = Origins(tracking, ground.kernel.namespace.look_up, ground.kernel.shell)
    return Coroutines(tracking, origins, NeverAwaitedHook(origins.leak_of, take))


def build_attribution(ground: Ground, tracking: OriginTracking, receipts: CellReceipts) -> Attribution:
    """What leads the output of threads, children and redirections to their cell. Thread: main."""
    kernel = ground.kernel

    def thread_began() -> None:
        """A thread or a job of a cell begins. Thread: it."""
        tracking.apply()
        kernel.streams.mark_as_started()

    def thread_ended(execution: Execution) -> None:
        """A thread or a job that a cell started is over. Thread: it."""
        kernel.forked.end_if_child()
        receipts.refresh(execution)

    inheritance = Inheritance(
        kernel.parents.variables(),
        kernel.parents.threads_inherit,
        kernel.shell.is_users_file,
        thread_ended,
        thread_began,
    )
    redirects = Redirects(lambda stream: issubclass(type(stream), CellStream), CellStream.direct)
    return Attribution(inheritance, redirects, ChildProcesses(kernel.streams.take_in))
