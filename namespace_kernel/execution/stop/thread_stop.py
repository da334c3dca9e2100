"""Stop for code that blocks or computes in a thread other than the main one.

Python can raise an exception into a thread, but not into a piece of code: where it arrives is up to the
interpreter. So whoever runs the code says when it begins and when it is over, and takes what comes late.
"""

from __future__ import annotations

import asyncio
import collections.abc
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from threading import get_ident
from time import sleep
from types import FrameType
from typing import Any

from namespace_kernel.base.asyncio_tasks import Around, asyncio_executes
from namespace_kernel.base.cell import Outcome
from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.threads import RLock, frames_of_threads

#: A Stop that finds asyncio's own code at work comes again after so many seconds. If that code has not
#: returned after so many, it is ended all the same.
MOMENT, MOST = 0.001, 0.5
#: The one that is not closed, by the thread's identifier.
_innermost: dict[int, ThreadStop] = {}


def raiser_in(ident: int) -> Callable[[], object]:
    """What raises `KeyboardInterrupt` in a thread, in C: between two bytecodes, so a call that blocks in C
    ends by itself first. Thread: any.
    """
    import ctypes  # here, for a first cell needs none; and not in what is returned: signal handlers call it

    ident_in_c, interrupt = ctypes.c_ulong(ident), ctypes.py_object(KeyboardInterrupt)
    return partial(ctypes.pythonapi.PyThreadState_SetAsyncExc, ident_in_c, interrupt)


class ThreadStop:
    """Raises `KeyboardInterrupt` into one thread, while its cell runs and not later.

    Limitation: it is raised between two bytecodes; a call that blocks in C ends by itself first.
    """

    def __init__(self) -> None:
        self._ident = get_ident()
        #: Raises it, whether it is too late or not. In C.
        self.again = raiser_in(self._ident)
        self._lock = RLock()
        self._open = True
        self._outer = _innermost.get(get_ident())
        _innermost[get_ident()] = self

    @staticmethod
    def of_caller() -> ThreadStop | None:
        """The innermost of the calling thread that is not closed, if there is one."""
        return _innermost.get(get_ident())

    def frame(self) -> FrameType | None:
        """What the thread executes. Thread: any."""
        return frames_of_threads().get(self._ident)

    def stop(self) -> bool:
        """Raise it; whether it is not too late for that. Thread: any."""
        with self._lock:
            if self._open:
                self.again()
            return self._open

    def close(self) -> bool:
        """From now on raise nothing; whether something came too late. Thread: the one to be stopped.

        What was raised before arrives here at the latest, for the interpreter looks at each jump back.
        It is not taken back: where there is nothing to take back, Python 3.11 and 3.12 go on looking for
        it at every call, for good, and 3.11 never gets past one that is traced by a debugger.
        """
        late = False
        while True:
            try:
                with self._lock:
                    self._open = False
                if self._outer is None:
                    _innermost.pop(get_ident(), None)
                else:
                    _innermost[get_ident()] = self._outer
                for _ in range(2):
                    pass
                return late
            except KeyboardInterrupt:
                late = True  # it arrived while the cell was ending


class Steps(Around, collections.abc.Coroutine[object, None, Outcome]):
    """A cell's coroutine, for a task that drives it on a loop which other tasks share.

    Guarantees: what `stop` raises arrives in the cell's code: in the line that executes, or, if that step
    was just ending, where the cell waits next. It never arrives in the loop or in another task.

    Thread: the loop's; `stop` any.
    """

    def __init__(self, body: Coroutine[object, None, Outcome]) -> None:
        self._body = body
        self._stop: ThreadStop | None = None
        #: A stop came between two steps, and no step has taken it yet.
        self.wanted = False

    def stop(self) -> bool:
        """Raise `KeyboardInterrupt` in the step that is being taken; `False` if the cell waits.

        Then it should be cancelled, if it still is `wanted` by the time: the next step may be on its way.
        """
        step = self._stop
        if step is not None and self._raise_in(step):
            return True
        self.wanted = True
        step = self._stop
        if step is None:
            return False
        # A step began meanwhile. It may have found the wish, or it gets it now.
        return not self._take() or step.stop()

    def _raise_in(self, step: ThreadStop) -> bool:
        """Raise it in that step, if it is not over, and not in the midst of asyncio's own code: see
        `AsyncCode`.
        """
        until = monotonic() + MOST
        while step is self._stop and asyncio_executes(step.frame()) and monotonic() < until:
            sleep(MOMENT)
        return step.stop()

    def _take(self) -> bool:
        wanted, self.wanted = self.wanted, False
        return wanted

    def send(self, value: None) -> object:
        """Take a step."""
        return self._step(self._body.send, value)

    def throw(self, *error: Any) -> object:
        """Take a step that begins with an exception."""
        self._take()  # this is how it comes
        return self._step(self._body.throw, *error)

    def close(self) -> None:
        """End it where it waits."""
        self._body.close()

    def __await__(self) -> Generator[object, None, Outcome]:
        """Not needed by a task; `Coroutine` asks for it."""
        steps: Generator[object, None, Outcome] = self._body.__await__()
        return steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)  # `cr_frame` and the like: where the cell stands

    def _step(self, advance: Callable[..., object], *args: object) -> object:
        late, waits_for = False, None
        self._stop = step = ThreadStop()
        try:
            try:
                if self._take():
                    raise KeyboardInterrupt
                waits_for = advance(*args)
            finally:
                self._stop = None
                late = step.close()
        except KeyboardInterrupt:  # the cell's code lets none out, so it came around it
            late = step.close() or True
        if not late:
            return waits_for
        try:
            if self._body.cr_frame is not None:
                return self._body.throw(KeyboardInterrupt())
        except KeyboardInterrupt:
            pass  # it had not begun; and an interrupt must not get into the loop
        raise asyncio.CancelledError
