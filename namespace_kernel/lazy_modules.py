"""Modules that are imported on the way to the first cell though a kernel may never use them.

A stand-in is in `sys.modules`; it is run when a name is asked for that it does not have, and once the kernel
has started, when it is imported: what a cell binds is an ordinary module.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from datetime import datetime
from importlib import _bootstrap
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

#: What others import and use in functions only, and milliseconds of a start of 200: TLS for asyncio (4), in
#: tornado the entities of HTML and colours on a terminal (2), directories for Jupyter's own files (2), in
#: ipykernel what is for Windows (1), and in Python what is for archives and addresses (2).
_UNUSED = (
    "ssl",
    "asyncio.sslproto",
    "html",
    "curses",
    "platformdirs",
    "ctypes",
    "bz2",
    "lzma",
    "ipaddress",
    "logging.handlers",
)
#: What a module of those needs, and a Python that was built without may not have.
_NEEDS = {"bz2": "_bz2", "lzma": "_lzma"}

#: Those that have a stand-in, and those that an `import` runs.
_deferred: list[str] = []
_run_by_import: set[str] = set()
#: What is to be called when the module of that name has been run.
_then: dict[str, Callable[[], object]] = {}


class _LazyModule(ModuleType):
    """Becomes an ordinary module when it is used. Other threads wait until it is one.

    No `super()`: when it has been run, it is not of this class any more.
    """

    def __getattribute__(self, name: str) -> Any:
        # `vars(module)`; and an import statement asks the spec whether another thread is importing it.
        if name == "__dict__" or (
            name == "__spec__" and ModuleType.__getattribute__(self, "__name__") in _run_by_import
        ):
            _run(self)
        return ModuleType.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":  # so the import system asks whether it is a package
            raise AttributeError(name)
        _run(self)
        return ModuleType.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # The import system sets a package's submodules, and names with underscores.
        is_part = isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}"
        if not is_part and not name.startswith("__"):
            _run(self)
        ModuleType.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        _run(self)
        ModuleType.__delattr__(self, name)

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return importlib.import_module, (
            self.__name__,
        )  # for cloudpickle, which knows modules by their class

    def __dir__(self) -> list[str]:
        _run(self)
        return list(ModuleType.__dir__(self))


def _run(module: ModuleType) -> None:
    """Run `module`, unless that is done, or the calling thread is doing it.

    A Stop may come at any instant. Then the next use runs it again: nothing is noted that would have to be
    taken back.
    """
    if type(module) is not _LazyModule or _is_being_run(module):
        return
    # The import system's own lock for this module: a thread that imports holds others of them, and is told if
    # two would wait for each other for ever.
    lock = _bootstrap._get_module_lock(module.__name__)  # type: ignore[attr-defined]
    try:
        lock.acquire()
    except _bootstrap._DeadlockError:  # type: ignore[attr-defined]
        return  # modules that two threads import in a circle: what there is of it must do, as for any import
    try:
        if type(module) is _LazyModule:
            spec = module.__spec__
            assert spec is not None and spec.loader is not None
            spec.loader.exec_module(module)
            _then.get(module.__name__, lambda: None)()
            module.__class__ = ModuleType  # type: ignore[assignment]
    finally:
        lock.release()


def _is_being_run(module: ModuleType) -> bool:
    """Whether `_run` for `module` is among the callers of this one."""
    frame = sys._getframe(1).f_back
    while frame is not None:
        if frame.f_code is _run.__code__ and frame.f_locals["module"] is module:
            return True
        frame = frame.f_back
    return False


def defer_unused() -> None:
    """Let what a first cell does not need be imported when it is used. Thread: main, before all else."""
    for name in _UNUSED:
        if name not in _NEEDS or _find(_NEEDS[name]) is not None:
            _defer(name)
    # Of these, one thing is asked: how to log, which the app knows; which system and Python this is (4 ms).
    _defer("logging.config", dictConfig=lambda config: _real("logging.config", "dictConfig")(config))
    if sys.implementation.name == "cpython" and hasattr(os, "uname"):
        _defer("platform", python_implementation=lambda: "CPython", system=lambda: os.uname().sysname)
    _defer_clients()
    _defer_completer()
    _give_to_packages()


def end_deferring() -> None:
    """The kernel has started: from now on an `import` runs the module. Thread: main.

    Not those that ipykernel imports again and again: it asks for each `kernel_info_request` whether there is
    a debugger.
    """
    _give_to_packages()
    _run_by_import.update({*_deferred} - {"ipykernel.debugger", "jupyter_client", "IPython.core.completer"})


def defer_debugger() -> None:
    """Let ipykernel's debugger be imported when it is used, unless debugpy is not there.

    debugpy is a third of the time of a start. ipykernel asks with the first kernel, and for each
    `kernel_info_request`, whether it is there, which is known without importing it.
    """
    if importlib.util.find_spec("debugpy") is not None:
        _defer("ipykernel.debugger", _is_debugpy_available=True)


def defer_pdb(prepare: Callable[[], object]) -> None:
    """Let `pdb` be imported when it is used; `prepare` is called then, with IPython's debugger at hand.

    Two milliseconds of a start.
    """
    debugger = "IPython.core.debugger"
    if {"pdb", debugger} & sys.modules.keys():
        prepare()
        return
    _defer("pdb")
    _defer(debugger)
    # IPython's debugger imports pdb, so whichever is used first: when both have been run.
    _then["pdb"] = lambda: _run(sys.modules[debugger])
    _then[debugger] = prepare


def _defer_clients() -> None:
    """`jupyter_client` itself imports its clients and managers; a kernel needs `session` and `connect`.

    Of dateutil (5 ms) these take the parser for the dates in headers: Python's own knows those dates, and
    takes 0.1 µs and not 4.6. Of typing_extensions (2 ms) they take a type for type checkers.
    """
    if _defer("jupyter_client"):
        connect = _lend(
            "jupyter_client.connect",
            {
                "dateutil.parser": {name: _date_parser(name) for name in ("isoparse", "parse")},
                "dateutil.tz": {"tzlocal": lambda: _real("dateutil.tz", "tzlocal")()},
                "typing_extensions": {"TypedDict": _TypedDict},
            },
        )
        client = sys.modules["jupyter_client"]
        for name in ("find_connection_file", "write_connection_file"):  # which ipykernel uses
            ModuleType.__setattr__(client, name, getattr(connect, name))


def _defer_completer() -> None:
    """IPython's completer, 4 ms of a start with the shell's own: of it ipykernel imports two functions."""
    name = "IPython.core.completer"

    def provisionalcompleter(*args: Any) -> Any:
        return _real(name, "provisionalcompleter")(*args)

    def rectify_completions(*args: Any) -> Any:
        return _real(name, "rectify_completions")(*args)

    if _defer(name, provisionalcompleter=provisionalcompleter, rectify_completions=rectify_completions):
        _then[name] = ignore_provisional_completions


def ignore_provisional_completions() -> None:
    """IPython's completer makes errors of its warnings, and ignores them while it completes, by
    `catch_warnings`, which is no use where threads overlap.
    """
    category = sys.modules["IPython.core.completer"].ProvisionalCompleterWarning
    warnings.filterwarnings("ignore", category=category)


def _real(module: str, name: str) -> Any:
    """A name of a module that may have a stand-in which knows something else by it."""
    _run(sys.modules[module])
    return getattr(sys.modules[module], name)


def _lend(borrower: str, names: dict[str, dict[str, Any]]) -> ModuleType:
    """Import `borrower`, which takes these of the modules' names; others take the modules' own."""
    deferred = [name for name, known in names.items() if _defer(name, **known)]
    imported = importlib.import_module(borrower)
    for name in deferred:
        module = sys.modules[name]
        for known, ours in names[name].items():
            if ModuleType.__getattribute__(module, "__dict__").get(known) is ours:
                ModuleType.__delattr__(module, known)
    return imported


class _TypedDict(dict[str, Any]):
    """Takes the options of a `TypedDict` (PEP 728), and checks nothing, as that."""

    def __init_subclass__(cls, **options: object) -> None:
        pass


def _date_parser(name: str) -> Callable[[str], datetime]:
    def parse(text: str) -> datetime:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            parsed: datetime = _real("dateutil.parser", name)(text)
            return parsed

    return parse


def _defer(name: str, **known: Any) -> bool:
    """Whether the module is deferred now: not if it is imported already. `known` it has from the start."""
    spec = None if name in sys.modules else _find(name)
    if spec is None:
        return False
    module = importlib.util.module_from_spec(spec)
    vars(module).update(known)
    module.__class__ = _LazyModule
    sys.modules[name] = module
    _deferred.append(name)
    _give_to_packages()
    return True


def _give_to_packages() -> None:
    """What the import system does: `import a.b` makes `b` an attribute of `a`. Here `a` may come later."""
    for name in _deferred:
        package, _, last = name.rpartition(".")
        if package in sys.modules and name in sys.modules and last not in vars(sys.modules[package]):
            setattr(sys.modules[package], last, sys.modules[name])


def _find(name: str) -> ModuleSpec | None:
    """As `importlib.util.find_spec`, which would import the package that the module is in."""
    package = name.rpartition(".")[0]
    if not package:
        return importlib.util.find_spec(name)
    parent = sys.modules.get(package)
    spec = _find(package) if parent is None else parent.__spec__
    return spec and PathFinder.find_spec(name, spec.submodule_search_locations)
