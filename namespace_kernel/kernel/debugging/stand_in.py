"""The debugger's stand-in until a client uses it: importing debugpy takes a third of the time of a start.

JupyterLab asks every kernel for the state of its debugger, and that is all it does for most of them.
The first request that needs a debugger makes one.
"""

from __future__ import annotations

import asyncio
import importlib.util
from typing import TYPE_CHECKING, Any

from namespace_kernel.base.frames import OWN_FOLDER
from namespace_kernel.base.threads import Lock
from namespace_kernel.kernel.wire.request import Message

from .answers import beside, info, refusal
from .breakpoints import install_breakpoint_hook

if TYPE_CHECKING:
    from .debugger import NamespaceDebugger


#: Seconds that importing debugpy may take, at least: a slow disk is no debugger that hangs.
_TIME_TO_IMPORT = 30.0


def has_debugpy() -> bool:
    """Whether debugpy is there, which is known without importing it. Thread: any."""
    return importlib.util.find_spec("debugpy") is not None


class LazyDebugger:
    """Makes the debugger, with the arguments that it was given itself, when there is something to do.

    Thread: control, if nothing else is said.
    """

    _made: NamespaceDebugger | None = None

    def __init__(self, log: Any, *args: Any, **kwargs: Any) -> None:
        self._log = log
        self._arguments, self._options = (log, *args), kwargs
        self._lock = Lock()
        self._is_made = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        #: Seconds that debugpy has for an answer.
        self.patience = 30.0

    def __getattr__(self, name: str) -> Any:
        """What else ipykernel's debugger has, once there is one: to be asked for a name makes none.

        Thread: any.
        """
        if self._made is None:
            raise AttributeError(f"the debugger has no {name!r} before it is used", name=name, obj=self)
        return getattr(self._made, name)

    async def process_request(self, message: Message) -> Message:
        """Answer a debug request; any failure is a reply."""
        if self._made is None:
            if message.get("command") == "debugInfo":
                return info(message)
            try:
                await beside(self._make, max(self.patience, _TIME_TO_IMPORT))
            except Exception as error:
                self._log.warning("debugpy cannot be imported", exc_info=True)
                return refusal(message, f"debugpy cannot be imported: {type(error).__name__}: {error}")
        made = self._make()
        made.debugpy_client.patience = self.patience
        return await made.process_request(message)

    async def handle_stopped_event(self) -> None:
        """Tell the client of one stop."""
        self._loop = asyncio.get_running_loop()
        await self._is_made.wait()
        await self._make().handle_stopped_event()

    def trace_this_thread(self) -> None:
        """As the debugger's. Thread: that of a cell."""
        if self._made is not None:
            self._made.trace_this_thread()

    def resume_main(self) -> None:
        """As the debugger's. Thread: any."""
        if self._made is not None:
            self._made.resume_main()

    def resume(self) -> None:
        """As the debugger's. Thread: any."""
        if self._made is not None:
            self._made.resume()

    def _make(self) -> NamespaceDebugger:
        """Thread: any."""
        with self._lock:
            if self._made is None:
                from .debugger import NamespaceDebugger

                install_breakpoint_hook()  # importing debugpy has replaced it
                made = NamespaceDebugger(*self._arguments, **self._options)
                # The list of what is not the user's was made before all of these were imported.
                own = OWN_FOLDER.rglob("*.py")
                made.kernel_modules = [*made.kernel_modules, *map(str, own)]
                self._made = made
                if self._loop is not None:
                    self._loop.call_soon_threadsafe(self._is_made.set)
            return self._made
