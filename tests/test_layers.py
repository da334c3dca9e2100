"""The layers of the package: who may import whom.

A module may import from its own layer and from lower ones, unless the table says otherwise. Every
import counts, also one inside a function or under `if TYPE_CHECKING`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import namespace_kernel

NAME = "namespace_kernel"
PACKAGE = Path(namespace_kernel.__file__).parent


@dataclass(frozen=True)
class Layer:
    """`parts` are the modules and packages of a layer; `forbidden` what none of them may import.

    With `apart`, they must not import each other; with `closed`, not what is inside each other.
    """

    parts: frozenset[str]
    forbidden: frozenset[str] = field(default_factory=frozenset)
    apart: bool = False
    closed: bool = False


def layer(parts: str, forbidden: str = "", apart: bool = False, closed: bool = False) -> Layer:
    return Layer(frozenset(parts.split()), frozenset(forbidden.split()), apart, closed)


LAYERS = [
    layer("originals own_libraries syntax readiness safe_facts frames", "IPython ipykernel zmq traitlets"),
    # Values, errors, and the one question about asyncio that two packages of the next layer have.
    layer("errors cell tasks", "IPython ipykernel zmq traitlets", apart=True),
    layer("namespace coroutines routing transport spawning", "IPython ipykernel zmq traitlets", apart=True),
    layer("executors output", "IPython ipykernel zmq traitlets routing", closed=True),
    layer(
        "bridge settle idle_loops interrupts step_on_main wakeup signal_front tracebacks receipt leftovers "
        "activity watchdog engine namespace_table table_text written supervised system_front "
        "class_sources changed_files",
        "IPython ipykernel zmq",
    ),
    layer(
        "shell shell_engine cell_events figures magics kernel protocol introspection stdin shutdown "
        "awaiting_magics breakpoints cells commands comms compiler gui lanes per_cell results wire "
        "activity_magics background captures iopub namespace_magic saved_history messages places streams "
        "debugger debug_requests side_cells traceback_formatter remote elsewhere "
        "debug_answers lazy_debugger lent_modules script_magics haste "
        "completers options shell_commands shared_stream jedi_cache jedi_names formatting "
        "source_colours request_fields departures last_error standard_streams "
        "forked_children",
        "app",
    ),
    layer("app bridges install __main__"),
]
#: The package itself exposes the public names: programs import it that have no Jupyter.
TOP = layer("__init__", "IPython ipykernel zmq traitlets jupyter_client jupyter_core")
TOP_LAYER = 4


@dataclass(frozen=True)
class Import:
    """`module` imports `target`, both dotted; ours without the package's name.

    With `runs` false it is for type checkers only.
    """

    module: str
    target: str
    ours: bool
    line: int
    runs: bool

    def __str__(self) -> str:
        return f"{self.module}.py:{self.line} imports {self.target}"


def part_of(module: str) -> str:
    return module.partition(".")[0]


def layer_of(part: str) -> int | None:
    if part == "__init__":
        return TOP_LAYER
    return next((number for number, layer in enumerate(LAYERS) if part in layer.parts), None)


def modules_in(package: Path) -> dict[str, str]:
    """Dotted name of each module, without the package's, and its source."""
    sources = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        sources[".".join(parts)] = path.read_text()
    return sources


def imports_of(module: str, source: str) -> Iterator[Import]:
    """Every import in `source`. Relative ones are resolved against `module`."""
    tree = ast.parse(source)
    unexecuted = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            within = module.split(".")[: -node.level]
            base = ".".join([NAME, *within, *([node.module] if node.module else [])])
            targets = [base] if node.module else [f"{base}.{name.name}" for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            is_package = node.module == NAME
            targets = [f"{NAME}.{name.name}" if is_package else str(node.module) for name in node.names]
        else:
            continue
        for target in dict.fromkeys(targets):
            ours = target == NAME or target.startswith(f"{NAME}.")
            name = target.removeprefix(f"{NAME}.")
            yield Import(module, name, ours, node.lineno, node not in unexecuted)


def violations(sources: dict[str, str]) -> list[str]:
    """What is wrong, in words; also modules that have no place in the table."""
    wrong = []
    for module, source in sources.items():
        number = layer_of(part_of(module))
        if number is None:
            wrong.append(f"{module}.py has no layer; give it a place in the table")
            continue
        row = TOP if module == "__init__" else LAYERS[number]
        for one in imports_of(module, source):
            problem = problem_of(one, number, row)
            if problem:
                wrong.append(f"{one}: {problem}")
    return wrong


def problem_of(one: Import, number: int, row: Layer) -> str | None:
    target = part_of(one.target)
    if target in row.forbidden and (one.ours or layer_of(target) is None):
        return "its layer must not"
    if not one.ours or target == part_of(one.module):
        return None
    below = layer_of(target)
    if below is None:
        return "that has no layer"
    if below > number:
        return f"layer {number} imports upward, from layer {below}"
    if below == number and row.apart:
        return f"the parts of layer {number} must not import each other"
    if below == number and row.closed and "." in one.target:
        return f"the parts of layer {number} must not import each other's inside"
    return None


def cycles(sources: dict[str, str]) -> list[str]:
    """Modules that import each other around a circle when they run."""
    graph = {
        module: {one.target for one in imports_of(module, source) if one.ours and one.runs} & sources.keys()
        for module, source in sources.items()
    }
    while True:
        imported = set().union(*graph.values())
        outside = {module for module in graph if not graph[module] & graph.keys() or module not in imported}
        if not outside:
            return sorted(graph)
        graph = {module: targets for module, targets in graph.items() if module not in outside}


SOURCES = modules_in(PACKAGE)


def test_every_import_goes_downward() -> None:
    assert violations(SOURCES) == []


def test_no_module_imports_itself_by_a_detour() -> None:
    assert cycles(SOURCES) == []


def test_the_table_names_each_module_once() -> None:
    parts = [part for layer in LAYERS for part in layer.parts]
    assert len(parts) == len(set(parts))
    assert {part_of(module) for module in SOURCES} >= {"cell", "namespace", "bridge", "kernel", "app"}


def test_imports_inside_functions_are_found() -> None:
    source = "def f():\n    if True:\n        from .app import x\n        import namespace_kernel.kernel"
    found = [(one.target, one.ours, one.line) for one in imports_of("settle", source)]
    assert found == [("app", True, 3), ("kernel", True, 4)]


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("newcomer", "", "newcomer.py has no layer"),
        ("newpackage.inside", "", "newpackage.inside.py has no layer"),
        ("cell", "from .errors import x", "must not import each other"),
        ("tasks", "from . import namespace", "upward"),
        ("namespace.merge", "from ..coroutines import x", "must not import each other"),
        ("namespace.merge", "from .. import executors", "upward"),
        ("namespace.merge", "def f():\n    from ..routing.router import x", "must not import each other"),
        ("coroutines.closing", "import IPython.core", "its layer must not"),
        ("routing.router", "from traitlets import Bool", "its layer must not"),
        ("executors.base", "from ..routing import Router", "its layer must not"),
        ("executors.base", "from ..output.streams import x", "each other's inside"),
        ("output.streams", "from ..executors.base import x", "each other's inside"),
        ("executors.base", "from ..interrupts import x", "upward"),
        ("bridge", "import zmq", "its layer must not"),
        ("settle", "from namespace_kernel.kernel import x", "upward"),
        ("settle", "from namespace_kernel import kernel", "upward"),
        ("kernel", "from .app import x", "its layer must not"),
        ("bridge", "from .nowhere import x", "that has no layer"),
        ("__init__", "from .kernel import x", "upward"),
        ("__init__", "import traitlets", "its layer must not"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str, complaint: str) -> None:
    (found,) = violations({module: source})
    assert complaint in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("namespace.merge", "from ..cell import x\nfrom .engine_names import y\nimport asyncio"),
        ("executors.base", "from ..coroutines.tracking import x\nfrom .user_loop import y"),
        ("executors.base", "from ..output import x"),
        ("bridge", "from .routing import Router\nfrom .settle import x\nfrom traitlets import Bool"),
        ("app", "from .kernel import x\nimport zmq"),
        ("__init__", "from .bridge import x"),
    ],
)
def test_a_right_import_is_none(module: str, source: str) -> None:
    assert violations({module: source}) == []


def test_a_circle_is_found() -> None:
    circle = {
        "bridge": "from .settle import x",
        "settle": "from .engine import x",
        "engine": "from . import bridge",
    }
    assert cycles(circle | {"receipt": "from .settle import x"}) == ["bridge", "engine", "settle"]
    assert cycles({"bridge": "from .settle import x", "settle": ""}) == []
    for_types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .bridge import x"
    assert cycles({"bridge": "from .settle import x", "settle": for_types}) == []
