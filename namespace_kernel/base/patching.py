"""What stands in the place of others' functions: put there in order, taken away in reverse.

A part says what it replaces as a tuple of `Patch`; `patches.py` is the inventory of all.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType, TracebackType
from typing import Any, NamedTuple, TypeAlias

#: Whatever can be called. What stands in the place of a function takes what that takes.
Function: TypeAlias = Callable[..., Any]

_MISSING = object()


def _nothing() -> None:
    """What most patches have to do when they are undone."""


class Patch(NamedTuple):
    """`make(original)` in the place of `name` in `owner`.

    `owner` is a module or a class, or its full name: then it is looked for when the patch is installed, and
    nothing is imported for it. Where there is no such name nothing is done, unless the patch `adds` it.

    A function gets the name, module, documentation and signature of the original. To check what the original
    checks is its own duty. `undone` is called when the patch is undone, whatever stands there then.
    """

    owner: Any
    name: str
    make: Callable[[Any], object]
    undone: Callable[[], None] = _nothing
    adds: bool = False


class Patches:
    """Some patches, from `install` to `undo`; or in a `with` block.

    Guarantees: installed again they are not put there twice. What others have put in front of ours stays.

    Thread: main, if their owner does not say otherwise.
    """

    def __init__(self, *patches: Patch) -> None:
        self.patches = patches
        #: In the order of installing: the owner, what we put there, and what it had itself.
        self._standing: list[tuple[Patch, Any, object, object]] = []

    @property
    def are_installed(self) -> bool:
        """Whether any is. Thread: any."""
        return bool(self._standing)

    def install(self) -> None:
        """Put them in place; what is not imported yet is left out."""
        if self._standing:
            return
        for patch in self.patches:
            owner = owner_of(patch)
            if owner is None or not (patch.adds or hasattr(owner, patch.name)):
                continue
            original = getattr(owner, patch.name, None)
            ours = patch.make(original)
            if ours is original:
                continue
            _resemble(ours, original, owner)
            self._standing.append((patch, owner, ours, vars(owner).get(patch.name, _MISSING)))
            setattr(owner, patch.name, ours)

    def undo(self) -> None:
        """Put back what was there, where ours stands still."""
        while self._standing:
            patch, owner, ours, before = self._standing.pop()
            if vars(owner).get(patch.name) is ours:
                if before is _MISSING:
                    delattr(owner, patch.name)
                else:
                    setattr(owner, patch.name, before)
            patch.undone()

    def __enter__(self) -> None:
        self.install()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


def owner_of(patch: Patch) -> Any:
    """The module or class that is patched; `None` if it is not imported. Thread: any."""
    if not isinstance(patch.owner, str):
        return patch.owner
    module, inside = patch.owner, ""
    while module not in sys.modules:
        module, _, last = module.rpartition(".")
        if not module:
            return None
        inside = f"{last}.{inside}"
    found: Any = sys.modules[module]
    for name in inside.split(".")[:-1]:
        found = getattr(found, name, None)
    return found


def _resemble(ours: object, original: object, owner: object) -> None:
    """Let the function look like the original, and be found by pickle, which looks in its module."""
    if not isinstance(ours, FunctionType) or isinstance(original, type) or not callable(original):
        return
    inner: Any = vars(ours).get("__wrapped__")
    if inner is not None and inner is not original and hasattr(original, "__qualname__"):
        inner.__qualname__ = original.__qualname__  # Python names it where the arguments are wrong
    functools.update_wrapper(ours, original)
    home = sys.modules.get(ours.__module__)
    if isinstance(owner, ModuleType) and home is not owner and getattr(home, ours.__name__, None) is original:
        ours.__module__ = owner.__name__
