"""asyncio's own loop, as far as the user loop is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from asyncio import events
    from collections import deque

    class NativeLoop(asyncio.SelectorEventLoop):
        """With what its stubs leave out."""

        _ready: deque[events.Handle]
        _scheduled: list[events.TimerHandle]
        _selector: Any  # its class depends on the system
        _signal_handlers: dict[int, events.Handle]
        _stopping: bool
        _thread_id: int | None

        def _run_once(self) -> None: ...
        def _write_to_self(self) -> None: ...
        def _check_running(self) -> None: ...
        def _check_closed(self) -> None: ...
        def _check_signal(self, sig: int) -> None: ...
        def _handle_signal(self, sig: int) -> None: ...

else:

    class NativeLoop:
        """Mixed in before a native loop class."""
