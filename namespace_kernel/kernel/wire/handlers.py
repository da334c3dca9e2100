"""A request is answered by the handler for its type, and whatever goes wrong is an answer, too."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping

from namespace_kernel.base.execution import complete
from namespace_kernel.base.words import words_of
from namespace_kernel.kernel.debugging.answers import refusal

from .request import Handler, Message, Request
from .session import KernelSession


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
