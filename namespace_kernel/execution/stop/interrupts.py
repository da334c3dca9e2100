"""Stop: which code a SIGINT ends, and which it must not touch.

The problem. Python runs a signal handler on the main thread, between any two bytecodes. The default
handler raises `KeyboardInterrupt` right there: in the user's `time.sleep`, which is wanted, but also in
the kernel's own code between two cells, in the next cell, or, where an event loop runs, in whichever
task or callback happens to execute.

What does not work. Masking the signal around our own code loses it. Raising only from the loop (a
handler that cancels the task, as ipykernel does) never ends a busy or sleeping async cell, because the
loop does not get to run. Raising into another thread does not wake a blocked call.

The solution. Our handler is always installed and knows what runs:

- nothing in the foreground: the cells of subshells are stopped, if any run; else the signal is dropped.
- our own code after a cell: the signal is dropped. An interrupt belongs to the cell that
  was running when it arrived, never to the next one.
- our own code before a cell's: the cell ends as soon as its code begins. The user's input transformers, which
  prepare it, are ended at once.
- a sync cell: for its duration, and only for it, Python's own handler is installed. `asyncio.run()`
  and others that look for the default handler find it.
- an async cell, whose loop runs on the main thread: if the loop's current task is the cell's, or one
  that the cell started, or a callback of it executes, `KeyboardInterrupt` is raised there. If not, the
  cell is waiting, and its task is cancelled. Both times the tasks that the cell started are cancelled; those
  of earlier cells live on. Where a task's next step is due already, it is cancelled at once, for that step
  comes before all that the loop could be asked for. What else comes before, and does not return, is found by
  looking again from time to time.
- an async cell that waits for the loop, busy at home: the wait ends by itself soon after, with
  `KeyboardInterrupt`.

"Executes" means: its frame is on the stack. asyncio's own code around a task's step is Python, too, and an
exception in it would leave a task that is neither done nor ever stepped again. The same holds for asyncio's
functions that the cell's code calls: an exception in `transport.close()` would leave a socket for good that
is neither open nor closed. They return soon; until then the Stop is kept back.

`%stop N` means one cell, whichever runs when its signal is handled. It is sent under a lock and to the main
thread itself, and only while that cell runs; at the cell's end the main thread takes the lock, lets whatever
was sent arrive, and drops it.

Stop never interrupts a task of an earlier cell by mistake. If such a task blocks the loop, the user is told,
and a second Stop a moment later ends that task.
"""

from __future__ import annotations

import _thread
import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from os import getpid
from types import FrameType, TracebackType
from typing import Protocol, TypeVar

from namespace_kernel.base.execution import Execution
from namespace_kernel.base.lines import Lines, Notices
from namespace_kernel.base.threads import Lock, Timers

from .async_code import AsyncCode
from .step_on_main import StepOnMain

T = TypeVar("T")


class _Target(Protocol):
    def interrupt(self, frame: FrameType | None) -> None:
        """React to one SIGINT; may raise `KeyboardInterrupt`."""


class InterruptController:
    """Owns SIGINT. Implements `executor.Interrupts`.

    `stop_side_cells` stops the cells beside the foreground, where none runs in it; `callback_runs` says
    whether a comm's callback executes, on whichever thread. Both are called in the signal handler.

    Thread: main.
    """

    def __init__(
        self,
        notices: Notices,
        lines: Lines,
        timers: Timers,
        stop_side_cells: Callable[[], object] = lambda: None,
        callback_runs: Callable[[], bool] = lambda: False,
    ) -> None:
        self.notices = notices
        self.lines = lines
        self.timers = timers
        self._stop_side_cells = stop_side_cells
        self._pid = getpid()
        # A kernel may be started in another thread (it then has no Stop): Python allows handlers only here.
        self._on_main_thread = threading.current_thread() is threading.main_thread()
        self.callback_runs = callback_runs
        self.target: _Target | None = None
        self._cell_runs = False
        self._turns = 0
        self._turn_is_open = False
        self._sending = Lock()
        self._handled = 0
        #: A SIGINT came for the running cell before its code began.
        self.pending = False

    def begin_cell(self) -> None:
        """Say that a cell runs from now on: what arrives before its code begins is kept for it."""
        self._cell_runs = True
        with self._sending:
            self._turns += 1
            self._turn_is_open = True

    def end_cell(self) -> bool:
        """Say that no cell runs; return whether a SIGINT came for this one that its code has not taken."""
        self._turn_is_open = False
        self.settle()
        self._cell_runs = False  # first: what comes from now on is for those beside the foreground
        arrived, self.pending = self.pending, False
        return arrived

    def settle(self) -> None:
        """Let what was sent before arrive."""
        with self._sending:
            pass  # it is sent under this
        if self._on_main_thread and hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, ())  # Python handles it here

    @property
    def cell_runs(self) -> bool:
        """Whether one runs. Thread: main."""
        return self._cell_runs

    @property
    def turn(self) -> int:
        """Which cell runs, or ran last, as a number for `stop_turn`. Thread: any."""
        return self._turns

    def stop_turn(self, turn: int, is_still_wanted: Callable[[], bool] = lambda: True) -> bool:
        """Stop the foreground's cell if it is still the one that `turn` named; whether it is. Thread: any."""
        with self._sending:
            meant = self._turn_is_open and self._turns == turn and is_still_wanted()
            if meant:
                _signal_main_thread()
        return meant

    def hand_over(self) -> None:
        """Say that the cell goes on beside the foreground; what arrived for it is for those that do."""
        if self.end_cell():
            self._stop_side_cells()

    def install(self) -> None:
        """Take SIGINT, for good; also back from user code that took it."""
        while self._on_main_thread:
            try:
                if signal.getsignal(signal.SIGINT) == self._on_sigint:
                    return
                signal.signal(signal.SIGINT, self._on_sigint)
            except KeyboardInterrupt:
                continue  # it came while the cell was ending: the cell is over

    def run_sync(self, run: Callable[[], T]) -> T:
        """See `executor.Interrupts`.

        The restoring stands in this frame and without a loop: a signal is handled at calls and jumps,
        so there is no place between the end of `run` and the first `try` where one could get in.
        """
        if not self._on_main_thread:
            return run()
        own = self._on_sigint
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if self.pending:
                raise KeyboardInterrupt
            return run()
        finally:
            try:
                signal.signal(signal.SIGINT, own)
            except KeyboardInterrupt:  # it came while the cell was ending: the cell is over
                try:
                    signal.signal(signal.SIGINT, own)
                except KeyboardInterrupt:
                    signal.signal(signal.SIGINT, own)

    def stoppable(self, prepare: Callable[[str], T]) -> Callable[[str], T]:
        """Return `prepare`, user code that a cell's text goes through, such that Stop ends it, too. It then
        raises `KeyboardInterrupt`. Thread of what is returned: any; those beside main are left alone.
        """
        prepares = _Raising()

        def call(text: str) -> T:
            if not self._cell_runs or threading.current_thread() is not threading.main_thread():
                return prepare(text)
            try:  # and no context manager: a signal is handled at a call, and here is none
                self.target = prepares
                if self.pending:
                    raise KeyboardInterrupt
                return prepare(text)
            finally:
                self.target = None

        return call

    def run_ending(self, run: Callable[[], T]) -> T:
        """See `executor.Interrupts`."""
        self.pending = False
        return self.run_sync(run)

    def async_code(
        self, execution: Execution, task: asyncio.Task[object], loop: asyncio.AbstractEventLoop
    ) -> AsyncCode:
        """See `executor.Interrupts`."""
        return AsyncCode(self, execution, task, loop)

    def calling(self, stop: Callable[[], object]) -> _Calling:
        """See `executor.Interrupts`."""
        return _Calling(self, stop)

    def waiting(self, execution: Execution) -> _Calling:
        """See `executor.Interrupts`."""

        def note() -> None:
            execution.interrupted = True

        return _Calling(self, note)

    def step_of(self, task: asyncio.Task[object]) -> AbstractContextManager[None]:
        """While entered, main takes a step of `task`, which is not its cell's."""
        return StepOnMain(self, self._on_sigint, task) if self._on_main_thread else nullcontext()

    @property
    def handled(self) -> int | None:
        """How many signals this has dealt with; `None` while another handler is installed. Thread: any."""
        return self._handled if signal.getsignal(signal.SIGINT) == self._on_sigint else None

    def _on_sigint(self, signum: int, frame: FrameType | None) -> None:
        try:
            if getpid() != self._pid:  # a forked child has nothing but its own code
                signal.default_int_handler(signum, frame)
            elif self.target is not None:
                self.target.interrupt(frame)
            elif self._cell_runs:
                self.pending = True
            else:
                self._stop_side_cells()
        finally:
            self._handled += 1


def _signal_main_thread() -> None:
    """Send SIGINT to the main thread; on Windows simulate it."""
    ident = threading.main_thread().ident
    if sys.platform == "win32" or ident is None:
        _thread.interrupt_main()
    else:
        signal.pthread_kill(ident, signal.SIGINT)


class _Raising:
    def interrupt(self, frame: FrameType | None) -> None:
        """See `_Target`."""
        raise KeyboardInterrupt


class _Calling:
    def __init__(self, controller: InterruptController, stop: Callable[[], object]) -> None:
        self._controller = controller
        self._stop = stop

    def __enter__(self) -> None:
        self._controller.target = self
        if self._controller.pending:
            self._stop()

    def __exit__(self, kind: type[BaseException] | None, error: object, tb: TracebackType | None) -> None:
        self._controller.target = None

    def interrupt(self, frame: FrameType | None) -> None:
        """End the wait. Only a note: an exception would tear the waiting lock apart."""
        self._stop()
