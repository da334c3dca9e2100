"""Modules that ipykernel imports though a kernel may never use them: they are run when they are used.

- `ipykernel.debugger` imports debugpy: a third of the time of a start. It is asked with the first kernel,
  and for each `kernel_info_request`, whether debugpy is there, which is known without importing it.
- `jupyter_client` itself imports its clients and managers. A kernel needs its `session` and `connect`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any

#: One at a time is run.
_lock = threading.RLock()


class _LazyModule(ModuleType):
    """Is run, and then is an ordinary module, when a name is asked for that it does not have."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":  # so the import system asks whether it is a package
            raise AttributeError(name)
        with _lock:
            if type(self) is _LazyModule:
                self.__class__ = ModuleType  # type: ignore[assignment]
                spec = self.__spec__
                assert spec is not None and spec.loader is not None
                try:
                    spec.loader.exec_module(self)
                except BaseException:
                    self.__class__ = _LazyModule  # it says so again
                    raise
        return getattr(self, name)


def defer_debugger() -> None:
    """Let ipykernel's debugger be imported when it is used, unless debugpy is not there."""
    if importlib.util.find_spec("debugpy") is not None:
        _defer("ipykernel.debugger", _is_debugpy_available=True)


def defer_clients() -> None:
    """Let what only clients need of `jupyter_client` be imported when it is used."""
    if _defer("jupyter_client"):
        connect = importlib.import_module("jupyter_client.connect")
        client: Any = sys.modules["jupyter_client"]
        for name in ("find_connection_file", "write_connection_file"):  # which ipykernel uses
            setattr(client, name, getattr(connect, name))


def _defer(name: str, **known: Any) -> bool:
    """Whether the module is deferred now: not if it is imported already. `known` it has from the start."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None:
        return False
    module = importlib.util.module_from_spec(spec)
    module.__class__ = _LazyModule
    vars(module).update(known)
    sys.modules[name] = module
    return True
