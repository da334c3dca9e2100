"""A Jupyter kernel for Python for people whose code mixes sync and async."""

from .bridge import ExecutionContextBridge
from .cell import Cell, CellChanges, Context, Outcome, Route
from .coroutines import DeferredCoroutine
from .namespace import AsyncNamespaceManager

__version__ = "0.1.0"

__all__ = [
    "AsyncNamespaceManager",
    "Cell",
    "CellChanges",
    "Context",
    "DeferredCoroutine",
    "ExecutionContextBridge",
    "Outcome",
    "Route",
]
