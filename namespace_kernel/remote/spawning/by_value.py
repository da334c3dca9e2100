"""Functions and classes of `__main__`, pickled by value.

cloudpickle does the work. Four things are otherwise than it would do by itself:

- A function's globals are those of `__main__` where it arrives, not a dict of its own: what an initializer
  sets there, the tasks that follow see. Those that it uses, and those that they use, travel along.
- A global is set there only if its content has changed here since it was sent last; what the process
  itself has made of it stays.
- What comes back to where it was made is the original, not a copy, and no globals are set.
- Globals that cannot be pickled are left out.

This module is imported on both sides, only when something travels.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import ChainMap
from collections.abc import Callable, Mapping
from multiprocessing.process import current_process, parent_process
from multiprocessing.reduction import ForkingPickler
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import cloudpickle

from namespace_kernel.base.patching import Patch, Patches
from namespace_kernel.remote.lazy_imports import LazyImport, reduce_lazy
from namespace_kernel.remote.sentinels import Sentinel, reduce_sentinel

from .definitions import Definition, is_cached, is_definition, live_globals, lock, reduce_cached, registry
from .reasons import words_for

if TYPE_CHECKING:
    from namespace_kernel.base.cell import Namespace

_ATOMS = frozenset({int, float, complex, bool, str, bytes, type(None), ModuleType})


class _Live:
    """In a pickle, the globals of `__main__`."""

    def __reduce__(self) -> tuple[object, ...]:
        return live_globals, ()


_LIVE = _Live()


class DefinitionPickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's, for definitions that use the globals `live`. `names` are those it has come by.

    With `probing` what is written is not meant to be read; what multiprocessing passes by handle is let be.
    """

    def __init__(self, file: io.IOBase, live: Namespace, *, probing: bool = False) -> None:
        self._live = live
        self.names: Namespace = {}
        handles = ForkingPickler._extra_reducers  # type: ignore[attr-defined]
        if probing:
            handles = dict.fromkeys(handles, _by_identity)
        # Before the pickler is made: it looks at this once.
        self.dispatch_table: Mapping[type, object] = ChainMap(cloudpickle.Pickler.dispatch_table, handles)
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)

    def reducer_override(self, obj: Any) -> object:
        """Called for everything that is neither a plain value nor a plain container."""
        if is_cached(obj):
            return reduce_cached(obj)
        if type(obj) is LazyImport:
            return reduce_lazy(obj)
        if type(obj) is Sentinel:
            return reduce_sentinel(obj) or NotImplemented
        reduced = super().reducer_override(obj)
        if not isinstance(reduced, tuple) or len(reduced) != 6:
            return reduced
        make, args, state, _, _, set_state = reduced
        if isinstance(obj, FunctionType) and obj.__globals__ is self._live:
            slots = state[1]
            self.names.update(slots.pop("__globals__"))
            make, args, set_state = FunctionType, (args[0], _LIVE, *args[2:]), _set_function
        name = getattr(obj, "__qualname__", "")
        if self._live.get(name) is obj:
            self.names[name] = obj  # also found by its name there: so plain pickle finds it
        with lock:
            token = registry.token_of(obj)
        return _build, (token, make, args), (token, set_state, state), None, None, _fill


class _Hash(io.RawIOBase):
    """A file that keeps nothing but the digest of what is written."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)

    def write(self, data: Any, /) -> int:
        self._hash.update(data)
        return len(data)

    def digest(self) -> bytes:
        return self._hash.digest()


def probe(value: object, live: Namespace) -> tuple[bytes, Namespace]:
    """The digest of what `value` holds, and the globals that it uses. Raises what pickling it raises."""
    if type(value) in _ATOMS:
        return hashlib.blake2b(repr((type(value), value)).encode(), digest_size=16).digest(), {}
    sink = _Hash()
    pickler = DefinitionPickler(sink, live, probing=True)
    pickler.dump(value)
    return sink.digest(), pickler.names


def reduce(definition: Definition, live: Namespace, pickler: object) -> tuple[object, ...]:
    """Reduce a function or class of `__main__` for `pickler`, with all the globals that it uses.

    Raises `PicklingError` if it cannot travel; a global that cannot is left out.
    """
    try:
        content, found = probe(definition, live)
    except Exception as error:
        raise pickle.PicklingError(words_for(error, definition, lambda part: _travels(part, live))) from error
    sent: set[str] = vars(pickler).setdefault("_names_sent", set())
    digests: dict[str, bytes] = {}
    values: Namespace = {}
    left_out: dict[str, str] = {}
    waiting = dict(found)
    while waiting:
        name, value = waiting.popitem()
        if name in digests or name in left_out or name in sent:
            continue
        try:
            digests[name], more = probe(value, live)
        except Exception as error:
            left_out[name] = f"{type(error).__name__}: {error}"
            continue
        values[name] = value
        waiting.update(more)
    sent.update(digests)
    file = io.BytesIO()
    DefinitionPickler(file, live).dump((definition, values))
    with lock:
        token = registry.token_of(definition)
    return receive, (token, content, digests, left_out, file.getvalue())


def receive(
    token: str, content: bytes, digests: dict[str, bytes], left_out: dict[str, str], blob: bytes
) -> Definition | None:
    """The definition of that token in this process; called where what `reduce` returned is unpickled."""
    with lock:
        original = registry.made_here.get(token)
        if original is not None:
            return original
        known = registry.arrived.get(token)
        names = registry.names
        new = known is None or registry.contents.get(token) != content
        if new or any(names.get(name) != digest for name, digest in digests.items()):
            known, values = pickle.loads(blob)
            if _is_child():
                _set_globals(values, digests)
                registry.kept[token] = known
                registry.left_out.update(left_out)
            registry.contents[token] = content
            registry.add(token, known)
    _take_part()
    return known


def _set_globals(values: Namespace, digests: dict[str, bytes]) -> None:
    live = live_globals()
    for name, value in values.items():
        seen = registry.names.get(name)
        if seen is None and name in live:
            pass  # this process has a value of its own: forked, or set by code that nothing sent
        elif seen != digests[name]:
            live[name] = value
        registry.names[name] = digests[name]


def _build(token: str, make: Callable[..., Definition], args: tuple[object, ...]) -> Definition:
    """A definition, still empty if it is new. A class that arrives again is the same class."""
    with lock:
        known = registry.made_here.get(token)
        if known is None and make is not FunctionType:
            known = registry.arrived.get(token)
        if known is None:
            known = make(*args)
            registry.add(token, known)
        return known


def _fill(definition: Definition, state: tuple[str, Callable[[Definition, object], object], object]) -> None:
    token, set_state, content = state
    if token not in registry.made_here:
        set_state(definition, content)


def _set_function(function: FunctionType, state: tuple[dict[str, object], dict[str, Any]]) -> None:
    attributes, slots = state
    vars(function).update(attributes)
    closure = slots.pop("__closure__")
    slots.pop("_cloudpickle_submodules")  # by now they are imported, that was all
    for cell, sent in zip(function.__closure__ or (), closure or (), strict=True):
        try:
            cell.cell_contents = sent.cell_contents
        except ValueError:  # an empty cell
            continue
    for name, value in slots.items():
        setattr(function, name, value)


def _by_identity(handle: object) -> tuple[object, ...]:
    return int, (id(handle),)


def _is_child() -> bool:
    # The first says nothing yet while a process that begins reads what it is to do.
    return parent_process() is not None or hasattr(current_process(), "_inheriting")


def _take_part() -> None:
    """Let what this process sends travel by value, too, if nothing has arranged for it yet."""
    if "reducer_override" in vars(ForkingPickler):
        return

    def reducer_override(pickler: ForkingPickler, obj: object) -> object:
        if is_definition(obj):
            return reduce(obj, live_globals(), pickler)
        if is_cached(obj):
            return reduce_cached(obj)
        if type(obj) is NameError and obj.name in registry.left_out:
            reason = registry.left_out[obj.name]
            obj.add_note(f"`{obj.name}` was not sent to this process, since it cannot be pickled ({reason}).")
        return NotImplemented

    Patches(Patch(ForkingPickler, "reducer_override", lambda _: reducer_override, adds=True)).install()


def _travels(value: object, live: Namespace) -> bool:
    try:
        probe(value, live)
    except Exception:
        return False
    return True
