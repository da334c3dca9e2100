"""GUI toolkits: their loop runs on the main thread while no cell does.

IPython's input hooks for terminals do the work: each runs its toolkit until a file descriptor is
readable. Ours becomes readable when a cell arrives.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from queue import SimpleQueue

from ipykernel.eventloops import make_qt_app_for_kernel
from ipykernel.ipkernel import IPythonKernel
from IPython.core.error import UsageError
from IPython.terminal.pt_inputhooks import UnknownBackend, get_inputhook_name_and_func

from namespace_kernel.base.originals import repair
from namespace_kernel.base.threads import readable
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.kernel.wire.request import Request
from namespace_kernel.kernel.wire.standard_streams import StandardStreams

#: What `%gui` and `%matplotlib` may ask for that needs no toolkit's loop.
_NO_LOOP = frozenset((None, "inline", "nbagg", "webagg", "notebook", "ipympl", "widget", "asyncio"))

#: Seconds to wait when a toolkit has nothing to run yet (no window, no display).
_PAUSE = 0.05


class GuiLoop:
    """Waits for cells, and runs a toolkit meanwhile if one was asked for.

    A toolkit whose hook raises is given up, and the user is told why.

    Thread: main, except `wake`.
    """

    def __init__(self, shell: NamespaceShell, streams: StandardStreams) -> None:
        self._shell = shell
        self._streams = streams
        self._hook: Callable[[GuiLoop], None] | None = None
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def enable(self, gui: str | None, kernel: IPythonKernel) -> None:
        """Run `gui`'s loop while idle; `None` for no toolkit. Raises `UsageError` for an unknown one."""
        if gui in _NO_LOOP or gui is None:
            self._hook = None
            return
        try:
            if gui.startswith("qt"):
                make_qt_app_for_kernel(gui, kernel)  # now, so that its errors are shown
            self._hook = get_inputhook_name_and_func(gui)[1]
        except UnknownBackend as error:
            raise UsageError(str(error)) from None

    def wake(self) -> None:
        """Say that a cell has arrived. Thread: any."""
        if self._hook is not None:
            with contextlib.suppress(BlockingIOError):  # full: main has not read yet, and will
                self._writer.send(b"\0")

    def next_cell(self, cells: SimpleQueue[Request | None]) -> Request | None:
        """Wait for a cell, running the toolkit meanwhile. In a context where output is the last cell's."""
        while self._hook is not None and cells.empty():
            try:
                self._hook(self)
            except KeyboardInterrupt:  # Stop, of which toolkits make what they like
                pass
            except BaseException as error:
                repair(error)
                self._hook = None
                self._shell.show_failure("The toolkit of %gui failed, and is not run any more:", error)
                self._streams.flush()
                break
            if not self.input_is_ready():
                readable([self._reader.fileno()], _PAUSE)
            self._drain()
        return cells.get()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass

    # What IPython's input hooks ask

    def fileno(self) -> int:
        """The descriptor that becomes readable when the toolkit's loop shall end."""
        return self._reader.fileno()

    def input_is_ready(self) -> bool:
        """Whether the toolkit's loop shall end."""
        return bool(readable([self._reader.fileno()], 0))
