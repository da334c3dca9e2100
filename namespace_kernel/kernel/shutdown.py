"""The end of a kernel process: cells are ended first, `atexit` runs, and it does not take forever."""

from __future__ import annotations

import _thread
import asyncio
import atexit
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING

from ipykernel.ipkernel import IPythonKernel
from ipykernel.thread import BaseThread

from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.threads import Event

from .options import KernelOptions
from .wire.request import Message, Replies, answer
from .wire.session import KernelSession

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    import psutil

#: A cell that is interrupted has time for its `finally`. In the last part of it one that catches
#: `KeyboardInterrupt` is interrupted again, with so many seconds between two attempts.
_INSIST, _LAST_PART = 0.1, 0.25

#: Seconds before the first. A main thread that is idle ends by itself within a millisecond. One that waits
#: for a processor may note so late that a Stop was sent to it before.
_GRACE = 0.1

#: Seconds that `atexit` callbacks get when the time is over.
_LAST = 1.0

#: Seconds that a frontend has, when a cell called `exit()`, to read its reply from a kernel that is alive:
#: `jupyter console` looks for that first, and may take 0.1 s; a kernel that is gone it does not leave.
_LINGER = 0.5

# Whatever a notebook does to `time.sleep`, and found by nothing that freezes the time.
_sleep = partial(time.sleep)


class Ending:
    """Ends the main thread's service, by `put(None)` into its queue, and the process.

    Guarantees: after `watch(t)` the process is gone within t seconds, and `atexit` callbacks have run or
    begun to, whatever the user's threads and callbacks do; unless `ends_process` is false, for a kernel in
    somebody's program.
    """

    def __init__(
        self,
        put: Callable[[None], None],
        ends_process: bool = True,
        stopped_lately: Callable[[], bool] = lambda: False,
    ) -> None:
        self._put = put
        self._ends_process = ends_process
        self._stopped_lately = stopped_lately
        self._served = Event()
        #: Called when service has ended.
        self._tell: Callable[[], object] = lambda: None
        #: Set when the `shutdown_reply` is sent and idle published, or none is due.
        self.replied = Event()
        self.replied.set()
        self._frontend_asked = Event()
        self.requested = False

    def request(self) -> None:
        """Let service end after the running cell. Thread: any."""
        self.requested = True
        self._put(None)

    async def end_main_thread(self, timeout: float) -> None:
        """Request the end, and interrupt the running cell until it is over, or `timeout` seconds passed.

        Jupyter's servers have interrupted it just before they ask for the end. A second time would come in
        the midst of its `finally`. Thread: control.
        """
        self.replied.clear()
        self._frontend_asked.set()
        over = asyncio.Event()
        self._tell = partial(asyncio.get_running_loop().call_soon_threadsafe, over.set)
        self.request()
        until = monotonic() + timeout
        await _happens(over, _GRACE)
        if not self._served.is_set() and not self._stopped_lately():
            interrupt_main()
        await _happens(over, until - timeout * _LAST_PART - monotonic())
        while not self._served.is_set() and monotonic() < until:
            interrupt_main()
            await _happens(over, _INSIST)

    def served(self) -> None:
        """Say that service has ended. Thread: main."""
        self._served.set()
        with contextlib.suppress(RuntimeError):  # too late: the control thread's loop is closed
            self._tell()

    def linger(self) -> None:
        """Stay alive until the frontend that `exit()` told of it asks for the end, or for long enough.

        Thread: main.
        """
        self._frontend_asked.wait(_LINGER)

    def watch(self, timeout: float) -> None:
        """End the process after `timeout` seconds, if it is still there. Thread: any."""
        if not self._ends_process:
            return
        # Two, because an `atexit` callback may block the first; and now, for Python 3.12 refuses to start
        # a thread once the interpreter is ending. Not a `threading.Timer`: a notebook may have replaced that.
        for seconds, end in ((timeout, _end_process), (timeout + _LAST, _leave_at_once)):
            _thread.start_new_thread(_end_after, (seconds, end))


async def _happens(event: asyncio.Event, seconds: float) -> None:
    """Wait for `event`, but for no longer than `seconds`."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def interrupt_main() -> None:
    """Send SIGINT to ourselves; on Windows simulate it."""
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)


def _end_after(seconds: float, end: Callable[[], object]) -> None:
    _sleep(seconds)
    end()


def _end_process() -> None:
    atexit._run_exitfuncs()
    os._exit(0)


def _leave_at_once() -> None:
    with contextlib.suppress(Exception):
        for child in _daemons():
            child.kill()
    os._exit(0)


class Shutdown:
    """Answers a `shutdown_request`. `kernel.do_shutdown` may be a subclass's.

    Thread: control.
    """

    def __init__(
        self,
        kernel: IPythonKernel,
        options: KernelOptions,
        session: KernelSession,
        ending: Ending,
        threads: Sequence[BaseThread],
    ) -> None:
        self._kernel = kernel
        self._options = options
        self._session = session
        self._ending = ending
        self._threads = threads

    def register(self, kernel: IPythonKernel) -> None:
        """Answer on both channels, as ipykernel does."""
        answer(kernel, kernel.control_handlers, shutdown_request=self.answer)
        answer(kernel, kernel.shell_handlers, shutdown_request=self.answer)

    async def answer(self, replies: Replies, idents: list[bytes], message: Message) -> None:
        """End a running cell first, and all in bounded time."""
        kernel, ending, seconds = self._kernel, self._ending, self._options.shutdown_time
        ending.watch(seconds)
        try:
            await ending.end_main_thread(seconds / 2)
            content = kernel.do_shutdown(bool(message["content"].get("restart")))
            if isawaitable(content):
                content = await content
            self._session.send(replies, "shutdown_reply", content, message, ident=idents)
            kernel._shutdown_message = self._session.msg("shutdown_reply", content, message)
            await kernel._at_shutdown()
        finally:
            # Not now: whoever answers publishes idle after this, and the process must not end before.
            asyncio.get_running_loop().call_soon(ending.replied.set)
            for thread in self._threads:
                thread.io_loop.add_callback(thread.io_loop.stop)


def children_that_live(children: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    """Those of `children()` that have not ended, and for which nobody has waited, but those that end with us.

    psutil, with which ipykernel looks for them, is not imported if there are none.
    """
    if _has_no_children():
        return []
    left_alone = {daemon.pid for daemon in _daemons()} | _helpers()
    return [one for one in children() if one.pid not in left_alone and not _has_ended(one)]


def _daemons() -> list[BaseProcess]:
    """The processes that multiprocessing ends by itself, workers of its pools among them.

    A worker that is killed may hold the lock that its pool needs to end, and another is started in its place.
    """
    multiprocessing = sys.modules.get("multiprocessing")
    children = multiprocessing.active_children() if multiprocessing else ()
    return [child for child in children if child.daemon]


def _helpers() -> set[int | None]:
    """The processes of multiprocessing and loky that end by themselves when this one is gone.

    The server that forks tells how its children ended, and a tracker, which ignores SIGTERM, tidies up.
    """
    found: set[int | None] = set()
    for name, module in sys.modules.copy().items():
        if name.endswith(".resource_tracker"):
            found.add(getattr(getattr(module, "_resource_tracker", None), "_pid", None))
        elif name == "multiprocessing.forkserver":
            found.add(module._forkserver._forkserver_pid)
    return found


def _has_no_children() -> bool:
    """Whether that is certain."""
    if not hasattr(os, "waitid"):
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def _has_ended(process: psutil.Process) -> bool:
    import psutil

    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
