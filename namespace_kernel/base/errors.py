"""Every error that this package raises, each with its remedy in the message.

NamespaceKernelError
├── DirectiveError          a `%%` directive that is misspelt, doubled or contradictory
├── CellTextError           a cell whose text cannot be encoded
├── PayloadError            what a cell put into its reply that cannot be sent
├── AwaitInThreadError      awaiting code where no event loop runs
├── DeferredCoroutineError  a `DeferredCoroutine` that cannot be awaited (again)
├── MemoryLimitError        a cell that was about to take the last of the memory
├── JournalError            names that cannot be kept on disk, or not come back
├── RequestError            a message from a client whose fields are not what they must be
└── ElsewhereError          a cell that runs elsewhere
    ├── MissingPackageError   an optional package is not installed
    ├── ResultError           what the cell made cannot come back
    ├── WorkerLostError       the process that ran the cell is gone
    └── RemoteError           stands for an error of the cell that cannot be pickled
"""

from __future__ import annotations

from typing import Any


class NamespaceKernelError(Exception):
    """The root of this package's errors."""


class DirectiveError(NamespaceKernelError, SyntaxError):
    """A cell's directive cannot be followed. Shown like a syntax error: nothing of the cell ran."""


class CellTextError(NamespaceKernelError, ValueError):
    """A cell's text holds half a character (a lone surrogate). Nothing of the cell ran."""

    def __init__(self, problem: UnicodeEncodeError) -> None:
        line = problem.object.count("\n", 0, problem.start) + 1
        code = ord(problem.object[problem.start])
        super().__init__(
            f"line {line} of the cell holds half a character (the lone surrogate U+{code:04X}), "
            "which cannot be encoded; delete it, or write it as an escape"
        )


class PayloadError(NamespaceKernelError, TypeError):
    """A payload that is no JSON. The cell's code has run; its reply says this instead of `ok`."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the cell has run, but what it put into its reply by `write_payload` cannot be sent: {problem}; "
            "write text, numbers, lists and dicts"
        )


class MemoryLimitError(NamespaceKernelError, MemoryError):
    """The cell was stopped while it took the last of the memory, before the system would kill the kernel."""

    def __init__(self, level: str, largest: str = "") -> None:
        super().__init__(
            f"the cell was stopped before the system kills the kernel: {level}{largest}; the names are "
            "whole. Delete what is not needed (`del name`), work on parts, or set "
            "`NamespaceKernel.memory_stop` to 0 to run without this limit"
        )


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


class JournalError(NamespaceKernelError, RuntimeError):
    """What cells make cannot be kept on disk, or come back from there. The names are as they were."""


class RequestError(NamespaceKernelError, ValueError):
    """A client's message cannot be understood; nothing was done. `message` is what could be read of it."""

    def __init__(self, problem: str, message: dict[str, Any]) -> None:
        super().__init__(f"the client sent a message that the kernel cannot understand: {problem}")
        self.message = message


class ElsewhereError(NamespaceKernelError):
    """A cell that runs elsewhere (`%%isolated`) cannot do so. Nothing of it was merged."""


class MissingPackageError(ElsewhereError, ImportError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package {package!r}, which is not installed: "
            f"`pip install 'namespace_kernel[{extra}]'`",
            name=package,
        )


class ResultError(ElsewhereError, TypeError):
    """What a cell made elsewhere cannot come back. Nothing was merged."""


class WorkerLostError(ElsewhereError, RuntimeError):
    """The process that ran a cell has ended, or cannot be reached. Nothing was merged."""


class RemoteError(ElsewhereError):
    """Stands for an error of a cell that ran elsewhere, which could not be copied."""
