"""Coroutines that nobody awaited: noticed, closed, and kept awaitable where someone still can."""

from .closing import Replacements, close_leaked, replaced
from .deferred import DeferredCoroutine
from .origins import Leak, Origins, OriginTracking
from .tracking import NeverAwaitedHook, find_open

__all__ = [
    "DeferredCoroutine",
    "Leak",
    "NeverAwaitedHook",
    "OriginTracking",
    "Origins",
    "Replacements",
    "close_leaked",
    "find_open",
    "replaced",
]
