"""What asyncio's module functions answer in threads where no loop runs.

`asyncio.get_event_loop()` answers the user loop, also after `asyncio.run()` has set and removed its
own; `create_task` and `all_tasks`, called by a helper function in a sync cell, use the user loop.
`get_running_loop()` keeps raising: that is how libraries ask whether they are inside a loop. For the
same reason `current_task` is left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any
from weakref import WeakSet

from namespace_kernel.base.frames import hide, unseen
from namespace_kernel.base.patching import Patch

from .asyncio_names import STILL


class _Local:
    """Stands for the policy's thread-local, which nest_asyncio looks into."""

    def __init__(self, policy: UserLoopPolicy) -> None:
        self._policy = policy

    @property
    def _loop(self) -> Any:
        return self._policy.current_loop()  # not get_event_loop, which nest_asyncio replaces

    @_loop.setter
    def _loop(self, loop: Any) -> None:
        self._policy.set_event_loop(loop)


_NATIVE = asyncio.DefaultEventLoopPolicy()
#: What `as_completed` has no more of.
_END = object()


class UserLoopPolicy(asyncio.AbstractEventLoopPolicy):
    """Delegates to the user's policy; where that has no usable loop, answers the user loop.

    Only in threads for which `serves` is true; elsewhere the delegate decides alone.
    """

    def __init__(
        self, delegate: asyncio.AbstractEventLoopPolicy, loop: Any, serves: Callable[[], bool]
    ) -> None:
        self.delegate = delegate
        self._user_loop = loop
        self._serves = serves
        self._set = threading.local()
        self._local = _Local(self)

    @unseen
    def get_event_loop(self) -> Any:
        """The loop that was set in this thread, if it is open; else the user loop."""
        return self.current_loop()

    def current_loop(self) -> Any:
        """As `get_event_loop`."""
        if not self._serves():
            return self.delegate.get_event_loop()
        loop = getattr(self._set, "loop", None)
        return self._user_loop if loop is None or loop.is_closed() else loop

    @unseen
    def set_event_loop(self, loop: Any) -> None:
        """Remember `loop` for this thread."""
        self._set.loop = loop
        self.delegate.set_event_loop(loop)

    @unseen
    def new_event_loop(self) -> Any:
        """A new loop of the delegate's kind."""
        return self.delegate.new_event_loop()

    @unseen
    def get_child_watcher(self) -> Any:
        """The delegate's; the platform's own if it has none (uvloop's), for the user loop is native."""
        try:
            return self.delegate.get_child_watcher()
        except NotImplementedError:
            return _NATIVE.get_child_watcher()

    def set_child_watcher(self, watcher: Any) -> None:
        """Set the delegate's."""
        self.delegate.set_child_watcher(watcher)

    @unseen
    def __getattr__(self, name: str) -> Any:
        return getattr(self.delegate, name)  # what uvloop's policy adds


def _twice(
    module: ModuleType, name: str, make: Callable[[Callable[..., Any]], object]
) -> tuple[Patch, Patch]:
    """One function in the place of a public one: in the `module` that defines it, and in `asyncio`."""
    return Patch(module, name, make), Patch(asyncio, name, lambda _: getattr(module, name))


class AsyncioFront:
    """Gives the answers. Thread: that of the caller."""

    def __init__(self, loop: Any, serves: Callable[[], bool]) -> None:
        self._loop = loop
        self._serves = serves
        self._leftover: asyncio.AbstractEventLoop | None = None
        self._set_loops: WeakSet[Any] = WeakSet()
        self.patches = (
            Patch(
                asyncio.events,
                "set_event_loop_policy",
                self._with_policy_wrapped,
                undone=self._unwrap_policy,
            ),
            Patch(asyncio, "set_event_loop_policy", lambda _: asyncio.events.set_event_loop_policy),
            *_twice(asyncio.events, "set_event_loop", self._noting),
            *_twice(asyncio.runners, "run", self._ignoring_leftover),
            Patch(asyncio.Runner, "run", self._ignoring_leftover),
            Patch(asyncio.Runner, "close", self._ignoring_leftover),
            *_twice(asyncio.tasks, "create_task", self._with_user_loop),
            *_twice(asyncio.tasks, "all_tasks", self._with_user_loop),
            *_twice(asyncio.tasks, "gather", self._watched),
            *_twice(asyncio.tasks, "shield", self._watched),
            *_twice(asyncio.tasks, "as_completed", self._still_at_each),
            *_twice(asyncio.tasks, "ensure_future", self._still),
            *_twice(asyncio.futures, "wrap_future", self._still),
            *(Patch(kind, name, self._still) for kind, names in STILL for name in names),
        )

    def _still(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Where no loop runs in the calling thread, the user loop stands still for `function`."""

        def still(*args: Any, **options: Any) -> Any:
            try:  # not `unseen`: they are called often
                if asyncio._get_running_loop() is not None or not self._serves():
                    return function(*args, **options)
                return self._loop.still(function, *args, **options)
            except BaseException as error:
                hide(error)
                raise

        return still

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`gather` and `shield` take their tasks' exceptions, which nobody hears of if nobody awaits them."""
        still = self._still(function)

        @unseen
        def watched(*args: Any, **options: Any) -> Any:
            future = still(*args, **options)
            if future.get_loop() is self._loop and self._loop.listener is not None:
                self._loop.listener.gathering_created(future)
            return future

        return watched

    def _still_at_each(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """As `_still`; until Python 3.12 `as_completed` is a generator, which works when it is asked."""
        still, ask = self._still(function), self._still(next)

        @unseen
        def as_completed(*args: Any, **options: Any) -> Any:
            each = still(*args, **options)
            return (one for one in iter(lambda: ask(each, _END), _END)) if inspect.isgenerator(each) else each

        return as_completed

    def _wrapped(self, policy: asyncio.AbstractEventLoopPolicy | None) -> UserLoopPolicy:
        if isinstance(policy, UserLoopPolicy):
            return policy
        return UserLoopPolicy(policy or asyncio.DefaultEventLoopPolicy(), self._loop, self._serves)

    def _with_policy_wrapped(self, function: Callable[[Any], None]) -> Callable[[Any], None]:
        """A user's policy (`uvloop.install()`) is wrapped at once, and the one that is there now."""
        function(self._wrapped(asyncio.get_event_loop_policy()))

        @unseen
        def set_event_loop_policy(policy: Any) -> None:
            function(policy)  # it knows what a policy is
            function(self._wrapped(policy))

        return set_event_loop_policy

    def _noting(self, function: Callable[[Any], None]) -> Callable[[Any], None]:
        """Note which loops cells set."""

        @unseen
        def set_event_loop(loop: Any) -> None:
            function(loop)
            if loop is not None and loop is not self._loop and self._serves():
                with contextlib.suppress(TypeError):  # not every loop can be referred to weakly
                    self._set_loops.add(loop)

        return set_event_loop

    def take_set_loops(self) -> list[Any]:
        """The loops that cells have set since this was called last, if they are still there. Thread: any."""
        loops = list(self._set_loops)
        self._set_loops.clear()
        return loops

    def note_leftover(self) -> None:
        """Note the running loop that is set though nothing of it is on the stack, before a cell.

        Playwright's sync API leaves its own between two calls, which ask for it.
        """
        self._leftover = asyncio._get_running_loop()

    def _ignoring_leftover(self, run: Callable[..., Any]) -> Callable[..., Any]:
        @unseen
        def run_all_the_same(*args: Any, **kwargs: Any) -> Any:
            loop = asyncio._get_running_loop()
            if loop is None or loop is not self._leftover or not self._serves():
                return run(*args, **kwargs)
            asyncio._set_running_loop(None)
            try:
                return run(*args, **kwargs)
            finally:
                asyncio._set_running_loop(loop)

        return run_all_the_same

    @staticmethod
    def _unwrap_policy() -> None:
        policy = asyncio.get_event_loop_policy()
        if isinstance(policy, UserLoopPolicy):
            asyncio.set_event_loop_policy(policy.delegate)

    def _with_user_loop(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if function.__name__ == "create_task":

            @unseen
            def create_task(coro: Any, **options: Any) -> Any:
                if asyncio._get_running_loop() is None and self._serves():
                    # `name` may be None, which loops take; `context` must be absent if it is None.
                    given = {key: value for key, value in options.items() if value is not None}
                    return self._loop.create_task(coro, **given)
                return function(coro, **options)

            return create_task

        @unseen
        def all_tasks(loop: Any = None) -> Any:
            if loop is None and asyncio._get_running_loop() is None and self._serves():
                loop = self._loop
            return function(loop)

        return all_tasks
