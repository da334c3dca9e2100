"""The public names, and that everything public is documented."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import namespace_kernel

PACKAGE = Path(namespace_kernel.__file__).parent
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))
PROMISED = {"AsyncNamespaceManager", "ExecutionContextBridge", "DeferredCoroutine"}
#: A docstring that begins so says that something is as elsewhere, and not why.
_VAGUE = re.compile(r"(overridden:? )?(as said|as above|likewise)\b|overridden\.?$", re.IGNORECASE)
JUPYTER = ["IPython", "ipykernel", "jupyter_client", "jupyter_core", "zmq", "traitlets", "tornado", "comm"]


def tree_of(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text())


def exported(module: ast.Module) -> list[str] | None:
    """What a module's `__all__` lists."""
    for node in module.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


def test_the_public_names_are_listed_and_exist() -> None:
    names = namespace_kernel.__all__
    assert set(names) >= PROMISED
    assert names == sorted(set(names))
    assert all(hasattr(namespace_kernel, name) for name in names)


def test_nothing_else_looks_public() -> None:
    """A name of the package is listed, a module of it, or private."""
    modules = {Path(module).parts[0].removesuffix(".py") for module in MODULES}
    assert {name for name in dir(namespace_kernel) if name[0] != "_"} - modules == set(
        namespace_kernel.__all__
    )
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        namespace_kernel.nothing


def test_star_gives_what_is_listed() -> None:
    given: dict[str, Any] = {}
    exec("from namespace_kernel import *", given)
    assert given.keys() - {"__builtins__"} == set(namespace_kernel.__all__)


@pytest.mark.parametrize("name", namespace_kernel.__all__)
def test_every_public_name_says_what_it_is(name: str) -> None:
    thing = getattr(namespace_kernel, name)
    assert inspect.isclass(thing) or inspect.isfunction(thing)
    assert thing.__module__.startswith("namespace_kernel.")
    assert own_docstring(thing), f"{name} has no docstring"
    for attribute, value in vars(thing).items():
        if attribute[0] != "_" and (callable(value) or isinstance(value, property | classmethod)):
            assert inspect.getdoc(value), f"{name}.{attribute} has no docstring"


def own_docstring(thing: Any) -> str:
    """Not the one that `dataclass` or a base class gives."""
    text = thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__
    return "" if text is None or text.startswith(f"{thing.__name__}(") else text


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is(module: str) -> None:
    text = ast.get_docstring(tree_of(module))
    assert text
    assert text.splitlines()[0].endswith((".", ":", "?")), "the first line is a sentence"


def public_methods(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Without setters: the property's docstring is the getter's."""
    methods = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    setters = [one for one in methods if any(ast.unparse(d).endswith(".setter") for d in one.decorator_list)]
    return [one for one in methods if one.name[0] != "_" and one not in setters]


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_in_a_module_is_documented(module: str) -> None:
    undocumented = []
    for node in tree_of(module).body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name[0] == "_":
            continue
        members = public_methods(node) if isinstance(node, ast.ClassDef) else []
        undocumented += [one.name for one in [node, *members] if not ast.get_docstring(one)]
    assert undocumented == []


def vague(module: ast.Module) -> list[str]:
    """The functions whose docstring points elsewhere in the file instead of saying why they are there."""
    return [
        node.name
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and _VAGUE.match(ast.get_docstring(node) or "")
    ]


@pytest.mark.parametrize("module", MODULES)
def test_what_is_overridden_says_why(module: str) -> None:
    assert vague(tree_of(module)) == []


@pytest.mark.parametrize(
    ("docstring", "found"),
    [
        ("Overridden as said.", ["f"]),
        ("Overridden: as above. An unknown id is an error.", ["f"]),
        ("Overridden.", ["f"]),
        ("Likewise.", ["f"]),
        ("Overridden: nothing is answered any more.", []),
        ("Overridden not to look for it.", []),
    ],
)
def test_what_is_vague_would_be_found(docstring: str, found: list[str]) -> None:
    assert vague(ast.parse(f'class C:\n    def f(self):\n        """{docstring}"""')) == found


@pytest.mark.parametrize("module", [module for module in MODULES if module.endswith("__init__.py")])
def test_a_package_lists_exactly_what_it_imports(module: str) -> None:
    tree = tree_of(module)
    # Those of the package itself are for type checkers; it gives them when they are used.
    for_types = [inner for node in tree.body if isinstance(node, ast.If) for inner in node.body]
    imported = {
        name.asname or name.name
        for node in (*tree.body, *for_types)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("namespace_kernel")
        for name in node.names
    }
    assert set(exported(tree) or []) == imported


def test_a_program_can_embed_it_without_jupyter() -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({JUPYTER!r}))\n"
        "from namespace_kernel import AsyncNamespaceManager, ExecutionContextBridge\n"
        "bridge = ExecutionContextBridge(AsyncNamespaceManager())\n"
        "import asyncio\n"
        "print(asyncio.run(bridge.execute_in_async('import asyncio; await asyncio.sleep(0, 40)', 'one'))\n"
        "      + bridge.execute_in_thread('2', 'two'))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert (ran.stdout, ran.stderr) == ("42\n", "")
