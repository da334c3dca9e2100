"""What the Jupyter packages import at the start and a kernel may never call.

For that import alone `sys.modules` has something small in the place of each module: functions that import it
when they are called. When the import is over it is taken away. So before any code of the user's runs, each
entry of `sys.modules` is the module itself, and what is not there the next import finds.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from types import ModuleType
from typing import Any

#: The names that are only called, and milliseconds of a start of 200: jupyter_client's provisioners (8),
#: ipykernel's completion (3), the logging of traitlets (2), ipykernel's look at macOS (1).
_CALLED = {
    "importlib.metadata": ("EntryPoint", "entry_points"),
    "IPython.core.completer": ("provisionalcompleter", "rectify_completions"),
    "logging.config": ("dictConfig",),
    "packaging.version": ("Version",),
    "dateutil.tz": ("tzlocal",),
}


def import_packages() -> None:
    """Import ipykernel's kernel and what it needs. Thread: main, before all else."""
    with contextlib.ExitStack() as lending:
        for name, called in _CALLED.items():
            lending.enter_context(lent(name, **{one: _later(name, one) for one in called}))
        lending.enter_context(lent("dateutil.parser", isoparse=_parse_date))
        importlib.import_module("ipykernel.ipkernel")


@contextlib.contextmanager
def lent(name: str, **names: Any) -> Iterator[None]:
    """Let `name` be a module of these `names`, unless it is imported already. Thread: main.

    Whoever asks it for another name gets that of the module itself.
    """
    if name in sys.modules:
        yield
        return

    def of_the_module_itself(other: str) -> Any:
        if other.startswith("__"):  # the import system asks for `__path__`, others for `__file__`
            raise AttributeError(other)
        if sys.modules.get(name) is module:
            del sys.modules[name]
        return getattr(importlib.import_module(name), other)

    module = ModuleType(name)
    vars(module).update(names, __getattr__=of_the_module_itself)
    sys.modules[name] = module
    try:
        yield
    finally:
        if sys.modules.get(name) is module:
            del sys.modules[name]


def _later(module: str, name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **kwargs)

    return call


def _parse_date(text: str) -> datetime:
    """The date in a message's header: Python's own parser knows it, in 0.1 µs; dateutil's takes 4.6."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        parsed: datetime = _later("dateutil.parser", "isoparse")(text)
        return parsed
