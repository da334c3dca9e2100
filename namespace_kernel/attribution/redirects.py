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
from typing import Any

from namespace_kernel.base.frames import unseen


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
    """Installs the replacement in contextlib.

    `is_ours` tells the kernel's streams, which ask `active_redirect`; `direct` gives a file that writes
    to such a stream whatever is redirected. Other streams are redirected as Python does it.

    Thread: main for installing.
    """

    def __init__(self, is_ours: Callable[[Any], bool], direct: Callable[[Any], Any]) -> None:
        self._is_ours = is_ours
        self._direct = direct
        self._class: Any = contextlib._RedirectStream
        self._enter, self._exit = self._class.__enter__, self._class.__exit__

    def install(self) -> None:
        """Put ours in place."""
        redirects_ = self

        @unseen
        def enter(manager: Any) -> Any:
            return redirects_._begin(manager)

        @unseen
        def leave(manager: Any, *error: Any) -> Any:
            return redirects_._end(manager, error)

        self._class.__enter__, self._class.__exit__ = enter, leave

    def uninstall(self) -> None:
        """Put Python's back."""
        self._class.__enter__, self._class.__exit__ = self._enter, self._exit

    def _begin(self, manager: Any) -> Any:
        name, target = manager._stream, manager._new_target
        if not self._is_ours(getattr(sys, name, None)):
            return self._enter(manager)
        redirect = Redirect(self._resolved(target), active_redirect(name))
        manager._old_targets.append(redirect)
        redirects.set({**redirects.get(), name: redirect})
        return target

    def _resolved(self, target: Any) -> Any:
        """Where `target` leads now; one of our own streams must not be asked again when it is written to."""
        if not self._is_ours(target):
            return target
        redirect = active_redirect(target.name)
        return self._direct(target) if redirect is None else redirect.target

    def _end(self, manager: Any, error: tuple[Any, ...]) -> Any:
        redirect = manager._old_targets[-1]
        if not isinstance(redirect, Redirect):
            return self._exit(manager, *error)
        manager._old_targets.pop()
        redirect.end()
        current = dict(redirects.get())
        if current.get(manager._stream) is redirect:
            current.pop(manager._stream)
            if redirect.outer is not None:
                current[manager._stream] = redirect.outer
            redirects.set(current)
        return None
