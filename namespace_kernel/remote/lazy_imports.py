"""What `lazy import` binds (PEP 810, Python 3.15) travels as what it stands for, which is imported for that.

Python pickles no such object, and a function's globals hold it until somebody uses the name.
"""

from __future__ import annotations

import contextlib
import importlib
import operator
import types
from collections.abc import Callable
from types import ModuleType
from typing import Any

#: The type of the objects, or none that anything has.
LazyImport: type = getattr(types, "LazyImportType", type("LazyImport", (), {}))


def resolved(value: Any) -> Any:
    """`value`, or what it stands for if it is a lazy import. Raises what the import raises."""
    return _imported(value)[0] if type(value) is LazyImport else value


def reduce_lazy(value: Any) -> tuple[Callable[..., Any], tuple[object, ...]]:
    """How to make on the other side what the lazy import `value` stands for. Raises as `resolved`."""
    return operator.getitem, (_imported(value), 0)


def _imported(value: Any) -> tuple[Any, ModuleType | None]:
    """What `value` stands for, and the submodule of `lazy import package.submodule`, which binds the package.

    Python imports a submodule only when somebody asks the package for it. Only the text shows its name.
    """
    found = value.resolve()
    name = repr(value).partition("'")[2].partition("'")[0]
    if isinstance(found, ModuleType) and name.startswith(f"{found.__name__}."):
        with contextlib.suppress(ImportError):  # the name of one that is no module
            return found, importlib.import_module(name)
    return found, None
