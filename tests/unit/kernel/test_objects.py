"""The kernel's parts are objects: each has what its constructor was given, and none is mixed into another."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from ipykernel.ipkernel import IPythonKernel

import namespace_kernel.kernel
from namespace_kernel.kernel.kernel import NamespaceKernel
from namespace_kernel.kernel.options import KernelOptions
from namespace_kernel.kernel.wire.request import answer

FOLDER = Path(namespace_kernel.kernel.__file__).parent
MODULES = {
    ".".join(["namespace_kernel.kernel", *path.relative_to(FOLDER).with_suffix("").parts]): path.read_text()
    for path in sorted(FOLDER.rglob("*.py"))
    if path.name not in ("__init__.py", "overflow.py")  # the second is a script
}


def assigned_in(node: ast.ClassDef) -> set[str]:
    """The names of the attributes that its own methods set."""
    targets = (one for one in ast.walk(node) if isinstance(one, ast.Attribute))
    return {one.attr for one in targets if isinstance(one.ctx, ast.Store)}


def foreign_in(node: ast.ClassDef, inherited: set[str]) -> list[str]:
    """What it declares and neither sets nor inherits; the fields of a record are its constructor's."""
    if any("dataclass" in ast.unparse(one) for one in node.decorator_list):
        return []
    if "NamedTuple" in map(ast.unparse, node.bases):
        return []
    declared = (one.target for one in node.body if isinstance(one, ast.AnnAssign) and one.value is None)
    names = {one.id for one in declared if isinstance(one, ast.Name)}
    return sorted(names - assigned_in(node) - inherited)


def classes() -> Iterator[tuple[str, ast.ClassDef, type]]:
    for module, source in MODULES.items():
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef):
                yield module, node, getattr(importlib.import_module(module), node.name)


def inherited_by(cls: type) -> set[str]:
    sources = {name for base in cls.__mro__[1:] for name in vars(base)}
    instance = (node for base in cls.__mro__[1:-1] for node in ast.walk(_tree_of(base)))
    return sources | {one.attr for one in instance if isinstance(one, ast.Attribute)}


def _tree_of(cls: type) -> ast.Module:
    try:
        return ast.parse(inspect.cleandoc(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):  # written in C
        return ast.Module([], [])


def test_no_class_declares_attributes_of_another() -> None:
    foreign = {
        f"{module}.{node.name}": names
        for module, node, cls in classes()
        if (names := foreign_in(node, inherited_by(cls)))
    }
    assert foreign == {}


def test_the_kernel_has_nothing_mixed_in_but_its_options() -> None:
    assert NamespaceKernel.__bases__ == (KernelOptions, IPythonKernel)
    ours = [cls for cls in NamespaceKernel.__mro__ if cls.__module__.startswith("namespace_kernel")]
    assert ours == [NamespaceKernel, KernelOptions]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("class A:\n    x: int", ["x"]),
        ("class A:\n    x: int\n    y: int = 1\n    z: int", ["x", "z"]),
        ("class A:\n    x: int\n    def __init__(self): self.x = 1", []),
        ("class A:\n    x: int\n    def f(self): return self.x", ["x"]),
        ("@dataclass(frozen=True)\nclass A:\n    x: int", []),
        ("class A:\n    inherited: int", []),
    ],
)
def test_a_foreign_attribute_would_be_found(source: str, found: list[str]) -> None:
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.ClassDef)
    assert foreign_in(node, {"inherited"}) == found


class _Part:
    async def one(self, *args: object) -> None: ...


class _Users(NamespaceKernel):
    async def complete_request(self, *args: object) -> None: ...


@pytest.mark.parametrize("kind", ["complete_request", "shutdown_request", "ps_request", "comm_msg"])
@pytest.mark.parametrize("cls", [IPythonKernel, NamespaceKernel, _Users])
def test_a_part_answers_unless_a_subclass_of_the_user_s_does(cls: type, kind: str) -> None:
    part, users = _Part(), object()
    table = {kind: users}
    answer(cls.__new__(cls), table, **{kind: part.one})  # type: ignore[arg-type]
    overridden = cls is _Users and kind == "complete_request"
    assert table[kind] == (users if overridden else part.one)
