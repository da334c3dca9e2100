"""A sentinel of the notebook (PEP 661, Python 3.15) is one object on each side, whatever comes and goes.

Python pickles it as a name of its module, which the notebook's is not on the other side.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

#: The type of the objects, or none that anything has.
Sentinel: Any = getattr(builtins, "sentinel", type("Sentinel", (), {}))

#: Those that have been sent or have arrived, by name.
_known: dict[str, Any] = {}


def reduce_sentinel(value: Any) -> tuple[Callable[..., Any], tuple[object, ...]] | None:
    """How to find or make `value` on the other side; `None` if it is a module's, which is imported there."""
    if value.__module__ != "__main__":
        return None
    _known[value.__name__] = value
    return find_sentinel, (value.__name__, repr(value))


def find_sentinel(name: str, text: str) -> Any:
    """The sentinel of that name. Called by what is unpickled."""
    if name not in _known:
        made = Sentinel(name, repr=text)
        made.__module__ = "__main__"
        _known[name] = made
    return _known[name]
