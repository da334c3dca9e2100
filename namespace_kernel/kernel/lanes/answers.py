"""What surrounds the answer to a request that is no cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from namespace_kernel.kernel.wire.handlers import Handlers
from namespace_kernel.kernel.wire.iopub import IOPub
from namespace_kernel.kernel.wire.request import Request
from namespace_kernel.kernel.wire.standard_streams import StandardStreams

from .parents import Parents


class Answers:
    """Busy comes before the answer; behind it what was printed meanwhile, and idle.

    Thread: any, where no Stop can come.
    """

    def __init__(self, handlers: Handlers, parents: Parents, streams: StandardStreams, iopub: IOPub) -> None:
        self._handlers = handlers
        self._parents = parents
        #: Where what is printed comes from.
        self.streams = streams
        self._iopub = iopub

    def give(self, request: Request) -> None:
        """Answer what runs no user code."""
        with self.giving(request) as handlers:
            handlers.answer(request)

    def give_as_its_own(self, request: Request) -> None:
        """Answer what asks the user's objects: what they print and display meanwhile is the request's, as in
        ipykernel, and not the last cell's. The calling context is changed.
        """
        self._parents.adopt(request)
        with self.giving(request, self.streams.hand_over_own) as handlers:
            handlers.answer(request)

    @contextmanager
    def giving(self, request: Request, hand_over: Callable[[], object] = lambda: None) -> Iterator[Handlers]:
        """While entered, who answers is busy; `hand_over` lets go what is printed meanwhile."""
        self._iopub.busy(request.message)
        try:
            yield self._handlers
        finally:
            hand_over()
            self._iopub.idle(request.message)
