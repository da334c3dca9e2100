"""Threads, and jobs of thread pools, inherit from whoever started them to which cell their output goes.

A new thread begins with empty context variables, and a pool's thread keeps those of whoever made it
start. Only the variables that say whose output it is are inherited; the user's own are not touched,
for what Python itself does with those must not differ here.
"""

from __future__ import annotations

import concurrent.futures.thread as pools
import contextlib
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextvars import ContextVar, Token
from functools import partial, wraps
from threading import get_ident
from types import FunctionType
from typing import Any, TypeAlias

from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.frames import unseen
from namespace_kernel.base.patching import Function, Patch, Patches
from namespace_kernel.base.safe_facts import attribute_of_class, called_function
from namespace_kernel.base.started import Started, is_nobodys, note_start
from namespace_kernel.base.threads import attributes_of
from namespace_kernel.base.weak_references import WeakThings

from .thread_pools import ThreadPoolFront

_NOTHING = object()

#: Of whatever a variable holds.
Variable: TypeAlias = ContextVar[Any]
Tokens: TypeAlias = list[Token[Any]]
Job: TypeAlias = Future[Any]


def _can_start(thread: threading.Thread) -> bool:
    """Whether Python will not refuse to start it."""
    attributes = attributes_of(thread)
    return bool(attributes.get("_initialized")) and not attributes["_started"].is_set()


def _target_of(thread: threading.Thread) -> object:
    """What `thread` will run. It is asked for nothing: it may answer with code of its own."""
    attributes = attributes_of(thread)
    for name in ("_target", "function"):  # of a timer
        if attributes.get(name) is not None:
            return attributes[name]
    return attribute_of_class(type(thread), "run")


def _is_thread_pools(target: object) -> bool:
    """Whether it is a function of `multiprocessing.pool`."""
    function, pool = called_function(target), sys.modules.get("multiprocessing.pool")
    return pool is not None and type(function) is FunctionType and function.__globals__ is vars(pool)


def _function_of(call: Sequence[object]) -> object:
    """What a pool is asked to call: the first argument of its job, which since 3.14 has all in one tuple."""
    if sys.version_info >= (3, 14):
        call = call[0] if call and isinstance(call[0], tuple) else ()
    return call[0] if call else None


class _Values:
    """The values that some variables had in one context."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        read = [(variable, variable.get(_NOTHING)) for variable in variables]
        self._values = [(variable, value) for variable, value in read if value is not _NOTHING]

    def set(self) -> Tokens:
        """Set them in the calling context; return what `reset` needs."""
        return [variable.set(value) for variable, value in self._values]


def _reset(tokens: Tokens) -> None:
    for token in tokens:
        token.var.reset(token)


class Inheritance:
    """Installed while the kernel serves.

    `variables` are inherited if `inherits()`. `is_users_file` tells the user's code from libraries'.
    `begin` is called at the beginning of each thread or job that a cell started, and `ended` at its end, in
    that thread.

    Thread: whoever starts threads.
    """

    def __init__(
        self,
        variables: Iterable[Variable],
        inherits: Callable[[], bool],
        is_users_file: Callable[[str], bool],
        ended: Callable[[Execution], None],
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        self._variables = tuple(variables)
        self._inherits = inherits
        self._is_users_file = is_users_file
        self._ended = ended
        self._begin_code = begin
        #: The jobs of thread pools that cells submitted, while any is alive.
        self.jobs: WeakThings[Job] = WeakThings()
        #: Whoever has put something before ours calls it also when it is undone.
        self._in_force = False
        #: In force once there is such a pool: it is not imported for them.
        self.late = Patches(*ThreadPoolFront(self._homing).patches)
        self.patches = (
            Patch(threading.Thread, "start", self._starting, undone=self._only_pass_on),
            Patch(pools, "_WorkItem", self._homing_class),
        )

    def _starting(self, original: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
        self._in_force = True

        @unseen
        def start(thread: threading.Thread) -> None:
            self._before_start(thread)
            original(thread)

        return start

    def _homing_class(self, WorkItem: type) -> type:
        inheritance = self

        @wraps(WorkItem, updated=())
        class HomingWorkItem(WorkItem):  # type: ignore[misc]
            """A pool's job that runs as its submitter."""

            def __init__(self, future: Job, *args: object) -> None:
                super().__init__(future, *args)
                self.inherited = inheritance._capture()
                self.started = inheritance._before_job(future, args)

            def run(self, *args: object) -> None:
                tokens = self.inherited.set()
                inheritance._begin_code()
                if self.started is not None:
                    tokens.append(current_execution.set(self.started.execution))
                    self.started.thread_ident = get_ident()
                try:
                    super().run(*args)
                finally:
                    _reset(tokens)
                    if self.started is not None and self.started.execution is not None:
                        inheritance._ended(self.started.execution)

        return HomingWorkItem

    def _only_pass_on(self) -> None:
        self._in_force = False
        self.late.undo()

    def _submitter(self) -> Execution | None:
        """The cell that starts something in the calling context."""
        return current_execution.get() if self._in_force and not is_nobodys() else None

    def _capture(self) -> _Values:
        inherits = self._submitter() is not None and self._inherits()
        return _Values(self._variables if inherits else ())

    def _homing(self, function: Function) -> Function:
        execution = self._submitter()
        if execution is None:
            return function
        inherited = self._capture()

        @unseen
        def run_as_submitter(*args: object, **kwargs: object) -> object:
            tokens = [current_execution.set(execution), *inherited.set()]
            self._begin_code()
            try:
                return function(*args, **kwargs)
            finally:
                _reset(tokens)

        return run_as_submitter

    def _before_job(self, future: Job, call: tuple[object, ...]) -> Started | None:
        execution = self._submitter()
        if execution is None:
            return None
        execution.jobs.add(future)
        self.jobs.add(future)
        return note_start(future, _function_of(call), self._is_users_file)

    def _before_start(self, thread: threading.Thread) -> None:
        execution = self._submitter()
        if execution is None or not _can_start(thread):
            return
        target = _target_of(thread)
        if _is_thread_pools(target):
            self.late.install()
        if target is not pools._worker:  # of a pool, the jobs count
            note_start(thread, target, self._is_users_file)
            execution.threads.add(thread)
        # On the instance, and around all of the thread: `run` may be overridden, and a frame of ours
        # inside of it would show in tracebacks. Not `_bootstrap`: debugpy takes a thread whose first frame is
        # not threading's for one that nobody manages, and stops in none of its lines (from Python 3.12 on).
        attributes_of(thread)["_bootstrap_inner"] = partial(self._run, thread, execution, self._capture())

    def _run(self, thread: Any, execution: Execution, inherited: _Values) -> None:
        attributes = attributes_of(thread)
        attributes.pop("_bootstrap_inner", None)

        def begin() -> Tokens:
            tokens = [current_execution.set(execution), *inherited.set()]
            self._begin_code()
            return tokens

        # Since 3.14 `run` has a context of its own, which may be the user's.
        own: Any = attributes.get("_context")
        tokens: Tokens = []
        if own is None:
            begin()
        else:
            current_execution.set(execution)
            inherited.set()
            with contextlib.suppress(RuntimeError):  # another thread is in it: Python will say so
                tokens = own.run(begin)
        try:
            thread._bootstrap_inner()
        finally:
            if tokens:
                own.run(_reset, tokens)
            self._ended(execution)
