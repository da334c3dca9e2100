"""Coroutines that nobody awaited: noticed, closed, and kept awaitable where someone still can."""

from .closing import Replacements, close_leaked, replaced
from .deferred import DeferredCoroutine
from .tracking import Leak, NeverAwaitedHook, find_open, track_origins

__all__ = [
    "DeferredCoroutine",
    "Leak",
    "NeverAwaitedHook",
    "Replacements",
    "close_leaked",
    "find_open",
    "replaced",
    "track_origins",
]
