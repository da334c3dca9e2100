"""IPython's events: hooks are called for cells, and for a comm message only where no cell runs.

IPython has them called around each comm message, too. In ipykernel that is never in the middle of a cell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.core.events import EventManager

from namespace_kernel.base.execution import Execution
from namespace_kernel.base.patching import Patches
from namespace_kernel.base.threads import RLock

from .display import handled_message
from .figures import figure_patches, is_figures_hook

#: What `comm` triggers for each message.
_AROUND_MESSAGES = frozenset(("pre_execute", "post_execute"))


class _AtWork:
    """The cells and callbacks that run."""

    def __init__(self, *parts: set[Execution]) -> None:
        self._parts = parts

    def __contains__(self, execution: object) -> bool:
        return any(execution in part for part in self._parts)


#: Called before a cell's code.
_BEFORE_CODE = frozenset(("pre_execute", "pre_run_cell"))


class _GuardedEvents(EventManager):
    """Calls all hooks, whatever one of them raises. IPython's lets a `SystemExit` end the cell, or worse."""

    def trigger(self, event: str, *args: object, **kwargs: object) -> None:
        """Overridden: a hook that raises `SystemExit` ends neither the cell nor the kernel.

        A Stop that comes in one before the cell's code is the cell's.
        """
        stopped = None
        for hook in self.callbacks[event][:]:
            try:
                hook(*args, **kwargs)
            except BaseException as error:
                # One with words is the hook's own: it would end each cell, also the one that mends it.
                stop = type(error) is KeyboardInterrupt and not error.args
                if stop and event in _BEFORE_CODE and handled_message() is None:
                    stopped = error
                    continue
                if self.print_on_error:
                    print(
                        f"Error in callback {hook} (for {event}), with arguments args {args},kwargs {kwargs}:"
                    )
                self.shell.showtraceback()
        if stopped is not None:
            raise stopped


class CellEvents(_GuardedEvents):
    """Calls the hooks.

    While a cell runs, of those around a comm message only matplotlib's are called, which show what the
    callback has drawn. Those of a message and of a cell are never called at the same time.

    Thread: the one that runs the cell or the callback.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        #: The cells that run.
        self.cells: set[Execution] = set()
        #: The comm messages that are handled.
        self.messages: set[Execution] = set()
        #: Held while the hooks of a message are called: a cell that begins waits for them.
        self._no_cell_begins = RLock()

    def register(self, event: str, function: Callable[..., object]) -> None:
        """Overridden: matplotlib's hooks come here before there is any figure."""
        super().register(event, function)
        if is_figures_hook(function):
            Patches(*figure_patches(_AtWork(self.cells, self.messages))).install()  # for good

    def trigger(self, event: str, *args: object, **kwargs: object) -> None:
        """Overridden: a comm message calls only matplotlib's hooks while a cell runs."""
        if event not in _AROUND_MESSAGES or handled_message() is None:
            with self._no_cell_begins:
                pass  # the hooks of a message have been called
            super().trigger(event, *args, **kwargs)
            return
        with self._no_cell_begins:
            if not self.cells:
                super().trigger(event, *args, **kwargs)
                return
        matplotlib_s = _GuardedEvents(self.shell, [event])
        matplotlib_s.callbacks[event] = [one for one in self.callbacks[event] if is_figures_hook(one)]
        matplotlib_s.trigger(event, *args, **kwargs)
