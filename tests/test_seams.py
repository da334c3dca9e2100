"""Every name of others that is patched, overridden, or read though it is private, is there as we rely on it.

A new release of a library fails here, by name, and not in a notebook.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import ipykernel.debugger  # noqa: F401  # it brings pydevd along
import pytest

import namespace_kernel
from namespace_kernel.attribution.child_processes import ChildProcesses
from namespace_kernel.attribution.inheritance import Inheritance
from namespace_kernel.attribution.redirects import Redirects
from namespace_kernel.base.patching import Patch, owner_of
from namespace_kernel.coroutines.never_awaited import NeverAwaitedHook
from namespace_kernel.execution.stop.swallowed import SwallowedStops
from namespace_kernel.execution.stop.system_patch import SystemFront
from namespace_kernel.execution.user_loop.asyncio_patch import AsyncioFront
from namespace_kernel.execution.user_loop.signal_patch import SignalFront
from namespace_kernel.execution.user_loop.thread_aware_loop import new_loop
from namespace_kernel.ipython.captures import CAPTURES
from namespace_kernel.ipython.completion import jedi_cache, jedi_files, jedi_names
from namespace_kernel.ipython.figures import figure_patches
from namespace_kernel.ipython.tracebacks.class_sources import ClassSources
from namespace_kernel.ipython.tracebacks.source_colours import COLOURS
from namespace_kernel.ipython.tracebacks.stacks import StackFront
from namespace_kernel.ipython.tracebacks.thread_errors import ThreadErrors
from namespace_kernel.patches import FOR_GOOD, PATCHES, WHEN_USED, WHILE_SERVING
from namespace_kernel.remote.spawning.multiprocessing_patch import MultiprocessingFront
from tests.seams import SEAMS

NAME = "namespace_kernel"
PACKAGE = Path(namespace_kernel.__file__).parent

#: Names that not every version of Python has, and the first that has them.
SINCE = {
    "asyncio.Queue.shutdown": (3, 13),
    "asyncio.Server.close_clients": (3, 13),
    "asyncio.Server.abort_clients": (3, 13),
}
#: What is put there though there is no such name.
ADDED = {"multiprocessing.reduction.ForkingPickler.reducer_override", "builtins.cell"}
#: Names of ours that another module of ours reads.
OURS_ELSEWHERE = {"_own_count", "_stdout", "_stderr"}
#: Private names that are asked for where they may be missing, and the first version that has them.
ASKED_FOR = {"asyncio.tasks._eager_tasks": (3, 12), "sys._is_gil_enabled": (3, 13)}
#: What we put on an object of theirs, and what is there in a child.
ALSO_THERE = {"_ending", "_inheriting"}


def find(name: str) -> Any:
    """The module, class or function of that full name, which is imported."""
    try:
        return pkgutil.resolve_name(name)
    except (AttributeError, ImportError) as error:
        raise AssertionError(f"{name} is not there any more") from error


@cache
def given_to_self(kind: type) -> frozenset[str]:
    """The names that the methods of a class, and of those it inherits from, give to `self`."""
    names = set()
    for one in kind.__mro__:
        try:
            source = inspect.getsource(one)
        except (OSError, TypeError):
            continue
        names |= set(re.findall(r"\bself\.(\w+)\b[^=\n(]*=[^=]", source))
    return frozenset(names)


def is_there(owner: Any, name: str) -> bool:
    return hasattr(owner, name) or (isinstance(owner, type) and name in given_to_self(owner))


# What is patched


def names_in(table: tuple[tuple[str, str, str], ...]) -> list[str]:
    return [f"{owner}.{name}" for owner, names, _ in table for name in names.split()]


@pytest.mark.parametrize("full_name", names_in(PATCHES))
def test_what_is_patched_is_there(full_name: str) -> None:
    if full_name in ADDED or sys.version_info < SINCE.get(full_name, ()):
        return
    owner, _, name = full_name.rpartition(".")
    assert is_there(find(owner), name), f"{full_name} is not there any more"


def key(owner: Any, name: str) -> tuple[int, str]:
    return id(owner), name


def listed(table: tuple[tuple[str, str, str], ...]) -> dict[tuple[int, str], str]:
    return {key(find(one.rpartition(".")[0]), one.rpartition(".")[2]): one for one in names_in(table)}


def patched(patches: Iterator[Patch]) -> dict[tuple[int, str], str]:
    return {key(owner_of(one), one.name): f"{one.owner}.{one.name}" for one in patches}


def inheritance() -> Inheritance:
    return Inheritance((), lambda: False, lambda file: False, lambda execution: None)


def while_serving() -> Iterator[Patch]:
    yield from NeverAwaitedHook(lambda coroutine, frame: None).patches
    yield from AsyncioFront(None, lambda: False).patches
    yield from SignalFront(lambda: None, lambda: None).patches
    yield from SystemFront().patches
    yield from SwallowedStops(lambda: False).patches
    yield from ClassSources(lambda: ()).patches
    yield from StackFront(lambda file: False).patches
    yield from ThreadErrors(lambda error: None).patches
    yield from inheritance().patches
    yield from Redirects(lambda stream: False, lambda stream: stream).patches
    yield from ChildProcesses().patches
    yield from MultiprocessingFront({}).patches


def when_used() -> Iterator[Patch]:
    importlib.import_module("multiprocessing.pool")
    importlib.import_module("multiprocessing.spawn")
    yield from inheritance().late.patches
    yield from MultiprocessingFront({}).late.patches


def for_good() -> Iterator[Patch]:
    yield from CAPTURES
    yield from figure_patches(set())
    for patches in (jedi_cache.CONDITIONS, jedi_cache.FILES, jedi_files.PATCHES, jedi_names.PATCHES, COLOURS):
        yield from patches.patches


def test_the_inventory_lists_what_is_patched_while_the_kernel_serves() -> None:
    listed_, patched_ = listed(WHILE_SERVING), patched(while_serving())
    assert [patched_[one] for one in patched_.keys() - listed_.keys()] == []
    assert [listed_[one] for one in listed_.keys() - patched_.keys()] == []


def test_the_inventory_lists_what_is_patched_later() -> None:
    listed_, patched_ = listed(WHEN_USED), patched(when_used())
    assert sorted(listed_) == sorted(patched_)


def test_the_inventory_lists_what_is_patched_for_good() -> None:
    listed_ = listed(FOR_GOOD)
    assert [name for one, name in patched(for_good()).items() if one not in listed_] == []


def test_whoever_patches_is_asked_here() -> None:
    """A new module that makes a `Patch` is added to the functions above, or is one that is for good."""
    making = {module for module, source in SOURCES.items() if re.search(r"(?<!class )\bPatch\(", source)}
    assert making == {
        "app",
        "attribution.child_processes",
        "attribution.inheritance",
        "attribution.redirects",
        "attribution.thread_pools",
        "coroutines.never_awaited",
        "execution.stop.swallowed",
        "execution.stop.system_patch",
        "execution.user_loop.asyncio_names",
        "execution.user_loop.asyncio_patch",
        "execution.user_loop.loop_policy",
        "execution.user_loop.loop_setting",
        "execution.user_loop.signal_patch",
        "execution.user_loop.tasks",
        "ipython.captures",
        "ipython.completion.jedi_cache",
        "ipython.completion.jedi_files",
        "ipython.completion.jedi_names",
        "ipython.figures",
        "ipython.tracebacks.class_sources",
        "ipython.tracebacks.source_colours",
        "ipython.tracebacks.stacks",
        "ipython.tracebacks.thread_errors",
        "kernel.stdin",
        "remote.spawning.by_value",
        "remote.spawning.multiprocessing_patch",
        "worker.dask_client",
    }


# What is private


@pytest.mark.parametrize(
    ("owner", "seam"), [(owner, seam) for owner, seams in SEAMS.items() for seam in seams.split()]
)
def test_what_is_private_is_as_we_rely_on_it(owner: str, seam: str) -> None:
    name, called, arguments = seam.partition("(")
    found = find(owner)
    assert any(is_there(found, one) for one in name.split("|")), f"{owner}.{name} is not there any more"
    if called:
        problem = refusal(found, name, arguments.rstrip(")").split(","))
        assert problem is None, f"{owner}.{name} cannot be called with ({arguments}: {problem}"


def refusal(owner: Any, name: str, arguments: list[str]) -> str | None:
    """Why a function cannot be called with these; `None` if it can, or does not say what it takes."""
    function = inspect.getattr_static(owner, name)
    is_bound = isinstance(owner, ModuleType) or isinstance(function, staticmethod)
    try:
        signature = inspect.signature(function.__func__ if hasattr(function, "__func__") else function)
    except ValueError:
        return None
    except TypeError as error:
        return str(error)
    try:
        by_name = {one.rstrip("="): None for one in arguments if one.endswith("=")}
        by_position = [one for one in arguments if one and not one.endswith("=")]
        signature.bind(*([] if is_bound else ["self"]), *by_position, **by_name)
    except TypeError as error:
        return str(error)
    return None


# What is overridden


def modules() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts)


SOURCES = {name: (PACKAGE / f"{name.replace('.', '/')}.py").read_text() for name in modules()}
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}
#: They do something when they are imported.
_NOT_IMPORTED = {"__main__", "worker.__main__", "worker.dask_client"}
if sys.version_info >= (3, 14):  # where policies are deprecated
    _NOT_IMPORTED.add("execution.user_loop.loop_policy")


@cache
def our_classes() -> dict[type, str]:
    """The classes that the package defines, whatever they call themselves, and where."""
    loop = new_loop()
    loop.close()
    found: dict[type, str] = {type(loop): "execution.user_loop.thread_aware_loop"}
    for name, tree in TREES.items():
        if name not in _NOT_IMPORTED:
            module = importlib.import_module(f"{NAME}.{name}")
            for node in tree.body:
                if isinstance(node, ast.ClassDef):
                    found[getattr(module, node.name)] = name
    return found


def doc_of(value: Any) -> str:
    function = getattr(value, "fget", None) or getattr(value, "__func__", None) or value
    return getattr(function, "__doc__", None) or ""


def overrides() -> dict[tuple[type, str], list[type]]:
    """Each name that a class of ours gives, and the classes of others that have it, too."""
    ours = our_classes()
    found: dict[tuple[type, str], list[type]] = {}
    for kind in ours:
        theirs = [one for one in kind.__mro__ if one not in ours and one is not object]
        for own in kind.__mro__:
            for name in vars(own) if own in ours else ():
                having = [one for one in theirs if name in vars(one) or name in vars(one).get("_traits", ())]
                found.setdefault((own, name), []).extend(having)
    return found


POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
#: Whose methods we override.
LIBRARIES = ("IPython", "ipykernel", "jupyter_client", "zmq", "comm", "asyncio")


def test_what_is_overridden_is_there() -> None:
    missing = [
        f"{our_classes()[own]}.{own.__qualname__}.{name}"
        for (own, name), theirs in overrides().items()
        if doc_of(vars(own)[name]).startswith("Overridden") and not theirs
    ]
    assert missing == [], f"overrides nothing any more: {', '.join(missing)}"


def test_what_is_overridden_can_be_called_as_theirs() -> None:
    refused = []
    for (own, name), theirs in overrides().items():
        function, original = (
            inspect.getattr_static(one, name, None) for one in (own, next(iter(theirs), own))
        )
        if not (inspect.isfunction(function) and inspect.isfunction(original)) or name == "__init__":
            continue
        if doc_of(function).startswith("Overridden"):
            parameters = inspect.signature(original).parameters.values()
            by_position = [one.name for one in parameters if one.kind in POSITIONAL]
            by_name = {one.name: None for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}
            try:
                inspect.signature(function).bind(*by_position, **by_name)
            except TypeError as error:
                refused.append(f"{own.__qualname__}.{name}: {error}")
    assert refused == []


def test_what_is_overridden_says_so() -> None:
    """By that it is known here when a new release has another name."""
    silent = [
        f"{our_classes()[own]}.{own.__qualname__}.{name}"
        for (own, name), theirs in overrides().items()
        if inspect.isfunction(vars(own)[name])
        and not name.startswith("__")
        and any(one.__module__.partition(".")[0] in LIBRARIES for one in theirs)
        and not any(inspect.isabstract(one) or one.__name__.startswith("Abstract") for one in theirs)
        and "Overridden" not in doc_of(inspect.unwrap(vars(own)[name])) + doc_of(vars(own)[name])
        and not hasattr(vars(own)[name], "__wrapped__")
    ]
    assert silent == []


# What is used


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name.strip("_") != ""


def defined_in(tree: ast.AST) -> set[str]:
    """The names of functions and classes, and what methods give to `self`."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
            names.add(node.attr)
        elif isinstance(node, ast.ClassDef):  # a field of a dataclass
            names |= {one.target.id for one in node.body if is_field(one, node)}  # type: ignore[attr-defined]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def is_field(node: ast.stmt, kind: ast.ClassDef) -> bool:
    is_data = any("dataclass" in ast.unparse(one) for one in kind.decorator_list)
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and is_data


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


#: Functions, one of whose arguments is a name.
TAKE_A_NAME = ("getattr", "hasattr", "setattr", "delattr", "vars", "Patch")


def private_names_in(tree: ast.AST, ours: set[str]) -> Iterator[tuple[str, int]]:
    """Each private name of others that is read, called or imported, and its line.

    `ours` are the names that methods of the package give to `self`. On any other object a private name is
    ours if the module itself defines it. Names that are only put together when the code runs are not found.
    """
    here = defined_in(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if node.attr not in (ours if is_self(node.value) else here):
                yield node.attr, node.lineno
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module != "_typeshed":
            if (node.module or "").partition(".")[0] not in (NAME, "__future__"):
                names = [*(node.module or "").split("."), *(name.name for name in node.names)]
                yield from ((name, node.lineno) for name in names if is_private(name))
        elif isinstance(node, ast.Import):
            names = [part for name in node.names for part in name.name.split(".")]
            yield from ((name, node.lineno) for name in names if is_private(name))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in TAKE_A_NAME:
            given = [str(one.value) for one in node.args if isinstance(one, ast.Constant)]
            yield from ((name, node.lineno) for name in given if is_private(name) and name not in here)


def private_names_listed() -> set[str]:
    listed_ = (one.partition("(")[0] for seams in SEAMS.values() for one in seams.split())
    return {name for one in listed_ for name in one.split("|")}


def known_names() -> set[str]:
    """All that is in the inventory, that we override, or that is private to us."""
    names = private_names_listed()
    names |= {part for owner in SEAMS for part in owner.split(".")}
    names |= {part for one in names_in(PATCHES) for part in one.split(".")}
    names |= {name for (_, name), theirs in overrides().items() if theirs}
    names |= {one.rpartition(".")[2] for one in ASKED_FOR}
    return names | OURS_ELSEWHERE | ALSO_THERE


def test_every_private_name_is_in_the_inventory() -> None:
    ours = set().union(*(defined_in(tree) for tree in TREES.values()))
    known = known_names()
    unknown = [
        f"{module}.py:{line} uses {name}"
        for module, tree in TREES.items()
        for name, line in private_names_in(tree, ours)
        if name not in known
    ]
    assert unknown == []


@pytest.mark.parametrize("full_name", ASKED_FOR)
def test_what_is_asked_for_is_there(full_name: str) -> None:
    if sys.version_info >= ASKED_FOR[full_name]:
        find(full_name)


def test_a_child_that_begins_empty_knows_that_it_does() -> None:
    """It has the attribute for a moment only, which cannot be looked at from here."""
    assert "._inheriting = True" in inspect.getsource(find("multiprocessing.spawn"))


def test_the_inventory_lists_nothing_that_is_not_used() -> None:
    text = "\n".join(SOURCES.values())
    names = private_names_listed()
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", text)) == []


def test_nothing_of_others_is_assigned_to_that_is_not_in_the_inventory() -> None:
    listed_ = set(names_in(PATCHES))
    unknown = []
    for module, tree in TREES.items():
        if module == "base.patching":
            continue
        imported = imported_in(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
                root, _, rest = ast.unparse(node).partition(".")
                if root in imported and f"{imported[root]}.{rest}" not in listed_:
                    unknown.append(f"{module}.py:{node.lineno} assigns to {imported[root]}.{rest}")
    assert unknown == []


def imported_in(tree: ast.AST) -> dict[str, str]:
    """What the names mean that are imported from others."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.asname or one.name.partition(".")[0]: one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return {name: meant for name, meant in names.items() if meant.partition(".")[0] != NAME}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import json\njson._default_decoder", ["_default_decoder"]),
        ("def f(loop): loop._internal()", ["_internal"]),
        ("class A:\n    def f(self): return self._inherited", ["_inherited"]),
        ("getattr(x, '_hidden', None)", ["_hidden"]),
        ("from json import _name", ["_name"]),
        ("import _thread", ["_thread"]),
        ("from _pydev.x import y", ["_pydev"]),
        ("Patch(json, '_one', make)", ["_one"]),
        ("class A:\n    def f(self, other): self._x = other._x", []),
        ("class A:\n    def _f(self): self._f()", []),
        ("x.__dict__, x.public, _local", []),
    ],
)
def test_a_private_name_is_found(source: str, found: list[str]) -> None:
    tree = ast.parse(source)
    assert [name for name, _ in private_names_in(tree, defined_in(tree))] == found


def test_a_name_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests above say of a new release that has renamed something."""
    theirs = ModuleType("theirs")
    exec("class Kind:\n    def _now(self, one): ...", vars(theirs))
    monkeypatch.setitem(sys.modules, "theirs", theirs)
    test_what_is_private_is_as_we_rely_on_it("theirs.Kind", "_now(one)")
    for owner, seam, words in (
        ("theirs.Kind", "_then(one)", "theirs.Kind._then is not there any more"),
        ("theirs.Gone", "_now(one)", "theirs.Gone is not there any more"),
        ("theirs.Kind", "_now(one,two)", "theirs.Kind._now cannot be called with"),
    ):
        with pytest.raises(AssertionError, match=words):
            test_what_is_private_is_as_we_rely_on_it(owner, seam)
