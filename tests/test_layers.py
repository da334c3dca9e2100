"""The house: an import goes only to a lower floor, and wings of one floor do not import each other.

Every import counts, also one inside a function or under `if TYPE_CHECKING`. Which third parties may be
imported is said here, too. ARCHITECTURE.md describes the wings.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import namespace_kernel

NAME = "namespace_kernel"
PACKAGE = Path(namespace_kernel.__file__).parent

#: From the ground up. What stands on one floor does not import its neighbours.
FLOORS = (
    "base",
    "namespace routing coroutines attribution",
    "execution",
    "remote",
    "durable",
    "reports",
    "ipython",
    "kernel worker",
    "assembly patches",
    "app",
    "embed",
    "install",
    "doctor",
    "__main__",
)
FLOOR_OF = {wing: number for number, wings in enumerate(FLOORS) for wing in wings.split()}

#: The package itself exposes the public names: programs import it that have no Jupyter. What it names for
#: type checkers may stand anywhere, because it imports nothing when it runs.
FLOOR_OF["__init__"] = FLOOR_OF["durable"]

#: Who may import what is Jupyter's. All others are the product without Jupyter, and what embedders use.
PROTOCOL = frozenset(("kernel", "assembly", "app", "embed", "install", "doctor"))
THIRD_PARTIES = {
    "zmq": PROTOCOL,
    "tornado": PROTOCOL,
    "jupyter_client": PROTOCOL,
    "jupyter_core": PROTOCOL,
    "ipykernel": PROTOCOL | {"ipython"},
    "comm": PROTOCOL | {"ipython"},
    "IPython": PROTOCOL | {"ipython", "worker"},
    "traitlets": PROTOCOL | {"ipython", "worker"},
    "debugpy": PROTOCOL,
}

#: Files that one folder may hold, and that may lie flat in the package.
MOST_FILES, MOST_FLAT = 14, 6

#: Lines that a wing may have, about a sixth more than it has; see the decision "What a wing may cost".
MOST_LINES = {
    "base": 2200,
    "namespace": 1400,
    "routing": 500,
    "coroutines": 950,
    "attribution": 770,
    "execution": 4500,
    "remote": 4700,
    "durable": 4300,
    "reports": 3800,
    "ipython": 4700,
    "kernel": 7200,
    "worker": 1400,
    "assembly": 550,
}


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


def wing_of(module: str) -> str:
    return module.partition(".")[0]


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
            targets = [f"{base}.{name.name}" for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            targets = [f"{node.module}.{name.name}" for name in node.names]
        else:
            continue
        for target in targets:
            ours = target == NAME or target.startswith(f"{NAME}.")
            yield Import(module, target.removeprefix(f"{NAME}."), ours, node.lineno, node not in unexecuted)


def violations(sources: dict[str, str]) -> list[str]:
    """What is wrong, in words; also modules that stand nowhere."""
    wrong = []
    for module, source in sources.items():
        if wing_of(module) not in FLOOR_OF:
            wrong.append(f"{module}.py stands on no floor; which wing does it belong to?")
            continue
        for one in imports_of(module, source):
            problem = _problem_of_ours(one) if one.ours else _problem_of_others(one)
            if problem:
                wrong.append(f"{one}: {problem}")
    return wrong


def _problem_of_ours(one: Import) -> str | None:
    here, there = wing_of(one.module), wing_of(one.target)
    if here == there or one.target in ("__version__", NAME):
        return None
    if there not in FLOOR_OF:
        return "that stands on no floor"
    if here == "__init__" and not one.runs:
        return None
    if FLOOR_OF[there] > FLOOR_OF[here]:
        return "that is upward"
    if FLOOR_OF[there] == FLOOR_OF[here]:
        return "wings of one floor do not import each other"
    return None


def _problem_of_others(one: Import) -> str | None:
    library = wing_of(one.target)
    if wing_of(one.module) not in THIRD_PARTIES.get(library, FLOOR_OF):
        return f"{library} is not for this wing"
    return None


def module_behind(target: str, sources: dict[str, str]) -> str | None:
    """The module that `from … import …` runs: `target` itself, or what it is a name of."""
    for name in (target, target.rpartition(".")[0]):
        for module in (name, f"{name}.__init__"):
            if module in sources:
                return module
    return None


def cycles(sources: dict[str, str]) -> list[str]:
    """Modules that import each other around a circle when they run."""
    graph: dict[str, set[str]] = {}
    for module, source in sources.items():
        ran = [one.target for one in imports_of(module, source) if one.ours and one.runs]
        found = {module_behind(target, sources) for target in ran}
        graph[module] = {one for one in found if one is not None} - {module}
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


def test_each_wing_stands_and_is_named_once() -> None:
    wings = [wing for floor in FLOORS for wing in floor.split()]
    assert len(wings) == len(set(wings))
    assert {wing_of(module) for module in SOURCES} == {*wings, "__init__"}


def test_no_room_is_crowded() -> None:
    folders = [PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir())]
    for folder in folders:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= (MOST_FLAT if folder == PACKAGE else MOST_FILES), folder


@pytest.mark.parametrize("wing", MOST_LINES)
def test_a_wing_costs_no_more_than_it_may(wing: str) -> None:
    lines = sum(len(source.splitlines()) for module, source in SOURCES.items() if wing_of(module) == wing)
    assert 0 < lines <= MOST_LINES[wing], "look for what can go before you raise the number"


def test_each_wing_has_a_number_of_lines() -> None:
    assert set(MOST_LINES) == {wing_of(module) for module in SOURCES if "." in module}


def test_a_wing_says_what_it_is_and_lends_no_names() -> None:
    """Imports name the module where a thing is defined."""
    for module, source in SOURCES.items():
        if module.endswith(".__init__"):
            assert [type(node) for node in ast.parse(source).body] == [ast.Expr], module


def test_imports_inside_functions_are_found() -> None:
    source = (
        "def f():\n    if True:\n        from ..app import x\n        import namespace_kernel.kernel.comms"
    )
    found = [(one.target, one.ours, one.line) for one in imports_of("execution.hooks", source)]
    assert found == [("app.x", True, 3), ("kernel.comms", True, 4)]


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("newcomer", "", "stands on no floor"),
        ("newwing.inside", "", "stands on no floor"),
        ("base.cell", "from ..namespace.merge import x", "upward"),
        ("namespace.merge", "from ..coroutines.closing import x", "wings of one floor"),
        ("namespace.merge", "from namespace_kernel.execution import bridge", "upward"),
        ("namespace.merge", "def f():\n    from ..routing.router import x", "wings of one floor"),
        ("execution.bridge", "if TYPE_CHECKING:\n    from ..kernel.kernel import x", "upward"),
        ("worker.run", "from namespace_kernel.kernel.comms import x", "wings of one floor"),
        ("kernel.kernel", "from ..assembly import x", "upward"),
        ("kernel.kernel", "from ..nowhere import x", "that stands on no floor"),
        ("coroutines.closing", "import IPython.core", "IPython is not for this wing"),
        ("reports.receipt", "from traitlets import Bool", "traitlets is not for this wing"),
        ("ipython.shell", "import zmq", "zmq is not for this wing"),
        ("worker.shell", "import ipykernel.zmqshell", "ipykernel is not for this wing"),
        ("__init__", "from .kernel.kernel import x", "upward"),
        ("__init__", "import traitlets", "traitlets is not for this wing"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str, complaint: str) -> None:
    (found,) = violations({module: source})
    assert complaint in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("namespace.merge", "from ..base.cell import x\nfrom .reserved_names import y\nimport asyncio"),
        ("execution.bridge", "from ..namespace.manager import x\nfrom .hooks import y"),
        ("kernel.wire.session", "from namespace_kernel.base.words import x\nimport zmq"),
        ("app", "from .assembly import x\nimport zmq"),
        ("__init__", "from namespace_kernel.execution.bridge import x"),
        ("__init__", "if TYPE_CHECKING:\n    from namespace_kernel.app import x"),
    ],
)
def test_a_right_import_is_none(module: str, source: str) -> None:
    assert violations({module: source}) == []


def test_a_circle_is_found() -> None:
    circle = {
        "execution.bridge": "from .hooks import x",
        "execution.hooks": "from .engine import x",
        "execution.engine": "from . import bridge",
    }
    assert cycles(circle | {"reports.receipt": "from ..execution.hooks import x"}) == sorted(circle)
    assert cycles({"execution.bridge": "from .hooks import x", "execution.hooks": ""}) == []
    for_types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .bridge import x"
    assert cycles({"execution.bridge": "from .hooks import x", "execution.hooks": for_types}) == []
