"""Classes that travel by value: they arrive as they were, and no hook of theirs runs again.

cloudpickle makes such a class empty and fills it afterwards. On the way it forgets `__slots__`,
`__qualname__` and what members of an enumeration carry. And it calls metaclasses and `__init_subclass__` of
the user, which have done their work already: they would register the class a second time.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pickle import PicklingError
from typing import Any, NamedTuple

from cloudpickle import cloudpickle as internals

#: What the machinery of enumerations gives to a member.
_MEMBERS_OWN = frozenset(("_value_", "_name_", "__objclass__", "_sort_order_"))


def reduce_class(made: type, reduced: tuple[Any, ...]) -> tuple[Any, ...]:
    """What cloudpickle's reduction of a class becomes: arguments of `make_class`, and the state."""
    make, arguments, (content, slots) = reduced[:3]
    content.pop("__slotnames__", None)  # `copyreg` keeps it in the class
    for name in [name for name, value in content.items() if _is_slot(made, value)]:
        del content[name]
    if sys.version_info >= (3, 14):  # where cloudpickle leaves them out, for they are made when asked for
        content.pop("__annotations_cache__", None)
        if annotations := annotations_of(made):
            content["__annotations__"] = annotations
    if issubclass(made, Enum):
        _check_members(made)
        slots = {"members": {member.name: _extras(member) for member in made}}
    else:
        make = make_skeleton
        if NamedTuple in arguments[2]:  # which makes classes of its own, of nothing but annotations
            arguments = (*arguments[:2], made.__bases__, *arguments[3:])
        arguments[3]["__qualname__"] = made.__qualname__
        if "__slots__" in content:
            arguments[3]["__slots__"] = content.pop("__slots__")
    return (make, arguments), (content, slots)


def annotations_of(definition: Any) -> dict[str, object]:
    """The annotations of a function or a class; none if they cannot be had."""
    try:
        annotations: dict[str, object] = definition.__annotations__
    except Exception:  # Python 3.14 evaluates them now, and one names something that does not exist yet
        return {}
    return annotations


def _is_slot(made: type, value: object) -> bool:
    return type(value) is types.MemberDescriptorType and value.__objclass__ is made


def _extras(member: Enum) -> dict[str, object]:
    return {name: value for name, value in vars(member).items() if name not in _MEMBERS_OWN}


def _check_members(made: type[Enum]) -> None:
    """Raise `PicklingError` if the members are values that cannot be made of `member.value` again."""
    kind = made._member_type_  # type: ignore[attr-defined]
    if kind is object:
        return
    member: Enum
    for member in made:
        try:
            same = kind(member.value) == kind(member)
        except Exception:
            same = False
        if not same:
            raise PicklingError(f"the members of `{made.__name__}` are made by a `__new__` of its own")


# What the pickles refer to by name. Changing a signature here is changing the format.


def make_skeleton(
    metaclass: Any, name: str, bases: tuple[Any, ...], content: dict[str, Any], tracker: str, _: object
) -> type:
    """An empty class; the one that exists here already, if it has come before or is from here."""
    known: type | None = internals._DYNAMIC_CLASS_TRACKER_BY_ID.get(tracker)
    if known is not None:
        return known
    real: Any = types.resolve_bases(bases)
    if real is not bases:
        content["__orig_bases__"] = bases
    with _quiet(real):
        if internals._should_pickle_by_reference(metaclass):
            made = types.new_class(
                name, real, {"metaclass": metaclass}, lambda namespace: namespace.update(content)
            )
        else:
            maker: Any = next(one for one in metaclass.__mro__ if internals._should_pickle_by_reference(one))
            made = maker.__new__(metaclass, name, real, content)
    tracked: type = internals._lookup_class_or_track(tracker, made)
    return tracked


@contextmanager
def _quiet(bases: tuple[type, ...]) -> Iterator[None]:
    """While entered, no `__init_subclass__` of the user's is called for a class with these `bases`."""
    with ExitStack() as stack:
        for base in {ancestor for one in bases for ancestor in one.__mro__}:
            hook = vars(base).get("__init_subclass__")
            if hook is not None and not internals._should_pickle_by_reference(base):
                type.__delattr__(base, "__init_subclass__")
                stack.callback(type.__setattr__, base, "__init_subclass__", hook)
        yield


def set_content(made: type, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Fill an empty class."""
    content, more = state
    internals._class_setstate(made, (content, {}))
    for name, extras in more.get("members", {}).items():
        vars(made._member_map_[name]).update(extras)  # type: ignore[attr-defined]
