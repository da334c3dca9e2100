"""Every error that this package raises, each with its remedy in the message.

NamespaceKernelError
├── DirectiveError          a `%%` directive that is misspelt, doubled or contradictory
├── UnknownContextError     a context that the namespace does not know
├── AwaitInThreadError      awaiting code where no event loop runs
├── DeferredCoroutineError  a `DeferredCoroutine` that cannot be awaited (again)
└── LoopBusyError           a foreground cell gave up waiting for the user loop
"""

from __future__ import annotations

from collections.abc import Iterable


class NamespaceKernelError(Exception):
    """The root of this package's errors."""


class DirectiveError(NamespaceKernelError, SyntaxError):
    """A cell's directive cannot be followed. Shown like a syntax error: nothing of the cell ran."""


class UnknownContextError(NamespaceKernelError, ValueError):
    """A context name that does not exist."""

    def __init__(self, context: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown context {context!r}; use one of {', '.join(map(repr, known))}")


class AwaitInThreadError(NamespaceKernelError, RuntimeError):
    """Code with top-level await runs in a thread where no loop does."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(
            f"{execution_id} awaits at its top level, but runs where no event loop does; wrap the awaiting "
            "part in `asyncio.run()`, or, in a notebook, remove `%%sync`, or, in a program, use "
            "`await bridge.execute_in_async(...)`"
        )


class DeferredCoroutineError(NamespaceKernelError, RuntimeError):
    """A `DeferredCoroutine` was awaited a second time, or its function is gone."""


class LoopBusyError(NamespaceKernelError, RuntimeError):
    """The user loop could not be borrowed."""
