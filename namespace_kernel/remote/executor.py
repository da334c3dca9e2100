"""Cells that run elsewhere: sent there, listened to, stopped. Where that is, is the site's business."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context as ContextVars
from typing import TYPE_CHECKING, Protocol

from namespace_kernel.base.cell import Outcome
from namespace_kernel.base.errors import WorkerLostError
from namespace_kernel.base.execution import Execution
from namespace_kernel.base.originals import monotonic
from namespace_kernel.execution.executor import Body, Interrupts
from namespace_kernel.execution.plain_cells import run_to_end
from namespace_kernel.execution.stop.registry import SideCells

if TYPE_CHECKING:  # imported when a cell goes elsewhere, not when a kernel starts
    from mmap import mmap

    from namespace_kernel.remote.memory.regions import Region
    from namespace_kernel.remote.transfer.messages import CellRequest, Event, Lost, Report
    from namespace_kernel.remote.transfer.packing import Buffer, Piece

#: Seconds that a cell's own code gets to end after Stop, before the worker is ended.
GRACE = 3.0


class RemoteRun(Protocol):
    """One cell that runs elsewhere.

    Thread: the cell's; `wake` any, also a signal handler.
    """

    def next_message(self, timeout: float | None = None) -> Event | Report | Lost | None:
        """What it says next, until `done_with_message`; `None` after `timeout` seconds or if woken."""

    def done_with_message(self) -> None:
        """Go on to the next message."""

    def wake(self) -> None:
        """Let `next_message` return."""

    def interrupt(self) -> None:
        """Raise `KeyboardInterrupt` in the cell."""

    def end(self, whole: bool) -> None:
        """No more of it is wanted. Unless it is `whole`, what it runs in must be ended."""


class Site(Protocol):
    """A place where cells run. `place` is how messages call it; `is_here` says that it is this machine."""

    place: str
    is_here: bool

    def share(self, raw: memoryview) -> Buffer | Region:
        """What travels there for a buffer that a cell reads: itself, or memory with the same content."""

    def map(self, region: Region) -> mmap:
        """Memory with the content of a region that has come from there."""

    def start(self, request: CellRequest, pieces: Iterable[Piece]) -> RemoteRun:
        """Begin to run a cell. Raises an `ElsewhereError` if that is impossible."""


class ElsewhereCall:
    """What the engine calls to have a cell's code run, from the cell's thread.

    Thread: the cell's; `stop` any, also a signal handler.
    """

    def __init__(self, site: Site, packed: Callable[[], object] = lambda: None) -> None:
        self.site = site
        #: Called when what the cell reads has been packed, and belongs to nobody else.
        self.packed = packed
        #: By name, why a variable that `with` or `for` bound there does not come back.
        self.stayed: Mapping[str, str] = {}
        #: Results that stay on the cluster (the cell's last value is ""), and how many bytes that is.
        self.kept: Collection[str] = ()
        self.kept_size = 0
        self._stops = 0
        self._run: RemoteRun | None = None

    def stop(self) -> None:
        """Stop the cell; a second time, end what it runs in at once."""
        self._stops += 1
        if self._run is not None:
            self._run.wake()

    def run(self, request: CellRequest, pieces: Iterable[Piece], show: Callable[[Event], None]) -> Report:
        """Run the cell there and `show` what it says meanwhile; return its report.

        Raises `WorkerLostError` if that never comes, `KeyboardInterrupt` if the cell had to be killed.
        """
        if self._stops:
            raise KeyboardInterrupt
        self._run = run = self.site.start(request, pieces)
        whole = False
        try:
            report = self._listen(run, show)
            whole = True
            return report
        finally:
            run.end(whole)

    def _listen(self, run: RemoteRun, show: Callable[[Event], None]) -> Report:
        from namespace_kernel.remote.transfer.messages import Lost, Printed, Report

        until: float | None = None
        while True:
            if self._stops > 1 or (until is not None and monotonic() >= until):
                show(Printed("stderr", f"namespace_kernel: {_KILLED}\n"))
                raise KeyboardInterrupt
            if self._stops and until is None:
                until = monotonic() + GRACE
                run.interrupt()
            message = run.next_message(None if until is None else max(0.0, until - monotonic()))
            if message is None:
                continue
            if isinstance(message, Lost):
                raise WorkerLostError(_LOST.format(why=message.why))
            if not isinstance(message, Report):
                show(message)
            run.done_with_message()
            if isinstance(message, Report):
                return message


_KILLED = "the cell did not end by itself, so its worker was ended"
_LOST = "the worker that ran this cell {why}. Nothing was merged; the next cell gets another worker"


class ElsewhereExecutor:
    """Lets a cell's engine run the code at `site`.

    `stoppable(execution, stop)` is entered while the cell runs: then Stop calls `stop`. `packed` is called
    when all that the cell reads has been copied.

    Guarantees: no line of the cell runs here; while it runs there, Stop only leaves a note here.

    Thread: main for the foreground, a lane's worker for others.
    """

    def __init__(
        self,
        site: Site,
        context: ContextVars,
        stoppable: Callable[[Execution, Callable[[], None]], AbstractContextManager[None]],
        packed: Callable[[Execution], object] = lambda execution: None,
    ) -> None:
        self._packed = packed
        self._site = site
        self._context = context
        self._stoppable = stoppable

    async def run(self, execution: Execution, body: Body) -> Outcome:
        """See `Executor.run`."""
        execution.begin(self._context)
        call = execution.keep(ElsewhereCall(self._site, lambda: self._packed(execution)))
        try:
            with self._stoppable(execution, call.stop):
                return self._context.run(run_to_end, execution, body)
        finally:
            execution.finished = True
            body.close()


def in_foreground(
    interrupts: Interrupts,
) -> Callable[[Execution, Callable[[], None]], AbstractContextManager[None]]:
    """For `ElsewhereExecutor`: Stop is SIGINT on the main thread."""
    return lambda execution, stop: interrupts.calling(stop)


def beside(
    side_cells: SideCells,
) -> Callable[[Execution, Callable[[], None]], AbstractContextManager[None]]:
    """For `ElsewhereExecutor`: the cell runs beside the foreground."""

    @contextmanager
    def stoppable(execution: Execution, stop: Callable[[], None]) -> Iterator[None]:
        side_cells.enter(execution, stop)
        try:
            yield
        finally:
            side_cells.leave(execution)

    return stoppable
