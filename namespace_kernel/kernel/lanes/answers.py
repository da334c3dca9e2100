"""A request that is no cell: the handler for its type answers, and whatever goes wrong is an answer, too."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from namespace_kernel.base.execution import complete
from namespace_kernel.base.words import words_of
from namespace_kernel.kernel.debugging.answers import refusal
from namespace_kernel.kernel.wire.iopub import IOPub
from namespace_kernel.kernel.wire.request import Handler, Message, Request
from namespace_kernel.kernel.wire.session import KernelSession
from namespace_kernel.kernel.wire.standard_streams import StandardStreams

from .parents import Parents


def error_content(error: BaseException) -> Message:
    """What a reply says of `error`."""
    return {
        "status": "error",
        "ename": type(error).__name__,
        "evalue": words_of(error),
        "traceback": traceback.format_exception_only(error),
    }


class Handlers:
    """Who answers what on the shell channel.

    Thread: any.
    """

    def __init__(self, by_kind: Mapping[str, Handler], session: KernelSession, log: logging.Logger) -> None:
        self._by_kind = by_kind
        self._session = session
        self._log = log

    def answer(self, request: Request) -> None:
        """Do what `request` asks for, and reply."""
        handler = self._by_kind.get(request.kind)
        try:
            if request.error is not None:
                self.fail(request, request.error)
            elif handler is None:
                self._log.warning("unknown message type %r, ignored", request.kind)
            else:
                result = handler(request.replies, request.idents, request.message)
                if result is not None:
                    complete(result)
        except BaseException as error:  # what a user's `__dir__` raises ends no thread
            self._log.exception("%s failed", request.kind)
            self.fail(request, error)

    def fail(self, request: Request, error: BaseException) -> None:
        """Answer that `request` failed, if it has a reply."""
        kind = request.kind.removesuffix("_request")
        if kind == request.kind:
            return
        content = error_content(error)
        if kind == "debug":
            content |= refusal(request.message["content"], content["evalue"])
        self._session.send(request.replies, f"{kind}_reply", content, request.message, ident=request.idents)


class Answers:
    """What surrounds an answer: busy before it; behind it what was printed meanwhile, and idle.

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
