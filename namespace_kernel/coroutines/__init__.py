"""Coroutines that nobody awaited: noticed, closed, and kept awaitable where someone still can."""
