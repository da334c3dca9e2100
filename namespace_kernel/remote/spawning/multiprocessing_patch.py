"""`multiprocessing` under `spawn` and `forkserver` with what cells define.

Such a process begins with an empty `__main__`. A script is run again there; cells cannot be. So what lives in
`__main__`, pickled by name, is found nowhere. Here it travels by value (`values`), and nothing is run again.

Children that were forked have everything: while no other start method is used, they get names as ever.
"""

from __future__ import annotations

import functools
import multiprocessing.context
import os
import sys
from collections.abc import Callable
from multiprocessing import util
from multiprocessing.context import BaseContext, get_spawning_popen
from multiprocessing.reduction import ForkingPickler
from types import FunctionType
from typing import TYPE_CHECKING, Any

from namespace_kernel.base.frames import unseen
from namespace_kernel.base.patching import Patch, Patches

if TYPE_CHECKING:
    from namespace_kernel.base.cell import Namespace

#: Where such processes have names and things of their own, and are asked whether they will be used.
_CONTEXTS: tuple[object, ...] = tuple(
    getattr(multiprocessing.context, name)
    for name in ("SpawnContext", "ForkServerContext")
    if hasattr(multiprocessing.context, name)
)
#: What pickle finds by its name.
_KINDS = FunctionType, type, functools._lru_cache_wrapper


class MultiprocessingFront:
    """Teaches multiprocessing's pickler to send what lives in `__main__`, whose names are `live`.

    Nothing is imported for it before it is needed. Thread: any.
    """

    def __init__(self, live: Namespace) -> None:
        self._live = live
        self._in_use = False
        #: In force once such a process may be started.
        self.late = Patches(Patch("multiprocessing.spawn", "get_preparation_data", self._preparing))
        self.patches = (
            Patch(ForkingPickler, "reducer_override", self._reducing, undone=self.late.undo, adds=True),
            # A queue is filled before the first process is there.
            *(Patch(kind, "get_context", self._noticing) for kind in _CONTEXTS),
            *(() if sys.flags.safe_path else (Patch(util, "_args_from_interpreter_flags", _with_safe_path),)),
        )

    def _reducing(self, original: None) -> Callable[..., object]:
        @unseen
        def reducer_override(pickler: ForkingPickler, obj: object) -> object:
            return self._reduce(pickler, obj)

        return reducer_override

    def _noticing(self, original: Callable[..., object]) -> Callable[..., object]:
        @unseen
        def get_context(context: BaseContext, method: str | None = None) -> object:
            self._is_used()
            return original(context, method)

        return get_context

    def _reduce(self, pickler: ForkingPickler, obj: Any) -> object:
        """Called by the pickler for everything that is neither a plain value nor a plain container."""
        if not issubclass(type(obj), _KINDS) or getattr(obj, "__module__", None) != "__main__":
            return NotImplemented
        if not self._goes_by_value():
            return NotImplemented
        from namespace_kernel.remote.spawning.by_value import reduce
        from namespace_kernel.remote.spawning.definitions import is_cached, reduce_cached

        return reduce_cached(obj) if is_cached(obj) else reduce(obj, self._live, pickler)

    def _goes_by_value(self) -> bool:
        if self._in_use:
            return True
        default = multiprocessing.get_start_method(allow_none=True)
        if get_spawning_popen() is not None or default not in (None, "fork"):
            self._is_used()
        return self._in_use

    def _is_used(self) -> None:
        if self._in_use:
            return
        self._in_use = True
        import multiprocessing.spawn  # noqa: F401

        self.late.install()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._before_fork)

    def _before_fork(self) -> None:
        from namespace_kernel.remote.spawning.definitions import know_all

        if self.late.are_installed:
            know_all(self._live)

    def _preparing(self, original: Callable[[str], dict[str, object]]) -> Callable[[str], dict[str, object]]:
        """What a process does first. It must not run `__main__` again, whatever `__file__` a cell has set."""

        def get_preparation_data(name: str) -> dict[str, object]:
            data = original(name)
            if vars(sys.modules["__main__"]) is self._live:
                data.pop("init_main_from_name", None)
                data.pop("init_main_from_path", None)
            return data

        return get_preparation_data


def _with_safe_path(original: Callable[[], list[str]]) -> Callable[[], list[str]]:
    """Start such processes with `-P`, as they are where this one has it.

    Else they begin with modules beside the notebook that are named like the standard library's. The
    folder comes with the rest of `sys.path`.
    """
    return lambda: [*original(), "-P"]
