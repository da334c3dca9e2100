"""Jobs of `multiprocessing.pool.ThreadPool` run as the cell that submitted them, not as the pool's maker."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from namespace_kernel.base.frames import unseen
from namespace_kernel.base.patching import Function, Patch

#: Every way to submit a job ends in one of these. `ThreadPool` inherits them.
_METHODS = ("apply_async", "_map_async", "imap", "imap_unordered")
#: What of their arguments is called later, in one of the pool's threads.
_CALLED = ("func", "callback", "error_callback")


class ThreadPoolFront:
    """Stands in front of `ThreadPool`'s methods once a pool is made: importing it earlier would cost time.

    `homing` makes of a function one that runs as the calling cell.

    Thread: any.
    """

    def __init__(self, homing: Callable[[Function], Function]) -> None:
        self._homing = homing
        self.patches = tuple(
            Patch("multiprocessing.pool.ThreadPool", name, self._submitting) for name in _METHODS
        )

    def _submitting(self, original: Function) -> Function:
        signature = inspect.signature(original)

        @unseen
        def submit(*args: object, **kwargs: object) -> object:
            bound = signature.bind(*args, **kwargs)
            for name in _CALLED:
                if bound.arguments.get(name) is not None:
                    bound.arguments[name] = self._homing(bound.arguments[name])
            return original(*bound.args, **bound.kwargs)

        return submit
