"""The names that belong to the kernel, and where their right values come from.

A cell may do anything to them: `for _ in …`, `del _oh`, `globals().clear()`. Nothing can be
hooked (compiled `STORE_GLOBAL` bypasses a dict subclass), so they are set right after the cell,
from a source that the cell cannot reach by name.

Code may put keys beside the names that are no plain strings: `globals()[5] = 2`. They stay, and nobody looks
them up, for that would run their own code. Only where one has the hash of a name, and an `__eq__` that
raises, so that the name cannot be reached any more, they are dropped.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping, Set
from itertools import repeat
from operator import is_not
from typing import Any, Protocol

from namespace_kernel.base.cell import Namespace

RESULT_NAMES = ("_", "__", "___")
STATE_NAMES = ("_exit_code", "_exception")
HISTORY_NAMES = ("In", "Out", "_ih", "_oh", "_dh", "_i", "_ii", "_iii")
CALLABLE_NAMES = ("get_ipython", "exit", "quit")
ENGINE_NAMES = frozenset((*RESULT_NAMES, *STATE_NAMES, *HISTORY_NAMES, *CALLABLE_NAMES))

#: What a module's dict holds before any cell; put back only if missing, a cell may rebind them.
MODULE_NAMES = frozenset(
    ("__name__", "__doc__", "__package__", "__loader__", "__spec__", "__builtin__", "__builtins__")
)

#: What the compiler binds for annotations in a cell, from Python 3.14 on: no name of the user's.
ANNOTATING_NAMES = frozenset(("__annotate__", "__conditional_annotations__"))

#: Of a module's names, what no code of the module could run without.
ALWAYS_RIGHT = frozenset(("__builtin__", "__builtins__"))

_NUMBERED = re.compile(r"_i?[0-9]+", re.ASCII)


def has_odd_keys(names: Mapping[Any, Any]) -> bool:
    """Whether some key of `names` is no plain string, and so no name. 2 ms for 100,000 of them."""
    return any(map(is_not, map(type, list(names)), repeat(str)))


def only_names(names: Mapping[Any, Any]) -> Namespace:
    """What of `names` has a name. None of the others is looked up."""
    return {name: value for name, value in list(names.items()) if type(name) is str}


def drop_odd_keys(names: dict[Any, Any]) -> bool:
    """Remove from `names` all that are no names, whatever their own code does; whether there were some."""
    if not has_odd_keys(names):
        return False
    kept = only_names(names)
    names.clear()
    names.update(kept)
    return True


#: Stands for "there is no value": `None` is a value.
MISSING = object()


class EngineSource(Protocol):
    """Knows what the engine names should be now.

    Called by the namespace, under its lock, after every cell.
    """

    def values(self) -> Namespace:
        """The engine names that must exist, with their right values."""

    def numbered(self, name: str) -> object:
        """The right value of `_N` or `_iN`, or `MISSING` if the engine has none."""

    def accept(self, names: Namespace) -> None:
        """Take what the engine itself wrote into the namespace for right from now on."""

    def transforms(self) -> bool:
        """Whether somebody may change a cell's syntax tree, so that other code runs than its text says."""

    def results(self) -> list[object]:
        """Every reference to a result that the engine keeps outside the namespace."""

    def replace(self, old: object, new: object) -> None:
        """Put `new` wherever the engine keeps the result `old`."""


def is_numbered(name: str) -> bool:
    """Whether `name` is `_N` or `_iN`, where IPython caches outputs and inputs."""
    return _NUMBERED.fullmatch(name) is not None


def is_numbered_input(name: str) -> bool:
    """Whether `name` is `_iN`, where IPython caches the input of cell N."""
    return name.startswith("_i") and is_numbered(name)


def is_engine_name(name: object) -> bool:
    """Whether `name`, any key of a namespace, belongs to the kernel."""
    if not issubclass(type(name), str):
        return False
    plain = str.__str__(name)  # without a subclass's own code
    return plain in ENGINE_NAMES or is_numbered(plain)


def set_right(
    live: Namespace,
    source: EngineSource,
    state: Namespace,
    touched: set[str],
    in_use: Set[str] = frozenset(),
) -> set[str]:
    """Restore the engine names in `live`, but those `in_use`; return those that were wrong.

    If `builtins._` exists (`gettext.install()`), `_` is left to it, as IPython does.

    `state` holds those that the namespace keeps itself. Of the numbered ones only those among `touched`
    are examined: there may be thousands.
    """
    wrong = set()
    names = {**source.values(), **state}
    if "_" in vars(builtins):
        if live.get("_", MISSING) is names["_"]:
            del live["_"]
        for name in RESULT_NAMES:
            del names[name]
    for name in in_use & names.keys():
        del names[name]
    for name, value in names.items():
        if live.get(name, MISSING) is not value:
            live[name] = value
            wrong.add(name)
    for name in touched - in_use:
        value = source.numbered(name) if is_numbered(name) else MISSING
        if value is not MISSING and live.get(name, MISSING) is not value:
            live["".join(name)] = value  # a key of its own tells who compares that it stands elsewhere now
            wrong.add(name)
    return wrong
