"""The functions and classes of `__main__`, and which is which in all processes."""

from __future__ import annotations

import functools
import sys
import uuid
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from namespace_kernel.base.threads import RLock
from namespace_kernel.base.weak_references import WeakKeys, WeakValues

if TYPE_CHECKING:
    from namespace_kernel.base.cell import Namespace

#: A function or class.
Definition: TypeAlias = FunctionType | type
#: A function under `functools.cache` or `lru_cache`.
Cached: TypeAlias = "functools._lru_cache_wrapper[object]"

lock = RLock()


class Registry:
    """Which definition is which, in all processes: each has a token from where it was made.

    Guarantees: a token names the same definition wherever it goes. Thread: any, with `lock` held.
    """

    def __init__(self) -> None:
        self.tokens: WeakKeys[Definition, str] = WeakKeys()
        self.made_here: WeakValues[str, Definition] = WeakValues()
        #: Those of elsewhere. In a child they are kept: the next task may need them.
        self.arrived: WeakValues[str, Definition] = WeakValues()
        self.kept: dict[str, Definition] = {}
        #: Of each definition that arrived, and of each global that was sent, the content seen last.
        self.contents: dict[str, bytes] = {}
        self.names: dict[str, bytes] = {}
        #: Globals that were left out, and why.
        self.left_out: dict[str, str] = {}

    def token_of(self, definition: Definition) -> str:
        """The token of a definition; a new one if it has been made here and was never sent."""
        token = self.tokens.get(definition)
        if token is None:
            token = self.tokens[definition] = uuid.uuid4().hex
            self.made_here[token] = definition
        return token

    def add(self, token: str, definition: Definition) -> None:
        """Know a definition that was made elsewhere."""
        self.tokens[definition] = token
        self.arrived[token] = definition


registry = Registry()


def is_cached(obj: object) -> TypeGuard[Cached]:
    """Whether it is a function of `__main__` under `functools.cache` or `lru_cache`: a type of its own."""
    return isinstance(obj, functools._lru_cache_wrapper) and obj.__module__ == "__main__"


def reduce_cached(function: Cached) -> tuple[object, ...]:
    """Reduce such a function; what it has cached stays behind."""
    return _cached, (function.__wrapped__, function.cache_parameters())


def _cached(function: Callable[..., object], parameters: dict[str, Any]) -> object:
    return functools.lru_cache(**parameters)(function)


def know_all(live: Namespace) -> None:
    """Give tokens to what is in `live`, before a fork: to the child these are its own, and no copies."""
    with lock:
        waiting = [value for value in live.copy().values() if is_definition(value)]
        while waiting:
            definition = waiting.pop()
            if definition not in registry.tokens:
                registry.token_of(definition)
                if isinstance(definition, type):
                    waiting.extend(filter(is_definition, vars(definition).values()))


def is_definition(value: object) -> TypeGuard[Definition]:
    """Whether it is a function or class of `__main__`."""
    return isinstance(value, FunctionType | type) and getattr(value, "__module__", None) == "__main__"


def live_globals() -> Namespace:
    """The globals of `__main__` in this process."""
    return vars(sys.modules["__main__"])
