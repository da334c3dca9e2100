"""`contextlib.redirect_stdout` of one cell does not swallow what another one prints.

Python's replaces `sys.stdout` for the whole process: tasks and threads of earlier cells, which print
meanwhile, would lose their output to whoever redirects. Here the stream stays, and the redirection is
a context variable that it asks. The tasks and threads that are started inside inherit it, as they
would in Python. Assigning `sys.stdout` itself is global still; nothing can be hooked there.

A Stop may come between the beginning of a redirection and the `with` that would end it, or when that is
just about to. So what a cell that failed has begun and not ended is ended with the cell.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.frames import unseen
from namespace_kernel.base.patching import Function, Patch

if TYPE_CHECKING:

    class Manager(Protocol):
        """contextlib's `_RedirectStream`: the name of its stream, and where that goes and went."""

        _stream: str
        _new_target: object
        _old_targets: list[object]


class Taking:
    """Takes output until it ends; contexts copied inside it may live longer. `outer` is in force after it."""

    def __init__(self, outer: Self | None) -> None:
        self.outer = outer
        self.active = True
        self._execution = current_execution.get()

    def end(self) -> None:
        """From now on it takes nothing, and keeps nothing alive."""
        self.active = False
        self._execution = None

    def after(self, failed: Execution) -> Self | None:
        """End it, and those outside of it, where `failed` has begun them; what is in force then."""
        outer = None if self.outer is None else self.outer.after(failed)
        if self._execution is failed:
            self.end()
        return self if self.active else outer


T = TypeVar("T", bound=Taking)


class Redirect(Taking):
    """One `with redirect_stdout(target)`."""

    def __init__(self, target: Any, outer: Redirect | None) -> None:
        super().__init__(outer)
        self.target = target

    def end(self) -> None:
        """See `Taking.end`."""
        super().end()
        self.target = None


class Replacement(Taking):
    """One where `sys.stdout` is no stream of ours: as Python does it, the target takes its place."""

    def __init__(self, manager: Manager, outer: Replacement | None) -> None:
        super().__init__(outer)
        self.manager: Manager | None = manager
        self._replaced = getattr(sys, manager._stream, None)

    def end(self) -> None:
        """See `Taking.end`."""
        super().end()
        self.manager = self._replaced = None

    def after(self, failed: Execution) -> Replacement | None:
        """See `Taking.after`: what it has replaced is put back."""
        manager = self.manager if self._execution is failed else None
        if manager is not None and getattr(sys, manager._stream, None) is manager._new_target:
            setattr(sys, manager._stream, self._replaced)
        return super().after(failed)


#: For "stdout" and "stderr", the innermost one.
redirects: ContextVar[Mapping[str, Redirect]] = ContextVar("redirects", default=MappingProxyType({}))
#: The innermost one of the calling context.
replacement: ContextVar[Replacement | None] = ContextVar("replacement", default=None)


def active_redirect(name: str) -> Redirect | None:
    """The redirection of the stream `name` that is in force in the calling context."""
    return in_force(redirects.get().get(name))


def in_force(innermost: T | None) -> T | None:
    """The innermost one that has not ended."""
    while innermost is not None and not innermost.active:
        innermost = innermost.outer
    return innermost


def end_redirects(failed: Execution) -> None:
    """End what `failed`, whose code is over, has begun in the calling context and not ended.

    Thread: the one that ran it, where no Stop can come.
    """
    left = {name: redirect.after(failed) for name, redirect in redirects.get().items()}
    redirects.set({name: redirect for name, redirect in left.items() if redirect is not None})
    if (innermost := replacement.get()) is not None:
        replacement.set(innermost.after(failed))


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
            replacement.set(Replacement(manager, in_force(replacement.get())))
            return original(manager)
        redirect = Redirect(self._resolved(target), active_redirect(name))
        manager._old_targets.append(redirect)
        try:
            redirects.set({**redirects.get(), name: redirect})
        except BaseException:  # a Stop: no `with` will end it
            redirect.end()
            raise
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
            result = original(manager, *error)
            innermost = in_force(replacement.get())
            if innermost is not None and innermost.manager is manager:
                innermost.end()
                replacement.set(innermost.outer)
            return result
        manager._old_targets.pop()
        redirect.end()
        current = dict(redirects.get())
        if current.get(manager._stream) is redirect:
            current.pop(manager._stream)
            if redirect.outer is not None:
                current[manager._stream] = redirect.outer
            redirects.set(current)
        return None


class Direct:
    """A file that writes to a stream whatever is redirected, by what the stream itself does."""

    def __init__(self, write: Callable[[str], int], flush: Callable[[], object]) -> None:
        self._write = write
        self._flush = flush

    def write(self, string: str) -> int:
        """As a file's."""
        return self._write(string)

    def flush(self) -> None:
        """As a file's."""
        self._flush()
