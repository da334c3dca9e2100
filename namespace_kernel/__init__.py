"""A Jupyter kernel for Python in which await, asyncio.run() and blocking code all work."""

# Nothing is imported here when it runs: `python -m namespace_kernel` runs it while the working directory
# comes before the standard library.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from namespace_kernel.base.cell import Cell, CellChanges, Context, Outcome, Route
    from namespace_kernel.coroutines.deferred import DeferredCoroutine
    from namespace_kernel.durable.journal.journal import Journal
    from namespace_kernel.embed import embed_kernel
    from namespace_kernel.execution.bridge import ExecutionContextBridge
    from namespace_kernel.execution.user_loop.anchors import on_main
    from namespace_kernel.namespace.manager import AsyncNamespaceManager
del TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "AsyncNamespaceManager",
    "Cell",
    "CellChanges",
    "Context",
    "DeferredCoroutine",
    "ExecutionContextBridge",
    "Journal",
    "Outcome",
    "Route",
    "embed_kernel",
    "on_main",
]

_MODULES = {
    "AsyncNamespaceManager": "namespace.manager",
    "DeferredCoroutine": "coroutines.deferred",
    "ExecutionContextBridge": "execution.bridge",
    "Journal": "durable.journal.journal",
    "embed_kernel": "embed",
    "on_main": "execution.user_loop.anchors",
}


def __getattr__(name: str) -> "Any":
    """A public name, imported when it is used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    thing = getattr(importlib.import_module(f".{_MODULES.get(name, 'base.cell')}", __name__), name)
    globals()[name] = thing
    return thing


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
