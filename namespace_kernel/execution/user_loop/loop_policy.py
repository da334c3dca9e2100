"""What `asyncio.get_event_loop()` answers, until Python 3.13: a policy that stands before the user's.

From 3.14 on policies are deprecated: `loop_setting`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from namespace_kernel.base.frames import unseen
from namespace_kernel.base.patching import Function, Patch


class _Local:
    """Stands for the policy's thread-local, which nest_asyncio looks into."""

    def __init__(self, policy: UserLoopPolicy) -> None:
        self._policy = policy

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return self._policy.current_loop()  # not get_event_loop, which nest_asyncio replaces

    @_loop.setter
    def _loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._policy.set_event_loop(loop)


_NATIVE = asyncio.DefaultEventLoopPolicy()


class UserLoopPolicy(asyncio.AbstractEventLoopPolicy):
    """Delegates to the user's policy; where that has no usable loop, answers the user loop.

    Only in threads for which `serves` is true; elsewhere the delegate decides alone.
    """

    def __init__(
        self,
        delegate: asyncio.AbstractEventLoopPolicy,
        loop: asyncio.AbstractEventLoop,
        serves: Callable[[], bool],
    ) -> None:
        self.delegate = delegate
        self._user_loop = loop
        self._serves = serves
        self._set = threading.local()

    @property
    def _local(self) -> object:
        return _Local(self)

    @_local.setter
    def _local(self, fresh: object) -> None:
        """Asyncio sets an empty one in a forked child: the parent's loops are not the child's."""
        self._set = threading.local()
        vars(self.delegate)["_local"] = fresh

    @unseen
    def get_event_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that was set in this thread, if it is open; else the user loop."""
        return self.current_loop()

    def current_loop(self) -> asyncio.AbstractEventLoop:
        """As `get_event_loop`."""
        if not self._serves():
            return self.delegate.get_event_loop()
        loop = getattr(self._set, "loop", None)
        return self._user_loop if loop is None or loop.is_closed() else loop

    @unseen
    def set_event_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Remember `loop` for this thread."""
        self._set.loop = loop
        self.delegate.set_event_loop(loop)

    @unseen
    def new_event_loop(self) -> asyncio.AbstractEventLoop:
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


class LoopAnswers:
    """Keeps the policy in place, whatever policy is set. Thread: main."""

    def __init__(self, loop: asyncio.AbstractEventLoop, serves: Callable[[], bool]) -> None:
        self._loop = loop
        self._serves = serves
        self.patches = (
            Patch(
                asyncio.events,
                "set_event_loop_policy",
                self._with_policy_wrapped,
                undone=self._unwrap_policy,
            ),
            Patch(asyncio, "set_event_loop_policy", lambda _: asyncio.events.set_event_loop_policy),
        )

    def renew(self) -> None:
        """To be called before a cell: there is nothing to do."""

    def _wrapped(self, policy: asyncio.AbstractEventLoopPolicy | None) -> UserLoopPolicy:
        if isinstance(policy, UserLoopPolicy):
            return policy
        return UserLoopPolicy(policy or asyncio.DefaultEventLoopPolicy(), self._loop, self._serves)

    def _with_policy_wrapped(self, function: Function) -> Function:
        """A user's policy (`uvloop.install()`) is wrapped at once, and the one that is there now."""
        function(self._wrapped(asyncio.get_event_loop_policy()))

        @unseen
        def set_event_loop_policy(policy: Any) -> None:
            function(policy)  # it knows what a policy is
            function(self._wrapped(policy))

        return set_event_loop_policy

    @staticmethod
    def _unwrap_policy() -> None:
        policy = asyncio.get_event_loop_policy()
        if isinstance(policy, UserLoopPolicy):
            asyncio.set_event_loop_policy(policy.delegate)
