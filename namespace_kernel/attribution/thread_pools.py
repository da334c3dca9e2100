"""Jobs of `multiprocessing.pool.ThreadPool` run as the cell that submitted them, not as the pool's maker."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from namespace_kernel.base.frames import unseen

#: Every way to submit a job ends in one of these. `ThreadPool` inherits them.
_METHODS = ("apply_async", "_map_async", "imap", "imap_unordered")
#: What of their arguments is called later, in one of the pool's threads.
_CALLED = ("func", "callback", "error_callback")


class ThreadPoolFront:
    """Stands in front of `ThreadPool`'s methods once a pool is made: importing it earlier would cost time.

    `homing` makes of a function one that runs as the calling cell.

    Thread: any.
    """

    def __init__(self, homing: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self._homing = homing
        self._pool_class: Any = None

    def install(self, pool_class: Any) -> None:
        """Put our methods before those that `pool_class` inherits."""
        if self._pool_class is None:
            self._pool_class = pool_class
            for name in _METHODS:
                setattr(pool_class, name, self._submitting(getattr(pool_class, name)))

    def uninstall(self) -> None:
        """Take them away."""
        if self._pool_class is not None:
            for name in _METHODS:
                delattr(self._pool_class, name)
            self._pool_class = None

    def _submitting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(original)

        @unseen
        @functools.wraps(original)
        def submit(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            for name in _CALLED:
                if bound.arguments.get(name) is not None:
                    bound.arguments[name] = self._homing(bound.arguments[name])
            return original(*bound.args, **bound.kwargs)

        return submit
