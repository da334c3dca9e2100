"""What asyncio's module functions answer in threads where no loop runs.

`asyncio.get_event_loop()` answers the user loop, also after `asyncio.run()` has set and removed its
own; `create_task` and `all_tasks`, called by a helper function in a sync cell, use the user loop.
`get_running_loop()` keeps raising: that is how libraries ask whether they are inside a loop. For the
same reason `current_task` is left alone.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Collection
from typing import Any

from ..frames import unseen


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
_set_event_loop_policy = asyncio.set_event_loop_policy


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


def _wake_waiters(event: Any) -> None:
    """What `Event.set` does for its waiters, also if it has been cleared since."""
    for future in event._waiters:
        if not future.done():
            future.set_result(True)


class AsyncioFront:
    """Installs and removes the answers. Thread: main."""

    def __init__(self, loop: Any, serves: Callable[[], bool]) -> None:
        self._loop = loop
        self._serves = serves
        self._originals: list[tuple[Any, str, Any]] = []
        self._leftover: asyncio.AbstractEventLoop | None = None

    def install(self) -> None:
        """Put the policy and the three functions in place."""
        asyncio.set_event_loop_policy(self._wrapped(asyncio.get_event_loop_policy()))
        for module in (asyncio, asyncio.events):
            self._originals.append((module, "set_event_loop_policy", module.set_event_loop_policy))
            module.set_event_loop_policy = self._set_policy  # type: ignore[attr-defined]
        run = self._ignoring_leftover(asyncio.run)
        for owner, name, replacement in (
            (asyncio, "run", run),
            (asyncio.runners, "run", run),
            (asyncio.Runner, "run", self._ignoring_leftover(asyncio.Runner.run)),
            (asyncio.Runner, "close", self._ignoring_leftover(asyncio.Runner.close)),
            (asyncio.Event, "set", self._set_for_loop(asyncio.Event.set)),
        ):
            self._originals.append((owner, name, getattr(owner, name)))
            setattr(owner, name, replacement)
        for name in ("create_task", "all_tasks"):
            original = getattr(asyncio, name)
            front = self._with_user_loop(original)
            for module in (asyncio, asyncio.tasks):
                self._originals.append((module, name, getattr(module, name)))
                setattr(module, name, front)
        for name in ("gather", "shield"):
            watched = self._watched(getattr(asyncio, name))
            for module in (asyncio, asyncio.tasks):
                self._originals.append((module, name, getattr(module, name)))
                setattr(module, name, watched)

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`gather` and `shield` take their tasks' exceptions; if nobody awaits them, nobody would hear of it.

        And `gather` needs the loop to stand still: what is done before it returns, it would never notice.
        """

        @unseen
        @functools.wraps(function)
        def watched(*args: Any, **options: Any) -> Any:
            if self._are_for_user_loop(args):
                future = self._loop.call_inside(function, *self._scheduled(args), **options)
            else:
                future = function(*args, **options)
            if future.get_loop() is self._loop and self._loop.on_gathering is not None:
                self._loop.on_gathering(future)
            return future

        return watched

    def _are_for_user_loop(self, awaitables: Collection[Any]) -> bool:
        """Whether the calling thread runs no loop, and asyncio takes the user loop for `awaitables`."""
        if asyncio._get_running_loop() is not None or not self._serves():
            return False
        loops = {one.get_loop() for one in awaitables if asyncio.isfuture(one)}
        return loops | {asyncio.get_event_loop_policy().get_event_loop()} == {self._loop}

    def _scheduled(self, awaitables: Collection[Any]) -> list[Any]:
        """`awaitables` with a task for each coroutine, begun by the user's line that calls us."""
        tasks: dict[int, Any] = {}
        for one in awaitables:
            if id(one) not in tasks:
                tasks[id(one)] = self._loop.create_task(one) if asyncio.iscoroutine(one) else one
        return [tasks[id(one)] for one in awaitables]

    def _set_for_loop(self, function: Callable[[asyncio.Event], None]) -> Callable[[asyncio.Event], None]:
        """`Event.set` walks through its waiters. The loop must not wake the first of them meanwhile: it would
        take itself from the list.
        """

        @unseen
        @functools.wraps(function)
        def set_event(event: Any) -> None:
            ours = getattr(event, "_loop", None) is self._loop
            if asyncio._get_running_loop() is not None or not ours:
                function(event)
            elif not event._value:
                event._value = True
                self._loop.call_soon_threadsafe(_wake_waiters, event)

        return set_event

    def _wrapped(self, policy: asyncio.AbstractEventLoopPolicy | None) -> UserLoopPolicy:
        if isinstance(policy, UserLoopPolicy):
            return policy
        return UserLoopPolicy(policy or asyncio.DefaultEventLoopPolicy(), self._loop, self._serves)

    @unseen
    def _set_policy(self, policy: asyncio.AbstractEventLoopPolicy | None) -> None:
        """As `asyncio.set_event_loop_policy`; a user's policy (`uvloop.install()`) is wrapped at once."""
        if policy is None or isinstance(policy, asyncio.AbstractEventLoopPolicy):
            policy = self._wrapped(policy)
        _set_event_loop_policy(policy)  # which refuses what is none

    def note_leftover(self) -> None:
        """Note the running loop that is set though nothing of it is on the stack, before a cell.

        Playwright's sync API leaves its own between two calls, which ask for it.
        """
        self._leftover = asyncio._get_running_loop()

    def _ignoring_leftover(self, run: Callable[..., Any]) -> Callable[..., Any]:
        @unseen
        @functools.wraps(run)
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

    def uninstall(self) -> None:
        """Restore what was there before."""
        for module, name, original in reversed(self._originals):
            setattr(module, name, original)
        self._originals.clear()
        policy = asyncio.get_event_loop_policy()
        if isinstance(policy, UserLoopPolicy):
            asyncio.set_event_loop_policy(policy.delegate)

    def _with_user_loop(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if function.__name__ == "create_task":

            @unseen
            @functools.wraps(function)
            def create_task(coro: Any, **options: Any) -> Any:
                if asyncio._get_running_loop() is None and self._serves():
                    # `name` may be None, which loops take; `context` must be absent if it is None.
                    given = {key: value for key, value in options.items() if value is not None}
                    return self._loop.create_task(coro, **given)
                return function(coro, **options)

            return create_task

        @unseen
        @functools.wraps(function)
        def all_tasks(loop: Any = None) -> Any:
            if loop is None and asyncio._get_running_loop() is None and self._serves():
                loop = self._loop
            return function(loop)

        return all_tasks
