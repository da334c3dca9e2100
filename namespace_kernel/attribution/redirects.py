"""`contextlib.redirect_stdout` of one cell does not swallow what another one prints.

Python's replaces `sys.stdout` for the whole process: tasks and threads of earlier cells, which print
meanwhile, would lose their output to whoever redirects. Here the stream stays, and the redirection is
a context variable that it asks. The tasks and threads that are started inside inherit it, as they
would in Python. Assigning `sys.stdout` itself is global still; nothing can be hooked there.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from namespace_kernel.base.frames import unseen
from namespace_kernel.base.patching import Function, Patch

if TYPE_CHECKING:

    class Manager(Protocol):
        """contextlib's `_RedirectStream`: the name of its stream, and where that goes and went."""

        _stream: str
        _new_target: object
        _old_targets: list[object]


class Redirect:
    """One `with redirect_stdout(target)`, until it ends; contexts copied inside it may live longer."""

    def __init__(self, target: Any, outer: Redirect | None) -> None:
        self.target = target
        self.outer = outer
        self.active = True

    def end(self) -> None:
        """From now on it redirects nothing, and keeps nothing alive."""
        self.active = False
        self.target = None


#: For "stdout" and "stderr", the innermost one.
redirects: ContextVar[Mapping[str, Redirect]] = ContextVar("redirects", default=MappingProxyType({}))


def active_redirect(name: str) -> Redirect | None:
    """The redirection of the stream `name` that is in force in the calling context."""
    redirect = redirects.get().get(name)
    while redirect is not None and not redirect.active:
        redirect = redirect.outer
    return redirect


class Redirects:
    """Stands in for what contextlib's managers do.

    `is_ours` tells the kernel's streams, which ask `active_redirect`; `direct` gives a file that writes
    to such a stream whatever is redirected. Other streams are redirected as Python does it.

    Thread: any.
    """

    def __init__(self, is_ours: Callable[[object], bool], direct: Function) -> None:
        self._is_ours = is_ours
        self._direct = direct
        kind = contextlib._RedirectStream
        self.patches = (Patch(kind, "__enter__", self._entering), Patch(kind, "__exit__", self._leaving))

    def _entering(self, original: Function) -> Function:
        @unseen
        def enter(manager: Manager) -> object:
            return self._begin(manager, original)

        return enter

    def _leaving(self, original: Function) -> Function:
        @unseen
        def leave(manager: Manager, *error: object) -> object:
            return self._end(manager, error, original)

        return leave

    def _begin(self, manager: Manager, original: Function) -> object:
        name, target = manager._stream, manager._new_target
        if not self._is_ours(getattr(sys, name, None)):
            return original(manager)
        redirect = Redirect(self._resolved(target), active_redirect(name))
        manager._old_targets.append(redirect)
        redirects.set({**redirects.get(), name: redirect})
        return target

    def _resolved(self, target: Any) -> object:
        """Where `target` leads now; one of our own streams must not be asked again when it is written to."""
        if not self._is_ours(target):
            return target
        redirect = active_redirect(target.name)
        return self._direct(target) if redirect is None else redirect.target

    def _end(self, manager: Manager, error: tuple[object, ...], original: Function) -> object:
        redirect = manager._old_targets[-1]
        if not isinstance(redirect, Redirect):
            return original(manager, *error)
        manager._old_targets.pop()
        redirect.end()
        current = dict(redirects.get())
        if current.get(manager._stream) is redirect:
            current.pop(manager._stream)
            if redirect.outer is not None:
                current[manager._stream] = redirect.outer
            redirects.set(current)
        return None
